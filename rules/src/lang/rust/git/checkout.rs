//! Gets the files of a commit with those of its submodules, and keeps them by the commit.
//!
//! The name of a commit is the hash of everything in it, also of the commits of its submodules. So it pins the files,
//! wherever they come from.

use cache::{Digest, Entry, StoreError, Tree, TreeError};
use engine::{BuiltinContext, BuiltinError};
use reqwest::Url;

use super::locked::LockedRepository;
use crate::package::git::{Commit, Git, GitError, Submodule};
use crate::package::unpack::{Format, Limits, Naming, Placement, Unpacker};
use crate::package::{ClientError, Registries, Shelf, UnpackError};
use crate::redact::mask_urls;

/// The shelf of commits, with their submodules.
const SHELF: Shelf = Shelf::new("cargo-git 1");

/// The deepest nesting of submodules.
const DEEPEST: usize = 10;

/// Commits that are fetched, or are here already.
pub(super) struct Checkouts<'a> {
    pub(super) cx: &'a BuiltinContext,
    pub(super) registries: &'a Registries,
}

/// An error for which the files of a commit could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckoutError {
    #[error("cancelled")]
    Cancelled,
    #[error("it is not on this machine, and this build is offline; build once without `--offline`")]
    Offline,
    #[error("git could not fetch it; check that you can fetch it with `git fetch {url} {commit}`")]
    Git { url: String, commit: String, source: Box<GitError> },
    #[error(
        "the repository has no such commit; if it was removed there, have Cargo.lock name another one by \
         `cargo update -p` with the name of the crate"
    )]
    NoCommit,
    #[error("it can't be unpacked")]
    Unpack(#[source] Box<UnpackError>),
    #[error("submodules lie inside each other more than {DEEPEST} times")]
    TooDeep,
    #[error("the address `{0}` of a submodule can't be used")]
    Address(String),
    #[error("submodule `{path}` at commit {commit}")]
    Submodule { path: String, commit: String, source: Box<Self> },
    #[error("its files can't stand side by side")]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CheckoutError {
    /// Makes the error of the action. `told` says which repository it was.
    pub(super) fn ends(self, told: impl FnOnce(Self) -> BuiltinError) -> BuiltinError {
        match self.innermost() {
            Self::Cancelled => BuiltinError::Cancelled,
            Self::Store(StoreError::Missing(digest)) => BuiltinError::Missing(*digest),
            _ => told(self),
        }
    }

    /// Returns true if trying again may help.
    pub(super) fn is_of_the_network(&self) -> bool {
        matches!(self.innermost(), Self::Git { .. } | Self::Store(_))
    }

    fn innermost(&self) -> &Self {
        match self {
            Self::Submodule { source, .. } => source.innermost(),
            other => other,
        }
    }
}

impl Checkouts<'_> {
    /// Returns the tree of a locked commit.
    pub(super) fn tree(&self, locked: &LockedRepository) -> Result<Digest, CheckoutError> {
        self.at(&locked.url, &locked.commit, 0)
    }

    fn at(&self, url: &str, commit: &str, depth: usize) -> Result<Digest, CheckoutError> {
        let store = self.cx.store();
        if let Some(tree) = SHELF.find(store, commit)? {
            return Ok(tree);
        }
        if self.registries.network.offline {
            return Err(CheckoutError::Offline);
        }
        if depth > DEEPEST {
            return Err(CheckoutError::TooDeep);
        }
        self.cx.status(format!("git fetch {}", mask_urls(url)));
        let Commit { archive, submodules } = self.fetch(url, commit)?;
        let mut tree = self.unpack(&archive)?;
        for submodule in submodules {
            let Submodule { path, url: address, commit } = submodule;
            let inner = absolute(url, &address);
            let inner = inner.ok_or(CheckoutError::Address(mask_urls(&address).into_owned()));
            let inner = inner.and_then(|url| self.at(&url, &commit, depth + 1));
            let inner = inner.map_err(|source| {
                let (path, source) = (path.clone(), Box::new(source));
                CheckoutError::Submodule { path, commit, source }
            })?;
            tree.insert(&path, Entry::Subtree(inner))?;
        }
        let digest = store.put_tree(&tree)?;
        SHELF.keep(store, commit, digest)?;
        Ok(digest)
    }

    fn fetch(&self, url: &str, commit: &str) -> Result<Commit, CheckoutError> {
        let cancelled = || self.cx.cancelled();
        let store = self.cx.store();
        let git = Git { registries: self.registries, store, cancelled: &cancelled };
        git.commit(url, commit).map_err(|source| {
            let url = mask_urls(url).into_owned();
            match source {
                GitError::Client(ClientError::Cancelled) => CheckoutError::Cancelled,
                GitError::Store(error) => CheckoutError::Store(error),
                GitError::NoCommit(_) => CheckoutError::NoCommit,
                source => {
                    let (commit, source) = (commit.to_owned(), Box::new(source));
                    CheckoutError::Git { url, commit, source }
                }
            }
        })
    }

    fn unpack(&self, archive: &[u8]) -> Result<Tree, CheckoutError> {
        let (placement, limits) = (Placement::plain(), Limits::default());
        let (store, cancelled) = (self.cx.store(), || self.cx.cancelled());
        let unpacker = Unpacker { store, placement: &placement, limits, cancelled: &cancelled };
        let contents = unpacker.archive(Format::Tar, archive).map_err(|error| match error {
            UnpackError::Cancelled => CheckoutError::Cancelled,
            error => CheckoutError::Unpack(Box::new(error)),
        })?;
        let mut tree = Tree::default();
        contents.add_to(&mut tree, Naming::Stored)?;
        Ok(tree)
    }
}

/// Returns the address of a submodule. One that begins with `./` or `../` is relative to the address of the repository,
/// as if that were a folder (git-submodule(1)).
fn absolute(url: &str, address: &str) -> Option<String> {
    if !["./", "../"].iter().any(|start| address.starts_with(start)) {
        return Some(address.to_owned());
    }
    let mut base = Url::parse(url).ok()?;
    let folder = format!("{}/", base.path().trim_end_matches('/'));
    base.set_path(&folder);
    Some(base.join(address).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submodules_are_found_beside_their_repository() {
        let check = |url: &str, address: &str, expect: Option<&str>| {
            assert_eq!(absolute(url, address).as_deref(), expect, "{url} {address}");
        };
        check("https://h/a/b.git", "../c.git", Some("https://h/a/c.git"));
        check("https://h/a/b/", "./c", Some("https://h/a/b/c"));
        check("ssh://git@h/a/b", "../../c/d", Some("ssh://git@h/c/d"));
        check("https://h/a", "git@h:c", Some("git@h:c"));
        check("git@h:a", "../c", None);
    }
}
