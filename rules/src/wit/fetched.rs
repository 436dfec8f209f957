//! Reads the packages that were fetched for a project, from the store.
//!
//! A package is a tree: a WIT package or a component as one `.wasm` file, or the `.wit` files of a folder with those below
//! `deps/`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cache::{ContentStore, Digest, Entry, StoreError, Tree};
use engine::BuiltinError;
use wit_parser::PackageName;

use super::binary::{Binary, Top};
use super::description::{Description, PackageKind};
use super::source::{Loaded, PackageSource, SourceError, TextFile};
use crate::worker::{ErrandError, Refused};

/// The name of the file that a package of a registry is.
pub(crate) const PACKAGE_FILE: &str = "package.wasm";

/// The reason why a package in the store can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchedError {
    #[error(transparent)]
    Store(#[from] BuiltinError),
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl From<FetchedError> for ErrandError {
    fn from(error: FetchedError) -> Self {
        match error {
            FetchedError::Store(error) => Self::Builtin(error),
            FetchedError::Source(error) => Self::Wit(Refused::of(&error)),
        }
    }
}

/// Reads a package. `origin` is its name in messages.
pub(super) fn read(
    store: &ContentStore,
    tree: &Digest,
    origin: &str,
) -> Result<Loaded, FetchedError> {
    let files = files(store, tree)?;
    if let Some(bytes) = files.get(PACKAGE_FILE) {
        let origin = Path::new(origin);
        return Ok(Binary::decode(bytes, origin)?.load(origin)?);
    }
    let mut groups: BTreeMap<String, Vec<TextFile>> = BTreeMap::new();
    let mut others = Vec::new();
    for (path, bytes) in files {
        let place = PathBuf::from(format!("{origin}: {path}"));
        if path.ends_with(".wasm") {
            others.extend(Binary::decode(&bytes, &place)?.load(&place)?.into_all());
            continue;
        }
        let not_text = |_| SourceError::NotText { path: place.clone() };
        let text = String::from_utf8(bytes).map_err(not_text)?;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        // A file directly below `deps/` is a package of its own.
        let group = if folder == "deps" { path.as_str() } else { folder };
        let file = TextFile::new(name, place.display().to_string(), Cow::Owned(text));
        groups.entry(group.to_owned()).or_default().push(file);
    }
    let unnamed = || SourceError::Unnamed { path: origin.into() };
    let package = groups.remove("").and_then(PackageSource::new).ok_or_else(unnamed)?;
    for group in groups.into_values() {
        others.push(PackageSource::new(group).ok_or_else(unnamed)?);
    }
    Ok(Loaded { package: Some(package), others })
}

/// Finds out what the package of a tree is.
pub(crate) fn describe(store: &ContentStore, tree: &Digest) -> Result<Description, ErrandError> {
    Ok(described(store, tree)?)
}

fn described(store: &ContentStore, tree: &Digest) -> Result<Description, FetchedError> {
    const ORIGIN: &str = "the package";
    let binary = files(store, tree)?.remove(PACKAGE_FILE);
    let Some(bytes) = binary else {
        let Loaded { package, others } = read(store, tree, ORIGIN)?;
        return Ok(of_texts(package.as_ref(), &others));
    };
    let binary = Binary::decode(&bytes, Path::new(ORIGIN))?;
    let Top::Component(world) = binary.top else {
        // A binary has of other packages only what it uses, so it does not count as having them.
        let Loaded { package, .. } = binary.load(Path::new(ORIGIN))?;
        return Ok(of_texts(package.as_ref(), &[]));
    };
    let world = &binary.resolve.worlds[world];
    let name = |key| binary.resolve.name_world_key(key);
    Ok(Description {
        kind: PackageKind::Component,
        name: None,
        version: None,
        refers_to: Vec::new(),
        features: Vec::new(),
        imports: world.imports.keys().map(name).collect(),
        exports: world.exports.keys().map(name).collect(),
    })
}

fn of_texts(package: Option<&PackageSource>, others: &[PackageSource]) -> Description {
    let declared: BTreeSet<&PackageName> =
        package.into_iter().chain(others).flat_map(|source| &source.declared).collect();
    let files = || package.iter().flat_map(|source| &source.files);
    let refers_to: BTreeSet<String> = files()
        .flat_map(|file| &file.scan.references)
        .filter(|reference| {
            reference.package.version.is_some() && !declared.contains(&reference.package)
        })
        .map(|reference| reference.package.to_string())
        .collect();
    let features: BTreeSet<&str> =
        files().flat_map(|file| &file.scan.gates).map(|gate| gate.feature.as_str()).collect();
    let name = package.map(PackageSource::name);
    Description {
        kind: PackageKind::Wit,
        name: name.map(|name| format!("{}:{}", name.namespace, name.name)),
        version: name.and_then(|name| name.version.as_ref()).map(ToString::to_string),
        refers_to: refers_to.into_iter().collect(),
        features: features.into_iter().map(ToOwned::to_owned).collect(),
        imports: Vec::new(),
        exports: Vec::new(),
    }
}

/// Reads all files of a package, by their path.
fn files(store: &ContentStore, tree: &Digest) -> Result<BTreeMap<String, Vec<u8>>, FetchedError> {
    let files = package_files(store, tree).map_err(BuiltinError::from)?;
    Ok(files.ok_or(BuiltinError::Missing(*tree))?)
}

/// Reads all files of a package, by their path; `None` if the store has lost a part of it.
pub(crate) fn package_files(
    store: &ContentStore,
    tree: &Digest,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, StoreError> {
    let Some(root) = store.tree(tree)? else { return Ok(None) };
    let mut found = BTreeMap::new();
    Ok(collect(store, &root, "", &mut found)?.then_some(found))
}

/// Reads the files of a folder. Tells whether all are there.
fn collect(
    store: &ContentStore,
    tree: &Tree,
    above: &str,
    found: &mut BTreeMap<String, Vec<u8>>,
) -> Result<bool, StoreError> {
    for (name, entry) in &tree.entries {
        let path = format!("{above}{name}");
        match entry {
            Entry::File { digest, .. } => {
                let Some(bytes) = store.get(digest)? else { return Ok(false) };
                found.insert(path, bytes);
            }
            Entry::Directory(tree) if !collect(store, tree, &format!("{path}/"), found)? => {
                return Ok(false);
            }
            Entry::Directory(_) | Entry::Symlink { .. } | Entry::Subtree(_) => {}
        }
    }
    Ok(true)
}
