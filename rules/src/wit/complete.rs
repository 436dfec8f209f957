//! Completes the WIT of a component: puts together the folder that tools are given, with the component's own
//! files and, below `deps/`, every package that they refer to.
//!
//! Only packages that are referred to get in, because a package that nobody uses must not change a
//! component's key. Where packages are looked for is described in `search.rs`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use cache::{ContentStore, Digest};
use engine::BuiltinError;
use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wit_parser::PackageName;

use super::fetched::{self, FetchedError};
use super::listing::{Group, Listing, load};
use super::location::Location;
use super::rewrite::{self, Features, rewritten};
use super::search::{Found, Search, Shelf};
use super::source::{Loaded, PackageSource, SourceError, TextFile};

/// The WIT of a component that is to be completed. All paths are relative to `root`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Request {
    /// The folder of the project.
    #[serde(with = "any_path")]
    pub root: PathBuf,
    /// The component's WIT: a `.wit` file or a folder of them. `None` if the component only names a world.
    pub wit: Option<PathBuf>,
    /// The entries of `[dependencies]`, by `namespace:name`. Those that were fetched are among the packages.
    pub dependencies: BTreeMap<String, Dependency>,
    /// The packages that were fetched.
    pub packages: Vec<FetchedPackage>,
    /// The features that `[dependencies]` switches on, by `namespace:name`.
    pub features: BTreeMap<String, BTreeSet<String>>,
    /// The world that the manifest names, if it names one. It may be in a package that the WIT does not refer
    /// to.
    pub world: Option<String>,
}

/// An entry of `[dependencies]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dependency {
    /// A folder of `.wit` files (or one that has them in `wit/`), a `.wit` file, or a WIT package
    /// in a `.wasm` file.
    Path(PathBuf),
    /// The version that a reference without a version means.
    Version(#[serde(with = "version")] Version),
}

/// A package that was fetched, in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedPackage {
    /// The name of the package, `namespace:name`.
    pub name: String,
    /// Its version.
    #[serde(with = "version")]
    pub version: Version,
    /// The digest of the tree of its files, as text.
    pub tree: String,
    /// True if `[dependencies]` names it. Otherwise another package needs it.
    pub is_direct: bool,
}

/// Reads and writes paths of the host, which need not be Unicode.
mod any_path {
    use std::ffi::{OsStr, OsString};

    use super::*;

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        OsStr::serialize(path.as_os_str(), to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(from).map(PathBuf::from)
    }
}

/// Reads and writes versions as text.
mod version {
    use super::*;

    pub(super) fn serialize<S: Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(version)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Version, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A completed WIT folder, which refers to nothing outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedWit {
    /// The name of the component's own package.
    pub package: PackageName,
    /// The files of the folder, sorted by path.
    pub files: Vec<WitFile>,
    /// The packages of the folder that are built in.
    pub built_in: Vec<PackageName>,
}

/// One file of a completed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitFile {
    /// The path in the folder, such as `api.wit` or `deps/wasi-http-0.2.4/package.wit`.
    pub path: String,
    /// The contents of the file.
    pub text: Cow<'static, str>,
    /// The place that the text comes from, for messages, such as `wit/api.wit`.
    pub origin: String,
}

/// The reason why a WIT folder could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// A file or folder could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A package that is referred to was not found.
    #[error(transparent)]
    Missing(Box<MissingPackage>),
    /// Two sources of the same rank declare the same package, which is referred to.
    #[error("package `{package}` is declared twice: in {first} and in {second}")]
    Duplicate {
        /// The name of the package.
        package: String,
        /// The first file that declares it.
        first: String,
        /// The second file that declares it.
        second: String,
    },
    /// The store or a package in it can't be read.
    #[error(transparent)]
    Store(BuiltinError),
    /// `[dependencies]` switches on a feature that gates nothing in the package.
    #[error("package `{package}` has no feature `{feature}`{}", known_features(known))]
    NoFeature {
        /// The package.
        package: String,
        /// The feature.
        feature: String,
        /// The features that it has.
        known: Vec<String>,
    },
    /// A dependency is not the package that its key in `[dependencies]` says.
    #[error("dependency `{dependency}` is package `{found}` in {file}")]
    WrongDependency {
        /// The key in `[dependencies]`.
        dependency: String,
        /// The package that was found there.
        found: String,
        /// The file that declares it.
        file: String,
    },
}

