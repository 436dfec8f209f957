//! A registry that is a folder: `{root}/{namespace}/{name}/{version}.wasm`, as in wkg's `local` registries.
//!
//! A package becomes visible by one link to a complete file, which fails if the version exists. So several
//! processes can publish at once, and none can change a version.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use semver::Version;

use crate::artifact::{Artifact, Found, Published, Release};
use crate::digest::Sha256;
use crate::failure::Error;
use crate::package::PackageId;

/// A folder with packages.
pub(crate) struct Directory {
    pub(crate) root: PathBuf,
    /// The largest package that is read, in bytes.
    pub(crate) largest: u64,
}

impl Directory {
    /// Lists the versions of a package, the oldest first. None if the package does not exist.
    pub(crate) fn versions(&self, package: &PackageId) -> Result<Option<Vec<Release>>, Error> {
        let folder = self.folder(package);
        let Some(names) = names(&folder)? else {
            self.check_root()?;
            return Ok(None);
        };
        let version = |name: &String| Version::parse(name.strip_suffix(".wasm")?).ok();
        let mut versions: Vec<_> = names.iter().filter_map(version).collect();
        versions.sort();
        let release = |version| Release { version, yanked: false, sha256: None };
        Ok((!versions.is_empty()).then(|| versions.into_iter().map(release).collect()))
    }

    /// Reads a package. None if the version does not exist.
    pub(crate) fn fetch(
        &self,
        package: &PackageId,
        version: &Version,
    ) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(package, version);
        // What is no file, such as a pipe, might never end.
        match fs::metadata(&path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(not_wasm(&path, "it is not a file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed("read", &path, source)),
        }
        let mut bytes = Vec::new();
        let read =
            File::open(&path).and_then(|file| file.take(self.largest + 1).read_to_end(&mut bytes));
        let read = read.map_err(|source| failed("read", &path, source))?;
        if u64::try_from(read).unwrap_or(u64::MAX) > self.largest {
            return Err(not_wasm(&path, &format!("it is longer than {} bytes", self.largest)));
        }
        Ok(Some(bytes))
    }

    /// Writes a package.
    pub(crate) fn publish(
        &self,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        let folder = self.folder(package);
        let path = self.path(package, version);
        fs::create_dir_all(&folder).map_err(|source| failed("create", &folder, source))?;
        let failed = |source| failed("write", &path, source);
        let mut temporary = tempfile::Builder::new();
        // A temporary file is for its owner only; a package is for everybody whom the folder lets in.
        let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
        let temporary = temporary.prefix(".new-").permissions(mode);
        let mut file = temporary.tempfile_in(&folder).map_err(failed)?;
        file.write_all(&artifact.bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        let (digest, address) = (Sha256::of(&artifact.bytes), path.display().to_string());
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Published { digest, address, was_there: false }),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                let there = self.fetch(package, version)?.map(|bytes| Sha256::of(&bytes));
                if there == Some(digest) {
                    return Ok(Published { digest, address, was_there: true });
                }
                Err(Error::Exists { address, there })
            }
            Err(error) => Err(failed(error.error)),
        }
    }

    /// Lists the packages whose name contains a text.
    pub(crate) fn search(&self, text: &str) -> Result<Vec<Found>, Error> {
        self.check_root()?;
        let mut found = Vec::new();
        for namespace in names(&self.root)?.unwrap_or_default() {
            for name in names(&self.root.join(&namespace))?.unwrap_or_default() {
                let Ok(package) = PackageId::new(&namespace, &name) else { continue };
                if !package.to_string().contains(text) {
                    continue;
                }
                let newest = self.versions(&package)?.and_then(|mut releases| releases.pop());
                if let Some(newest) = newest {
                    found.push(Found { package, description: None, latest: Some(newest.version) });
                }
            }
        }
        Ok(found)
    }

    /// Returns the path of a package. A version has no character that leads elsewhere.
    pub(crate) fn path(&self, package: &PackageId, version: &Version) -> PathBuf {
        self.folder(package).join(format!("{version}.wasm"))
    }

    fn folder(&self, package: &PackageId) -> PathBuf {
        self.root.join(package.namespace()).join(package.name())
    }

    /// A registry that does not exist is an error, and not an empty one.
    fn check_root(&self) -> Result<(), Error> {
        fs::read_dir(&self.root).map(drop).map_err(|source| failed("read", &self.root, source))
    }
}

/// Returns the names in a folder in their order, or none if there is no such folder. Names that are no text, and
/// files that are being written, are left out.
fn names(folder: &Path) -> Result<Option<Vec<String>>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(source) => return Err(failed("read", folder, source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| failed("read", folder, source))?;
        names.extend(entry.file_name().into_string().ok().filter(|name| !name.starts_with('.')));
    }
    names.sort();
    Ok(Some(names))
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}

fn not_wasm(path: &Path, reason: &str) -> Error {
    Error::NotWasm { address: path.display().to_string(), reason: reason.to_owned() }
}
