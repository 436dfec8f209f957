//! The two parts of a module that have a checksum, and how the store keeps them.
//!
//! Each part is kept once per checksum, whatever project asks for it.

use cache::{ContentStore, Digest, Entry, Tree};
use engine::BuiltinError;

use crate::lang::go::manifest::Version;
use crate::lang::go::sums;
use crate::package::unpack::module_zip;
use crate::package::{Shelf, UnpackError};

/// A part of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The zip with all files of the module.
    Zip,
    /// The go.mod of the module.
    Manifest,
}

/// A part of a module, with its checksum in go.sum.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) module: Version,
    pub(super) part: Part,
    pub(super) sum: String,
}

/// An error for which a part can't be kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("{what} has checksum {found}, but go.sum pins {pinned}")]
    Mismatch { what: String, pinned: String, found: String },
    #[error("module {module} can't be unpacked")]
    Unpack { module: Version, source: UnpackError },
}

/// The name of the one file in the tree of a [`Part::Manifest`].
pub(super) const MANIFEST: &str = "go.mod";

impl Part {
    /// Returns the shelf on which such parts are kept, by module and checksum.
    const fn shelf(self) -> Shelf {
        match self {
            Self::Zip => Shelf::new("go-module 1"),
            Self::Manifest => Shelf::new("go-manifest 1"),
        }
    }

    /// Returns the largest size of the part in bytes (golang.org/x/mod/zip).
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Zip => sums::MAX_ZIP,
            Self::Manifest => 16 << 20,
        }
    }

    /// Returns the name of the part in messages.
    pub(super) fn of(self, module: &Version) -> String {
        match self {
            Self::Zip => module.to_string(),
            Self::Manifest => format!("the go.mod of {module}"),
        }
    }
}

impl Wanted {
    /// Returns the tree of the part, if the store has all of it.
    pub(super) fn kept(&self, store: &ContentStore) -> Result<Option<Digest>, BuiltinError> {
        Ok(self.part.shelf().find(store, &self.pin())?)
    }

    fn pin(&self) -> String {
        format!("{} {}", self.module, self.sum)
    }

    /// Holds bytes against the checksum of go.sum.
    ///
    /// # Errors
    /// They are not the pinned ones.
    pub(super) fn judge(
        &self,
        bytes: &[u8],
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), BuiltinError> {
        let found = self.checksum(bytes, cancelled).map_err(|error| match cancelled() {
            true => BuiltinError::Cancelled,
            false => BuiltinError::mismatch(&self.damaged(UnpackError::Damaged(error))),
        })?;
        if found == self.sum {
            return Ok(());
        }
        let (what, pinned) = (self.part.of(&self.module), self.sum.clone());
        Err(BuiltinError::mismatch(&KeepError::Mismatch { what, pinned, found }))
    }

    /// Keeps bytes that are the pinned ones.
    ///
    /// # Errors
    /// They can't be unpacked, or the store failed.
    pub(super) fn keep(
        &self,
        store: &ContentStore,
        bytes: &[u8],
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), BuiltinError> {
        let tree = match self.part {
            Part::Zip => {
                let top = self.module.to_string();
                let told = |source| BuiltinError::failed(&self.damaged(source));
                module_zip(store, bytes, &top, cancelled).map_err(|error| error.ends(told))?
            }
            Part::Manifest => {
                let entry = Entry::File { digest: store.put(bytes)?, executable: false };
                let mut tree = Tree::default();
                tree.entries.insert(MANIFEST.to_owned(), entry);
                tree
            }
        };
        let digest = store.put_tree(&tree)?;
        Ok(self.part.shelf().keep(store, &self.pin(), digest)?)
    }

    fn damaged(&self, source: UnpackError) -> KeepError {
        KeepError::Unpack { module: self.module.clone(), source }
    }

    fn checksum(&self, bytes: &[u8], cancelled: &dyn Fn() -> bool) -> std::io::Result<String> {
        match self.part {
            Part::Zip => sums::of_zip(bytes, cancelled),
            Part::Manifest => Ok(sums::of_manifest(bytes)),
        }
    }
}

/// Returns a path as the module cache spells it: an upper-case letter becomes `!` and the lower-case letter.
pub(super) fn escaped(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            text.push('!');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_escaped() {
        assert_eq!(escaped("github.com/BurntSushi/toml"), "github.com/!burnt!sushi/toml");
    }
}