/// The error about a package that is referred to and was not found.
#[derive(Debug, thiserror::Error)]
#[error("{}package `{package}` was not found", prefix(at.as_ref()))]
pub struct MissingPackage {
    /// The place of the first reference. `None` if that is the manifest's `world`.
    pub at: Option<Location>,
    /// The package, with the version that was looked for.
    pub package: PackageName,
    /// The other versions that exist, each with its place.
    pub available: Vec<String>,
    /// The folder where the package's WIT could be put, if the component has WIT of its own.
    pub deps: Option<PathBuf>,
}

impl From<FetchedError> for CompleteError {
    fn from(error: FetchedError) -> Self {
        match error {
            FetchedError::Store(error) => Self::Store(error),
            FetchedError::Source(error) => Self::Source(error),
        }
    }
}

fn known_features(known: &[String]) -> String {
    match known.is_empty() {
        true => ": nothing in it is gated by a feature".to_owned(),
        false => format!("; it has {}", known.join(", ")),
    }
}

impl CompleteError {
    /// Returns a hint on what the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(missing) => Some(missing.hint()),
            _ => None,
        }
    }
}

impl MissingPackage {
    fn hint(&self) -> String {
        if !self.available.is_empty() {
            return format!("there is {}", self.available.join(", "));
        }
        let PackageName { namespace, name, .. } = &self.package;
        let add = format!(
            "add it to [dependencies]: `run add {namespace}:{name}` takes it from a registry, \
             `run add {namespace}:{name} --path DIR` from a folder"
        );
        match &self.deps {
            Some(deps) => format!("put its WIT under {}/, or {add}", deps.display()),
            None => add,
        }
    }
}

/// Returns the place and `: `, or an empty text if there is no place.
pub(super) fn prefix(at: Option<&Location>) -> String {
    at.map(|at| format!("{at}: ")).unwrap_or_default()
}

/// Returns every file that [`complete`] would read, relative to the root and sorted. It reads only folders,
/// and no file.
pub fn inputs(request: &Request) -> Result<Vec<PathBuf>, SourceError> {
    Ok(list(request)?.files())
}

/// Completes the WIT of one component. `store` has the packages that were fetched.
pub fn complete(request: &Request, store: &ContentStore) -> Result<CompletedWit, CompleteError> {
    let listing = list(request)?;
    let Loaded { package, others } = match listing.main.is_empty() {
        true => Loaded { package: Some(no_package()), others: Vec::new() },
        false => load(&request.root, &listing.main)?,
    };
    let main = Rc::new(package.ok_or_else(|| component_as_wit(&listing.main))?);
    let bundled = others.into_iter().map(Rc::new).collect();
    let shelves = shelves(request, store, &listing, &main, bundled)?;
    let mut search = Search::new(&main, &shelves, &request.dependencies, listing.deps.as_deref());
    search.run(request.world.as_deref())?;
    let found = search.found;
    check_features(&request.features, &found)?;
    Ok(folder(&main, &found, &request.features))
}

/// Returns the error about a `wit` that is a component.
fn component_as_wit(files: &Group) -> SourceError {
    let path = files.first().cloned().unwrap_or_default();
    SourceError::Component { path }
}

/// Makes the package of a component that has no WIT of its own. Its world is in another package.
fn no_package() -> PackageSource {
    let text = Cow::Borrowed("package run:component;\n");
    let file = TextFile::new("component.wit", "component.wit".to_owned(), text);
    PackageSource::new(vec![file]).expect("it has a name")
}

fn list(request: &Request) -> Result<Listing, SourceError> {
    let paths = request.dependencies.iter().filter_map(|(name, dependency)| match dependency {
        Dependency::Path(path) => Some((name, path)),
        Dependency::Version(_) => None,
    });
    Listing::new(&request.root, request.wit.as_deref(), paths)
}

