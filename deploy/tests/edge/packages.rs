//! Packages of npm, unpacked once below the folder of the build.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use deploy::{SHIM_PACKAGE, SHIM_VERSION};
use flate2::read::GzDecoder;

const WORKERD_VERSION: &str = "1.20261117.1";

/// Returns the files of the shims, by their paths in the package.
pub(crate) fn shims() -> &'static BTreeMap<String, Vec<u8>> {
    static SHIMS: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    SHIMS.get_or_init(|| {
        let folder = unpacked(SHIM_PACKAGE, SHIM_VERSION);
        let mut files = BTreeMap::new();
        for inside in ["", "dist/browser"] {
            for entry in fs::read_dir(folder.join(inside)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    })
}

/// Returns the program workerd.
pub(crate) fn workerd() -> &'static Path {
    static WORKERD: OnceLock<PathBuf> = OnceLock::new();
    WORKERD.get_or_init(|| {
        let machine = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "64" };
        let package = format!("@cloudflare/workerd-linux-{machine}");
        unpacked(&package, WORKERD_VERSION).join("bin/workerd")
    })
}

/// Returns the folder of a package, which npm downloads and checks the first time.
fn unpacked(package: &str, version: &str) -> PathBuf {
    let name = format!("{}-{version}", package.trim_start_matches('@').replace('/', "-"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    if folder.is_dir() {
        return folder.join("package");
    }
    let fresh = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let wanted = format!("{package}@{version}");
    let npm = Command::new("npm").args(["pack", "--silent", &wanted]).current_dir(&fresh).output();
    let npm = npm.unwrap_or_else(|error| panic!("install npm, from which {wanted} comes: {error}"));
    assert!(npm.status.success(), "npm pack {wanted}: {}", String::from_utf8_lossy(&npm.stderr));
    let archive = fs::File::open(fresh.path().join(format!("{name}.tgz"))).unwrap();
    tar::Archive::new(GzDecoder::new(archive)).unpack(&fresh).unwrap();
    // Another process may have been faster, with the same result.
    let _ = fs::rename(fresh.path(), &folder);
    folder.join("package")
}
