//! Pins a toolchain of the user's own in the lock, for `run toolchain add`.
//!
//! It returns the new lock and writes no file. The recipe of such a toolchain is always the same; see the
//! module `added`.

use std::path::Path;

use cache::{ContentStore, Entry, StoreError, Tree};

use super::added;
use super::elf;
use super::image::{self, ImageError};
use super::lock::{Checksum, Image, Lock, Pin};
use super::source::Session;
use super::{Catalogue, LocalPath, Origin, Recipe, UrlArchive};
use crate::package::{Event, Events, Registries};
use crate::platform::Platform;
use crate::redact;

/// A request to add a toolchain to a lock.
pub struct Add<'a> {
    /// The store that gets packages and images.
    pub store: &'a ContentStore,
    /// The catalogue, whose toolchains can't be added.
    pub catalogue: &'a Catalogue,
    /// The name of the toolchain.
    pub name: &'a str,
    /// The toolchain's version. If `None`, it is taken from the name of the file.
    pub version: Option<&'a str>,
    /// The platform that the toolchain runs on.
    pub platform: Platform,
    /// The place from which the toolchain is taken.
    pub from: AddFrom,
    /// The settings by which registries are reached.
    pub registries: &'a Registries,
    /// The receiver of events, which may also stop the work.
    pub events: &'a dyn Events,
}

/// The place from which an added toolchain is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddFrom {
    /// A folder or an archive on this machine. Its path is absolute or relative to the registries' folder.
    Path(String),
    /// An archive at a URL.
    Url {
        /// The URL, with the scheme `https`, `http` or `file`.
        url: String,
        /// The SHA-256 that the archive must have, in hexadecimal. If `None`, the archive that comes is
        /// pinned.
        sha256: Option<String>,
    },
}

/// The reason why a toolchain can't be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The text can't be a toolchain's name.
    #[error("`{0}` is no name for a toolchain: lower-case letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// The text can't be a version.
    #[error("`{0}` is no version: letters, digits and `.-+_~:`")]
    Version(String),
    /// The catalogue already has a toolchain of this name.
    #[error("toolchain `{0}` is in the catalogue")]
    InCatalogue(String),
    /// The URL contains credentials, which would be written into the lock.
    #[error(
        "the URL has a user, a password or a token in it, which would stand in the lock for everyone"
    )]
    Credentials,
    /// The text is not a SHA-256.
    #[error("`{0}` is no SHA-256 (64 lower-case hexadecimal digits)")]
    Checksum(String),
    /// The file or folder does not exist.
    #[error("there is no `{0}`")]
    NotThere(String),
    /// The archive or folder contains no file.
    #[error("there is no file in `{0}`")]
    Empty(String),
    /// The lock has another checksum for the archive.
    #[error("`{name}` {version} has the checksum {actual}, the lock says {expected}")]
    ChecksumMismatch {
        /// The toolchain's name.
        name: String,
        /// Its version.
        version: String,
        /// The checksum in the lock.
        expected: Checksum,
        /// The checksum of the archive that came.
        actual: Checksum,
    },
    /// The toolchain can't be fetched or unpacked.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AddError {
    /// Returns true if other bytes came than were asked for.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        match self {
            Self::ChecksumMismatch { .. } => true,
            Self::Image(ImageError::Source(source)) => source.is_mismatch(),
            _ => false,
        }
    }

    /// Returns true if the work was stopped because the user wanted it.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Image(ImageError::Source(source)) if source.is_cancelled())
    }

    /// Returns true if the request itself is invalid, whatever is on the machine.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::ChecksumMismatch { .. } | Self::Image(_) | Self::Store(_))
    }
}

