//! `run toolchain add`: pins a toolchain of the user's own in the lock.

use std::path::Path;

use cache::{DiskStore, StoreError};

use super::added;
use super::image::{self, ImageError};
use super::lock::{Image, Lock};
use super::source::Session;
use super::{
    Catalogue, Event, Events, LocalPath, Origin, Platform, Recipe, Registries, UrlArchive,
};
use crate::redact;

/// A toolchain to be added to a lock.
pub struct Add<'a> {
    /// Where packages and images go.
    pub store: &'a DiskStore,
    /// What can be had without adding it.
    pub catalogue: &'a Catalogue,
    /// What it is to be called.
    pub name: &'a str,
    /// Its version; if none is given, the one in the name of its file.
    pub version: Option<&'a str>,
    /// The platform it runs on.
    pub platform: Platform,
    /// Where it is.
    pub from: AddFrom,
    /// How registries are reached.
    pub registries: &'a Registries,
    /// Who is told, and asked whether to stop.
    pub events: &'a dyn Events,
}

/// Where an added toolchain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddFrom {
    /// A folder or an archive on this machine, relative to the registries' folder or absolute.
    Path(String),
    /// An archive at a URL.
    Url {
        /// `https:`, `http:` or `file:`.
        url: String,
        /// What its SHA-256 has to be, in hexadecimal. If none is given, what comes is pinned.
        sha256: Option<String>,
    },
}

/// Why a toolchain can't be added.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// The name can't be one.
    #[error("`{0}` is no name for a toolchain: lower-case letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// The version can't be one.
    #[error("`{0}` is no version: letters, digits and `.-+_~:`")]
    Version(String),
    /// The catalogue has it.
    #[error("toolchain `{0}` is in the catalogue")]
    InCatalogue(String),
    /// The URL holds a password, which would stand in the lock.
    #[error(
        "the URL has a user, a password or a token in it, which would stand in the lock for everyone"
    )]
    Credentials,
    /// The checksum is none.
    #[error("`{0}` is no SHA-256 (64 lower-case hexadecimal digits)")]
    Checksum(String),
    /// There is no such file or folder.
    #[error("there is no `{0}`")]
    NotThere(String),
    /// There is nothing in it.
    #[error("there is no file in `{0}`")]
    Empty(String),
    /// It can't be had or unpacked.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AddError {
    /// Whether other bytes came than were asked for.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        matches!(self, Self::Image(ImageError::Source(source)) if source.is_mismatch())
    }

    /// Whether it only stopped because the user wanted it to.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Image(ImageError::Source(source)) if source.is_cancelled())
    }

    /// Whether the request makes no sense, whatever the machine has.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Image(_) | Self::Store(_))
    }
}

impl Add<'_> {
    /// Fetches and unpacks it, and gives the lock that pins it. What was added under that name
    /// before is replaced; an image for another platform stays if the version is the same. Blocks.
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
        let made = image::make(&session, &recipe, &packages)?;
        if self.store.tree(&made.stored)?.is_none_or(|tree| tree.entries.is_empty()) {
            return Err(AddError::Empty(self.place().to_owned()));
        }
        let image = Image {
            toolchain: self.name.to_owned(),
            platform: self.platform,
            recipe: added::mark(),
            tree: made.locked,
        };
        Ok(self.replaced(lock, &recipe, image, packages))
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

/// The name becomes that of a folder.
fn is_name(name: &str) -> bool {
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(lower) && name.chars().all(|c| lower(c) || "-_.".contains(c))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The first thing in a file's name that looks like a version: numbers with dots between.
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
