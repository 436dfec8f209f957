//! Fetches the package of a `{ git = … }` dependency, with the user's own git.
//!
//! The package is a WIT package, as text or in binary form, or a component. Of a folder only the files of WIT count, so that
//! an edit of anything else in the repository changes no key.

use std::collections::BTreeMap;
use std::io::Read as _;

use cache::ContentStore;

use super::Archive;
use crate::manifest::GitReference;
use crate::package::Registries;
use crate::package::git::{Git, GitError};
use crate::redact::mask_urls;

/// A package in a repository.
#[derive(Clone, Copy, Debug)]
pub struct Repository<'a> {
    /// The address of the repository.
    pub url: &'a str,
    /// The folder or file of the package in it; the root if there is none.
    pub path: Option<&'a str>,
}

/// A package that was fetched from a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The full hash of the commit.
    pub commit: String,
    /// The package as one blob: a `.wasm` file, or an [`Archive`].
    pub blob: Vec<u8>,
}

/// The reason why a repository does not give a package.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Git did not give the commit.
    #[error("git did not give {reference} of {url}")]
    Git {
        /// The address of the repository, without a login.
        url: String,
        /// The commit, branch or tag that was asked for.
        reference: String,
        /// The error of git.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A commit is named by a part of its hash.
    #[error(
        "`{0}` is a part of the hash of a commit: write the whole hash, because no server gives a commit by a part"
    )]
    ShortHash(String),
    /// The commit can't be read.
    #[error("what git gave of {url} can't be read")]
    Damaged {
        /// The address of the repository.
        url: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The commit has no package there.
    #[error("{url} has neither a .wit file nor a .wasm file at `{path}` in commit {commit}")]
    NoPackage {
        /// The address of the repository.
        url: String,
        /// The folder or file in the repository.
        path: String,
        /// The commit.
        commit: String,
    },
}

impl Repository<'_> {
    /// Fetches the package of a commit, a branch or a tag; that of the default branch if there is no `reference`.
    ///
    /// # Errors
    /// See [`RepositoryError`].
    pub fn fetch(
        &self,
        reference: Option<&GitReference>,
        registries: &Registries,
        store: &ContentStore,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Checkout, RepositoryError> {
        let reference = match reference {
            None => "HEAD".to_owned(),
            Some(GitReference::Rev(rev)) if !matches!(rev.len(), 40 | 64) => {
                return Err(RepositoryError::ShortHash(rev.clone()));
            }
            Some(GitReference::Rev(rev)) => rev.clone(),
            Some(GitReference::Branch(branch)) => format!("refs/heads/{branch}"),
            Some(GitReference::Tag(tag)) => format!("refs/tags/{tag}"),
        };
        let failed = |source: GitError| RepositoryError::Git {
            url: mask_urls(self.url).into_owned(),
            reference: reference.clone(),
            source: Box::new(source),
        };
        let git = Git { registries, store, cancelled };
        let tar = git.archive(self.url, &reference).map_err(failed)?;
        let (commit, files) = self.read(&tar)?;
        let blob = self.package(files, &commit)?;
        Ok(Checkout { commit, blob })
    }

    /// Reads the commit's hash, which git writes into the archive, and the files at or below the path.
    fn read(&self, tar: &[u8]) -> Result<(String, BTreeMap<String, Vec<u8>>), RepositoryError> {
        let url = || mask_urls(self.url).into_owned();
        let damaged = |source| RepositoryError::Damaged { url: url(), source };
        let (mut commit, mut files) = (String::new(), BTreeMap::new());
        for entry in tar::Archive::new(tar).entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if kind == tar::EntryType::XGlobalHeader {
                let mut text = String::new();
                entry.read_to_string(&mut text).map_err(damaged)?;
                if let Some((_, hash)) = text.trim_end().split_once(" comment=") {
                    commit = hash.to_owned();
                }
                continue;
            }
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let Some(path) = self.below(&path).filter(|_| kind == tar::EntryType::Regular) else {
                continue;
            };
            if path.ends_with(".wit") || path.ends_with(".wasm") {
                let mut content = Vec::new();
                entry.read_to_end(&mut content).map_err(damaged)?;
                files.insert(path, content);
            }
        }
        Ok((commit, files))
    }

    /// Returns the path of a file below that of the package, or its name if the package is that file.
    fn below(&self, path: &str) -> Option<String> {
        let Some(top) = self.path else { return Some(path.to_owned()) };
        let rest = path.strip_prefix(top)?;
        match rest.strip_prefix('/') {
            Some(rest) => Some(rest.to_owned()),
            None if rest.is_empty() => path.rsplit('/').next().map(ToOwned::to_owned),
            None => None,
        }
    }

    /// Makes one blob of the files of the package: those of the folder itself, or of its `wit/` if it has none, with their
    /// `deps/`.
    fn package(
        &self,
        files: BTreeMap<String, Vec<u8>>,
        commit: &str,
    ) -> Result<Vec<u8>, RepositoryError> {
        let is_file = self.path.is_some_and(|path| path.ends_with(".wasm"));
        if is_file && let Some(bytes) = files.values().next() {
            return Ok(bytes.clone());
        }
        for folder in ["", "wit/"] {
            let inside = |path: &str| path.strip_prefix(folder).map(ToOwned::to_owned);
            let chosen: BTreeMap<String, Vec<u8>> = files
                .iter()
                .filter_map(|(path, bytes)| Some((inside(path)?, bytes)))
                .filter(|(path, _)| is_of_package(path))
                .map(|(path, bytes)| (path, bytes.clone()))
                .collect();
            if chosen.keys().any(|path| !path.contains('/')) {
                return Ok(Archive { files: chosen }.to_bytes());
            }
        }
        Err(RepositoryError::NoPackage {
            url: mask_urls(self.url).into_owned(),
            path: self.path.unwrap_or(".").to_owned(),
            commit: commit.to_owned(),
        })
    }
}

/// Returns true for `.wit` files of the folder, and for what lies in `deps/`: files, and folders of `.wit` files.
fn is_of_package(path: &str) -> bool {
    let names: Vec<&str> = path.split('/').collect();
    if names.iter().any(|name| matches!(*name, "" | "." | "..")) {
        return false;
    }
    match names.as_slice() {
        [name] => name.ends_with(".wit"),
        ["deps", _] => true,
        ["deps", _, name] => name.ends_with(".wit"),
        _ => false,
    }
}
