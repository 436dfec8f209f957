//! Tools of others read what is written here: Python's libraries of in-toto and Sigstore, CycloneDX's validator, tar and
//! sha256sum. `cosign.rs` does the same with cosign.

use std::path::{Path, PathBuf};
use std::process::Command;

use release::bundle::Bundle;

use crate::mutants::raw::Raw;
use crate::sample::{CI, REBUILDER, STRANGER, Sample, attestation};

/// The packages of PyPI that read our files, each in the version that was tried.
const PACKAGES: [&str; 4] = [
    "securesystemslib[crypto]==1.6.0",
    "sigstore-models==0.0.6",
    "in-toto-attestation==0.9.3",
    "cyclonedx-python-lib[json-validation]==11.12.0",
];

/// Installs the packages into a folder that is kept between test runs, and returns the folder.
fn python_packages() -> PathBuf {
    let versions = PACKAGES.join("+");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release-python").join(versions);
    let complete = folder.join(".complete");
    if !complete.exists() {
        _ = std::fs::remove_dir_all(&folder);
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "-q", "--root-user-action", "ignore", "--target"]);
        let output = pip.arg(&folder).args(PACKAGES).output().expect("install Python 3");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "pip can't install {PACKAGES:?}: {message}");
        std::fs::write(complete, "").unwrap();
    }
    folder
}

/// Runs a program that has to succeed, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// Unpacks the valid release with tar, and returns its folder.
fn unpacked(target: &Path) -> PathBuf {
    let tar = zstd::stream::decode_all(Sample::new("1.2.0").archive().as_slice()).unwrap();
    std::fs::write(target.join("shop.tar"), tar).unwrap();
    run(Command::new("tar").current_dir(target).args(["--extract", "--file", "shop.tar"]));
    target.join("shop-1.2.0")
}

#[test]
fn tar_unpacks_a_release_and_sha256sum_checks_it() {
    let target = tempfile::tempdir().unwrap();
    let folder = unpacked(target.path());
    let checked = run(Command::new("sha256sum").current_dir(&folder).args([
        "--check",
        "--strict",
        "SHA256SUMS",
    ]));
    let number = Raw::of(&Sample::new("1.2.0").archive()).files.len();
    assert_eq!(checked.lines().filter(|line| line.ends_with(": OK")).count(), number, "{checked}");
}

#[test]
fn libraries_of_in_toto_sigstore_and_cyclonedx_read_a_release() {
    let target = tempfile::tempdir().unwrap();
    let folder = unpacked(target.path());
    let write = |name: &str, text: String| std::fs::write(target.path().join(name), text).unwrap();
    write("ci.key", CI.to_pem().to_string());
    write("ci.pub", CI.public().to_pem());
    write("rebuilder.pub", REBUILDER.public().to_pem());
    write("stranger.pub", STRANGER.public().to_pem());
    let bundle = Bundle::sign(&Sample::new("1.2.0").json(), &CI);
    assert_eq!(std::fs::read(folder.join(attestation(&CI))).unwrap(), bundle.to_json());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases/read.py");
    let printed = run(Command::new("python3")
        .arg(script)
        .arg(&folder)
        .arg(target.path())
        .env("PYTHONPATH", python_packages())
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    for line in [
        "2 attestations, each by one of two keys",
        "5 changed attestations are refused",
        "2 bills of materials are valid CycloneDX 1.6",
        "4 changed bills of materials are refused",
        "the private key is that of the public key",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
}