/// Returns the shelves on which packages are looked for, in the order of the search.
fn shelves(
    request: &Request,
    store: &ContentStore,
    listing: &Listing,
    main: &Rc<PackageSource>,
    bundled: Vec<Rc<PackageSource>>,
) -> Result<Vec<Shelf>, CompleteError> {
    let root = &request.root;
    let (mut named, mut needed) = (Vec::new(), Vec::new());
    let (mut behind, mut brought) = (Vec::new(), Vec::new());
    for (dependency, (group, deps)) in &listing.dependencies {
        let loaded = load(root, group)?;
        loaded.package.as_ref().map_or(Ok(()), |package| check_name(dependency, package))?;
        named.extend(loaded.into_all().map(Rc::new));
        behind.extend(load_all(root, deps)?);
    }
    for fetched in &request.packages {
        let FetchedPackage { name, version, tree, is_direct } = fetched;
        let tree: Digest =
            tree.parse().map_err(|e| CompleteError::Store(BuiltinError::failed(&e)))?;
        let Loaded { package, others } = fetched::read(store, &tree, &format!("{name} {version}"))?;
        let is_component = package.is_none();
        package.as_ref().map_or(Ok(()), |package| check_name(name, package))?;
        let shelf = if *is_direct { &mut named } else { &mut needed };
        shelf.extend(package.map(Rc::new));
        let shelf = if is_component && *is_direct { &mut named } else { &mut brought };
        shelf.extend(others.into_iter().map(Rc::new));
    }
    let length = |source: &PackageSource| source.files.iter().map(|file| file.text.len()).sum();
    brought.sort_by_key(|source: &Rc<PackageSource>| std::cmp::Reverse::<usize>(length(source)));
    let mut seen = BTreeSet::new();
    brought.retain(|source| seen.insert(source.name().clone()));
    let mut own = load_all(root, &listing.own)?;
    own.extend(bundled);
    let deps = listing.deps.as_ref().map_or_else(String::new, |deps| deps.display().to_string());
    Ok(vec![
        Shelf::new(main.files[0].origin.clone(), vec![Rc::clone(main)]),
        Shelf::new(deps, own),
        Shelf::new(
            "the neighbouring files".to_owned(),
            load_neighbours(root, &listing.neighbours)?,
        ),
        Shelf::new("[dependencies]".to_owned(), named),
        Shelf::new("what [dependencies] need".to_owned(), needed),
        Shelf::new("the deps/ of [dependencies]".to_owned(), behind),
        // A package in binary form brings along what it uses of others. Several may bring parts of the same; the longest
        // is taken.
        Shelf::new("what [dependencies] bring along".to_owned(), brought),
    ])
}

/// Checks that the features that are switched on gate something.
fn check_features(features: &Features, found: &Found) -> Result<(), CompleteError> {
    for source in found.sources.values() {
        let Some(wanted) = rewrite::of(features, source) else { continue };
        let gates = source.files.iter().flat_map(|file| &file.scan.gates);
        let known: BTreeSet<&str> = gates.map(|gate| gate.feature.as_str()).collect();
        if let Some(feature) = wanted.iter().find(|feature| !known.contains(feature.as_str())) {
            return Err(CompleteError::NoFeature {
                package: source.name().to_string(),
                feature: feature.clone(),
                known: known.into_iter().map(ToOwned::to_owned).collect(),
            });
        }
    }
    Ok(())
}

fn load_all(root: &Path, groups: &[Group]) -> Result<Vec<Rc<PackageSource>>, SourceError> {
    let mut sources = Vec::new();
    for group in groups {
        sources.extend(load(root, group)?.into_all().map(Rc::new));
    }
    Ok(sources)
}

/// Loads the neighbouring files. A neighbour without a `package` line belongs to another component's package,
/// so it is ignored and not an error.
fn load_neighbours(root: &Path, groups: &[Group]) -> Result<Vec<Rc<PackageSource>>, SourceError> {
    let mut sources = Vec::new();
    for group in groups {
        match load(root, group) {
            Ok(loaded) => sources.extend(loaded.into_all().map(Rc::new)),
            Err(SourceError::Unnamed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sources)
}

fn check_name(dependency: &str, source: &PackageSource) -> Result<(), CompleteError> {
    let found = source.name();
    if format!("{}:{}", found.namespace, found.name) == dependency {
        return Ok(());
    }
    Err(CompleteError::WrongDependency {
        dependency: dependency.to_owned(),
        found: found.to_string(),
        file: source.files[0].origin.clone(),
    })
}

fn folder(main: &PackageSource, found: &Found, features: &Features) -> CompletedWit {
    let mut files: Vec<WitFile> =
        main.files.iter().map(|file| wit_file(String::new(), file, found, None)).collect();
    for source in found.sources.values() {
        let folder = format!("deps/{}/", folder_name(source.name()));
        let switched_on = rewrite::of(features, source);
        let file = |file| wit_file(folder.clone(), file, found, switched_on);
        files.extend(source.files.iter().map(file));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let built_in = found.built_in.clone();
    CompletedWit { package: main.name().clone(), files, built_in }
}

fn folder_name(package: &PackageName) -> String {
    let PackageName { namespace, name, version } = package;
    match version {
        Some(version) => format!("{namespace}-{name}-{version}"),
        None => format!("{namespace}-{name}"),
    }
}

fn wit_file(
    folder: String,
    file: &TextFile,
    found: &Found,
    switched_on: Option<&BTreeSet<String>>,
) -> WitFile {
    let path = folder + &file.name;
    WitFile { path, text: rewritten(file, found, switched_on), origin: file.origin.clone() }
}

#[cfg(test)]
mod tests;
