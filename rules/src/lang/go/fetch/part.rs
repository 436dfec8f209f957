//! The two parts of a module that have a checksum, and how the store keeps them.
//!
//! Each part is kept once per checksum, whatever project asks for it.

use cache::{Digest, DiskStore, Entry, Tree};
use engine::BuiltinError;

use crate::lang::go::manifest::Version;
use crate::lang::go::sums;
use crate::toolchain::UnpackError;
use crate::toolchain::unpack::module_zip;

/// A part of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// All its files.
    Zip,
    /// Its go.mod.
    Manifest,
}

/// A part with the checksum that go.sum has of it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) module: Version,
    pub(super) part: Part,
    pub(super) sum: String,
}

/// The reasons for which a part can't be kept.
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
    /// The number of bytes that it may have (golang.org/x/mod/zip).
    pub(super) const fn limit(self) -> u64 {
        match self {
            Self::Zip => sums::MAX_ZIP,
            Self::Manifest => 16 << 20,
        }
    }

    /// The name that messages give it.
    pub(super) fn of(self, module: &Version) -> String {
        match self {
            Self::Zip => module.to_string(),
            Self::Manifest => format!("the go.mod of {module}"),
        }
    }
}

impl Wanted {
    /// The key under which the store remembers the tree.
    fn memo(&self, store: &DiskStore) -> Digest {
        let kind = match self.part {
            Part::Zip => "go-module 1",
            Part::Manifest => "go-manifest 1",
        };
        Digest::of(store.function(), format!("{kind} {} {}", self.module, self.sum).as_bytes())
    }

    /// The tree, if the store has it whole.
    pub(super) fn kept(&self, store: &DiskStore) -> Result<Option<Digest>, BuiltinError> {
        let Some(tree) = crate::memo::tree(store, &self.memo(store))? else { return Ok(None) };
        Ok(store.contains_tree(&tree)?.then_some(tree))
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
        store: &DiskStore,
        bytes: &[u8],
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), BuiltinError> {
        let tree = match self.part {
            Part::Zip => {
                let top = self.module.to_string();
                module_zip(store, bytes, &top, cancelled).map_err(|source| match source {
                    UnpackError::Cancelled => BuiltinError::Cancelled,
                    source => BuiltinError::failed(&self.damaged(source)),
                })?
            }
            Part::Manifest => {
                let entry = Entry::File { digest: store.put(bytes)?, executable: false };
                let mut tree = Tree::default();
                tree.entries.insert(MANIFEST.to_owned(), entry);
                tree
            }
        };
        let digest = store.put_tree(&tree)?;
        Ok(crate::memo::remember_tree(store, &self.memo(store), &digest)?)
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

/// A path as the module cache spells it: an upper-case letter is `!` and the lower-case one.
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