impl Add<'_> {
    /// Fetches and unpacks the toolchain, and returns the lock that pins it. What was added under that name
    /// before is replaced, but an image for another platform stays if the version is the same. Blocks until
    /// all is done.
    ///
    /// # Errors
    /// See [`AddError`].
    pub fn run(&self, lock: Option<&Lock>) -> Result<Lock, AddError> {
        self.check()?;
        let session = Session::new(self.store, self.registries, self.events)?;
        let recipe = added::recipe(self.name, &self.version()?, self.platform, self.origin());
        self.events.event(Event::Resolving {
            toolchain: self.name,
            version: &recipe.version,
            platform: self.platform,
        });
        let packages = image::resolve_packages(&session, &recipe, &[]).map_err(ImageError::from)?;
        self.check_written_by_hand(lock, &recipe, &packages)?;
        let made = image::make(&session, &recipe, &packages)?;
        let tree = self.store.tree(&made.stored)?.filter(|tree| !tree.entries.is_empty());
        let tree = tree.ok_or_else(|| AddError::Empty(self.place().to_owned()))?;
        self.warn_of_loaders(&tree)?;
        let image = Image {
            toolchain: self.name.to_owned(),
            platform: self.platform,
            recipe: added::mark(),
            tree: made.locked,
        };
        Ok(self.replaced(lock, &recipe, image, packages))
    }

    /// Compares the archive with a checksum that the user wrote into the lock together with the toolchain's
    /// name. Such a lock has no image yet. A folder has no such checksum.
    fn check_written_by_hand(
        &self,
        lock: Option<&Lock>,
        recipe: &Recipe,
        packages: &[super::Package],
    ) -> Result<(), AddError> {
        let version = &recipe.version;
        let expected = lock.and_then(|lock| lock.written_checksum(self.name, version));
        let file = packages.iter().find(|package| matches!(package.pin, Pin::File(_)));
        match (expected, file.map(super::Package::checksum)) {
            (Some(expected), Some(actual)) if *expected != actual => {
                Err(AddError::ChecksumMismatch {
                    name: self.name.to_owned(),
                    version: version.clone(),
                    expected: expected.clone(),
                    actual,
                })
            }
            _ => Ok(()),
        }
    }

    /// Warns of programs that no action could start, because an added toolchain has no C library beside it.
    fn warn_of_loaders(&self, tree: &Tree) -> Result<(), StoreError> {
        let mut found = Vec::new();
        self.loaders(tree, "", &mut found)?;
        let Some((first, loader)) = found.first() else { return Ok(()) };
        let program = match found.len() {
            1 => format!("`{first}` is dynamically linked"),
            count => format!("`{first}` and {} more programs are dynamically linked", count - 1),
        };
        self.events.event(Event::Warning(&format!(
            "{program}: an action can't start such a program, as the image of `{}` has no `{loader}` and no C library; \
             add an archive whose programs are statically linked",
            self.name
        )));
        Ok(())
    }

    /// Finds the programs of a tree that need a loader. `found` gets the path of each with that of its
    /// loader.
    fn loaders(
        &self,
        tree: &Tree,
        above: &str,
        found: &mut Vec<(String, String)>,
    ) -> Result<(), StoreError> {
        for (name, entry) in &tree.entries {
            let path = format!("{above}{name}");
            match entry {
                Entry::Directory(child) => self.loaders(child, &format!("{path}/"), found)?,
                Entry::File { digest, executable: true } => {
                    let bytes = self.store.get(digest)?.unwrap_or_default();
                    found.extend(elf::loader(&bytes).map(|loader| (path, loader.to_owned())));
                }
                Entry::File { .. } | Entry::Symlink { .. } | Entry::Subtree(_) => {}
            }
        }
        Ok(())
    }

    fn replaced(
        &self,
        lock: Option<&Lock>,
        recipe: &Recipe,
        image: Image,
        packages: Vec<super::Package>,
    ) -> Lock {
        let mut lock = lock.cloned().unwrap_or_default();
        if !lock.is_added(self.name) {
            lock.remove(self.name);
        }
        lock.set(recipe, image, packages);
        lock
    }

    fn check(&self) -> Result<(), AddError> {
        if !is_name(self.name) {
            return Err(AddError::Name(self.name.to_owned()));
        }
        if self.catalogue.toolchain(self.name).is_ok() {
            return Err(AddError::InCatalogue(self.name.to_owned()));
        }
        match &self.from {
            AddFrom::Path(path) => match self.registries.folder.join(path).exists() {
                true => Ok(()),
                false => Err(AddError::NotThere(path.clone())),
            },
            AddFrom::Url { url, .. } if redact::has_credentials(url) => Err(AddError::Credentials),
            AddFrom::Url { sha256: Some(sha256), .. } if !is_sha256(sha256) => {
                Err(AddError::Checksum(sha256.clone()))
            }
            AddFrom::Url { .. } => Ok(()),
        }
    }

    fn version(&self) -> Result<String, AddError> {
        let Some(version) = self.version else {
            let file = Path::new(self.place()).file_name().unwrap_or_default().to_string_lossy();
            return Ok(version_in(&file).unwrap_or("unversioned").to_owned());
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-+_~:".contains(c);
        match !version.is_empty() && version.chars().all(fits) {
            true => Ok(version.to_owned()),
            false => Err(AddError::Version(version.to_owned())),
        }
    }

    fn origin(&self) -> Origin {
        match self.from.clone() {
            AddFrom::Path(path) => Origin::Path(LocalPath { path }),
            AddFrom::Url { url, sha256 } => Origin::Url(UrlArchive { url, sha256 }),
        }
    }

    fn place(&self) -> &str {
        match &self.from {
            AddFrom::Path(path) => path,
            AddFrom::Url { url, .. } => url.split(['?', '#']).next().unwrap_or(url),
        }
    }
}

/// Returns true if the name can be that of a toolchain. It also becomes the name of a folder.
fn is_name(name: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(lower) && name.chars().all(|c| lower(c) || "-_.".contains(c))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Returns the first part of a file's name that looks like a version: numbers with dots between them.
fn version_in(file: &str) -> Option<&str> {
    let mut rest = file;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let number = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest[start..].find(|c| !number(c)).map_or(rest.len(), |length| start + length);
        let found = rest[start..end].trim_end_matches('.');
        if found.contains('.') && !found.contains("..") {
            return Some(found);
        }
        rest = &rest[end..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_names_of_files() {
        let check = |file: &str, expect: Option<&str>| assert_eq!(version_in(file), expect);
        check("tinygo0.35.0.linux-amd64.tar.gz", Some("0.35.0"));
        check("zig-linux-x86_64-0.13.0.tar.xz", Some("0.13.0"));
        check("node-v20.11.1-linux-x64", Some("20.11.1"));
        check("tool", None);
        check("tool-64.zip", None);
        check("tool-64..2.zip", None);
    }

    #[test]
    fn names_are_those_of_folders() {
        for name in ["tinygo", "wasi-sdk_2.0", "7z"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "..", "-x", "a/b", "TinyGo", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
