//! The folder of kept downloads, such as `.run/cache`: packages by their digest, and what registries said of
//! versions, for builds without a network.
//!
//! | path | content |
//! |---|---|
//! | `sha256/ab/ab…cd.wasm` | the package with this digest |
//! | `versions/REGISTRY/NAMESPACE/NAME.json` | the versions of a package, with the digests that are known |
//!
//! `REGISTRY` is the beginning of the SHA-256 of the registry's address. Any number of processes can use the folder
//! at once: a file becomes visible by one rename of something complete. A package is hashed whenever it is read;
//! one that was damaged is removed and counts as missing.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::artifact::Release;
use crate::digest::Sha256;
use crate::package::PackageId;

/// A folder of kept downloads.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
}

/// The reason why the folder of kept downloads can't be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the kept download {}", .path.display())]
pub struct KeptError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// The address of the registry, for a person who reads the file.
    registry: String,
    releases: Vec<Release>,
    /// True if the list of versions is that of the registry. Otherwise it has only what was fetched.
    complete: bool,
}

impl Kept {
    /// Uses a folder. It is created when something is put into it.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the package with a digest, or none if it is not there or was damaged.
    ///
    /// # Errors
    /// The file exists and can't be read.
    pub fn get(&self, digest: Sha256) -> Result<Option<Vec<u8>>, KeptError> {
        let path = self.path(digest);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        if Sha256::of(&bytes) == digest {
            return Ok(Some(bytes));
        }
        // It is fetched again. If another process has just done so, that is done once too often.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &path, error))
            }
            _ => Ok(None),
        }
    }

    /// Keeps a package, and returns its digest.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn put(&self, bytes: &[u8]) -> Result<Sha256, KeptError> {
        let digest = Sha256::of(bytes);
        if self.get(digest)?.is_none() {
            write(&self.path(digest), bytes)?;
        }
        Ok(digest)
    }

    /// Returns the path at which the package with a digest is kept, whether it is there or not.
    #[must_use]
    pub fn path(&self, digest: Sha256) -> PathBuf {
        let hex = digest.hex();
        self.folder.join("sha256").join(&hex[..2]).join(format!("{hex}.wasm"))
    }

    /// Returns the versions that a registry said a package has, or none if it was not asked.
    ///
    /// # Errors
    /// The file exists and can't be read.
    pub fn versions(
        &self,
        registry: &str,
        package: &PackageId,
    ) -> Result<Option<Vec<Release>>, KeptError> {
        let remembered = self.remembered(registry, package)?;
        Ok(remembered.filter(|remembered| remembered.complete).map(|found| found.releases))
    }

    /// Remembers the versions that a registry says a package has. Digests that are known stay known.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn remember_versions(
        &self,
        registry: &str,
        package: &PackageId,
        releases: &[Release],
    ) -> Result<(), KeptError> {
        self.change(registry, package, |remembered| {
            let earlier = std::mem::take(&mut remembered.releases);
            remembered.releases = releases.to_vec();
            remembered.complete = true;
            for release in &mut remembered.releases {
                let before = earlier.iter().find(|before| before.version == release.version);
                release.sha256 = release.sha256.or_else(|| before.and_then(|before| before.sha256));
            }
        })
    }

    /// Returns the digest that a version of a package had when it was fetched, or none if it was not.
    ///
    /// # Errors
    /// The file exists and can't be read.
    pub fn digest(
        &self,
        registry: &str,
        package: &PackageId,
        version: &Version,
    ) -> Result<Option<Sha256>, KeptError> {
        let remembered = self.remembered(registry, package)?.unwrap_or_default();
        let release = remembered.releases.iter().find(|release| release.version == *version);
        Ok(release.and_then(|release| release.sha256))
    }

    /// Remembers the digest that a version of a package has.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn remember_digest(
        &self,
        registry: &str,
        package: &PackageId,
        version: &Version,
        digest: Sha256,
    ) -> Result<(), KeptError> {
        if self.digest(registry, package, version)? == Some(digest) {
            return Ok(());
        }
        self.change(registry, package, |remembered| {
            let known = remembered.releases.iter_mut().find(|known| known.version == *version);
            match known {
                Some(known) => known.sha256 = Some(digest),
                None => {
                    let (version, sha256) = (version.clone(), Some(digest));
                    remembered.releases.push(Release { version, yanked: false, sha256 });
                    remembered.releases.sort_by(|a, b| a.version.cmp(&b.version));
                }
            }
        })
    }

    /// Reads what is remembered of a package. A file that is not what it should be counts as missing.
    fn remembered(
        &self,
        registry: &str,
        package: &PackageId,
    ) -> Result<Option<Remembered>, KeptError> {
        let text = read(&self.list(registry, package))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Changes what is remembered of a package. Other processes wait meanwhile, so that no change is lost. What would stay the same is
    /// not written again.
    fn change(
        &self,
        registry: &str,
        package: &PackageId,
        change: impl Fn(&mut Remembered),
    ) -> Result<(), KeptError> {
        let changed = |before: Option<Remembered>| {
            let mut after = before.clone().unwrap_or_default();
            after.registry = registry.to_owned();
            change(&mut after);
            Some(after).filter(|after| before.as_ref() != Some(after))
        };
        if changed(self.remembered(registry, package)?).is_none() {
            return Ok(());
        }
        let folder = self.folder.join("versions");
        let failed = |error| failed("write", &folder, error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(".lock"));
        let lock = lock.map_err(failed)?;
        lock.lock().map_err(failed)?;
        let Some(changed) = changed(self.remembered(registry, package)?) else { return Ok(()) };
        let text = serde_json::to_vec_pretty(&changed).map_err(|error| failed(error.into()))?;
        write(&self.list(registry, package), &text)
    }

    fn list(&self, registry: &str, package: &PackageId) -> PathBuf {
        let key = Sha256::of(registry.as_bytes()).hex();
        let folder = self.folder.join("versions").join(&key[..16]);
        folder.join(package.namespace()).join(format!("{}.json", package.name()))
    }
}

/// Reads a file, or returns none if there is none. What is no file counts as missing.
fn read(path: &Path) -> Result<Option<Vec<u8>>, KeptError> {
    let failed = |error| failed("read", path, error);
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that is complete as soon as it can be seen.
fn write(path: &Path, bytes: &[u8]) -> Result<(), KeptError> {
    let failed = |error| failed("write", path, error);
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".new-").permissions(Permissions::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> KeptError {
    KeptError { action, path: path.to_owned(), source }
}
