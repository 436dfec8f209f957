//! Lays repositories out for Cargo, which lists what it would compile of them.
//!
//! A folder stands in for each source of Cargo.lock, as a directory source of Cargo (the Cargo reference, "Source
//! Replacement"). In it, a link leads to each locked package, so that Cargo finds everything around the package. Only
//! two things of the commit are changed: there is a list of checksums in each package, which Cargo asks for, and the
//! manifest of a package that takes something from a workspace says where that is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use cache::{ContentStore, Digest, Entry, Tree, TreeError};
use toml_edit::{DocumentMut, value};

use super::locked::{LockedRepository, toml_text};
use super::packages::Found;
use super::places::Places;
use crate::path::ProjectPath;

/// The folder in which Cargo sees the repositories, and units see the commits.
pub(in crate::lang::rust) const GIT: &str = "deps/git";
/// The folder below with a folder for each source.
const SOURCES: &str = "sources";
/// The way from a package that is listed to the folder of all commits.
const UP: &str = "../../..";
/// The list of checksums that Cargo asks for in a package. None is needed.
const CHECKSUMS: &str = "{\"files\":{}}";

/// The repositories, as they are laid out for Cargo.
pub(super) struct Listing<'a> {
    store: &'a ContentStore,
    commits: BTreeMap<String, Tree>,
    sources: Tree,
    places: Places,
}

/// An error for which a package can't be laid out.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    #[error("the manifest in `{folder}` can't be read")]
    Manifest { folder: ProjectPath, source: toml_edit::TomlError },
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Store(#[from] cache::StoreError),
    #[error("the store has lost a manifest")]
    Lost(Digest),
}

impl<'a> Listing<'a> {
    pub(super) fn new(store: &'a ContentStore) -> Self {
        let (commits, sources, places) = (BTreeMap::new(), Tree::default(), Places::default());
        Self { store, commits, sources, places }
    }

    /// Adds the source with this number. `files` are those of its commit, and `packages` the locked ones of them, by
    /// name and version.
    pub(super) fn add(
        &mut self,
        number: usize,
        commit: &str,
        files: Tree,
        packages: BTreeMap<(String, String), Found>,
    ) -> Result<(), ListingError> {
        let laid_out = self.commits.entry(commit.to_owned()).or_insert(files);
        let checksums = self.store.put(CHECKSUMS.as_bytes())?;
        for ((name, version), Found { folder, workspace }) in packages {
            let here = folder_of(laid_out, &folder);
            let entry = Entry::File { digest: checksums, executable: false };
            here.entries.insert(".cargo-checksum.json".to_owned(), entry);
            if let Some(root) = workspace {
                let root = below(&format!("{UP}/{commit}"), &root);
                name_workspace(self.store, here, &folder, &root)?;
            }
            let package = format!("{SOURCES}/{number}/{name}-{version}");
            let target = below(&format!("../../{commit}"), &folder);
            self.sources.insert(&package, Entry::Symlink { target })?;
            let real = below(&format!("/{GIT}/{commit}"), &folder);
            self.places.0.insert(format!("/{GIT}/{package}"), real);
        }
        Ok(())
    }

    /// Returns the tree that Cargo sees, with its configuration in `config.toml`, and the places of the packages.
    pub(super) fn finish(
        self,
        repositories: &[LockedRepository],
    ) -> Result<(Digest, Places), ListingError> {
        let mut tree = self.sources;
        let config = configuration(repositories, Path::new(&format!("/{GIT}")));
        let digest = self.store.put(config.as_bytes())?;
        tree.insert("config.toml", Entry::File { digest, executable: false })?;
        for (commit, files) in self.commits {
            tree.insert(&commit, Entry::Directory(files))?;
        }
        Ok((self.store.put_tree(&tree)?, self.places))
    }
}

/// Returns Cargo's configuration that replaces every repository by a folder of the listing, which is at `listing`.
pub(in crate::lang::rust) fn configuration(
    repositories: &[LockedRepository],
    listing: &Path,
) -> String {
    let mut text = String::new();
    for (number, repository) in repositories.iter().enumerate() {
        let folder = listing.join(SOURCES).join(number.to_string());
        // No configuration of a checkout has these names by chance.
        let _ = write!(
            text,
            "[source.run-git-folder-{number}]\ndirectory = {}\n\
             [source.run-git-{number}]\nreplace-with = \"run-git-folder-{number}\"\ngit = {}\n{}",
            toml_text(&folder.to_string_lossy()),
            toml_text(&repository.url),
            repository.reference.toml()
        );
    }
    text
}

/// Returns the folder of a package, which was found in the tree.
fn folder_of<'t>(tree: &'t mut Tree, folder: &ProjectPath) -> &'t mut Tree {
    folder.parts().fold(tree, |tree, name| match tree.entries.get_mut(name) {
        Some(Entry::Directory(inner)) => inner,
        _ => panic!("BUG: a package was found in `{folder}`, which is no folder"),
    })
}

/// Has the manifest in `here` say where its workspace is.
fn name_workspace(
    store: &ContentStore,
    here: &mut Tree,
    folder: &ProjectPath,
    root: &str,
) -> Result<(), ListingError> {
    let Some(Entry::File { digest, .. }) = here.entries.get_mut("Cargo.toml") else {
        panic!("BUG: a package was found in `{folder}`, which has no manifest");
    };
    let bytes = store.get(digest)?.ok_or(ListingError::Lost(*digest))?;
    let mut manifest: DocumentMut = String::from_utf8_lossy(&bytes)
        .parse()
        .map_err(|source| ListingError::Manifest { folder: folder.clone(), source })?;
    manifest["package"]["workspace"] = value(root);
    *digest = store.put(manifest.to_string().as_bytes())?;
    Ok(())
}

fn below(start: &str, folder: &ProjectPath) -> String {
    if folder.is_root() { start.to_owned() } else { format!("{start}/{folder}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repository_is_replaced() {
        let commit = "583592f399af0ffc66420bf80c9184730c4379ac";
        let locked =
            |source: &str| LockedRepository::parse(&format!("git+{source}#{commit}"), 1).unwrap();
        let both = [locked("https://h/a"), locked("file:///b?branch=x%22y")];
        assert_eq!(
            configuration(&both, Path::new("/deps/git")),
            "[source.run-git-folder-0]\ndirectory = \"/deps/git/sources/0\"\n\
             [source.run-git-0]\nreplace-with = \"run-git-folder-0\"\ngit = \"https://h/a\"\n\
             [source.run-git-folder-1]\ndirectory = \"/deps/git/sources/1\"\n\
             [source.run-git-1]\nreplace-with = \"run-git-folder-1\"\ngit = \"file:///b\"\nbranch = 'x\"y'\n"
        );
    }
}
