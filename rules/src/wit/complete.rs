//! Completes the WIT of a component: puts together the folder that tools are given, with the component's own
//! files and, below `deps/`, every package that they refer to.
//!
//! Only packages that are referred to get in, because a package that nobody uses must not change a
//! component's key. Where packages are looked for is described in `search.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use semver::Version;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wit_parser::PackageName;

use super::location::Location;
use super::search::{Found, Search, Shelf};
use super::source::{Group, Listing, PackageSource, SourceError, TextFile, load};

/// The WIT of a component that is to be completed. All paths are relative to `root`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The folder of the project.
    #[serde(with = "any_path")]
    pub root: PathBuf,
    /// The component's WIT: a `.wit` file or a folder of them. `None` if the component only names a world.
    pub wit: Option<PathBuf>,
    /// The entries of `[dependencies]`, by `namespace:name`.
    pub dependencies: BTreeMap<String, Dependency>,
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
    /// A path dependency is not the package that its key in `[dependencies]` says.
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
        let add = format!("add `\"{namespace}:{name}\" = {{ path = \"…\" }}` to [dependencies]");
        match &self.deps {
            Some(deps) => format!("put its WIT under {}/, or {add}", deps.display()),
            None => format!("{add}, with the folder that has its WIT"),
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

/// Completes the WIT of one component.
pub fn complete(request: &Request) -> Result<CompletedWit, CompleteError> {
    let listing = list(request)?;
    let loaded = match listing.main.is_empty() {
        true => vec![no_package()],
        false => load(&request.root, &listing.main)?,
    };
    let mut sources = loaded.into_iter().map(Rc::new);
    let main = sources.next().expect("a group is at least one package");
    let shelves = shelves(&request.root, &listing, &main, sources.collect())?;
    let mut search = Search::new(&main, &shelves, &request.dependencies, listing.deps.as_deref());
    search.run(request.world.as_deref())?;
    Ok(folder(&main, &search.found))
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
    root: &Path,
    listing: &Listing,
    main: &Rc<PackageSource>,
    bundled: Vec<Rc<PackageSource>>,
) -> Result<Vec<Shelf>, CompleteError> {
    let mut named = Vec::new();
    let mut behind = Vec::new();
    for (dependency, (group, deps)) in &listing.dependencies {
        let loaded = load(root, group)?;
        check_name(dependency, &loaded[0])?;
        named.extend(loaded.into_iter().map(Rc::new));
        behind.extend(load_all(root, deps)?);
    }
    let mut own = load_all(root, &listing.own)?;
    own.extend(bundled);
    Ok(vec![
        Shelf::new(main.files[0].origin.clone(), vec![Rc::clone(main)]),
        Shelf::new(
            listing.deps.as_ref().map_or_else(String::new, |deps| deps.display().to_string()),
            own,
        ),
        Shelf::new(
            "the neighbouring files".to_owned(),
            load_neighbours(root, &listing.neighbours)?,
        ),
        Shelf::new("[dependencies]".to_owned(), named),
        Shelf::new("the deps/ of [dependencies]".to_owned(), behind),
    ])
}

fn load_all(root: &Path, groups: &[Group]) -> Result<Vec<Rc<PackageSource>>, SourceError> {
    let mut sources = Vec::new();
    for group in groups {
        sources.extend(load(root, group)?.into_iter().map(Rc::new));
    }
    Ok(sources)
}

/// Loads the neighbouring files. A neighbour without a `package` line belongs to another component's package,
/// so it is ignored and not an error.
fn load_neighbours(root: &Path, groups: &[Group]) -> Result<Vec<Rc<PackageSource>>, SourceError> {
    let mut sources = Vec::new();
    for group in groups {
        match load(root, group) {
            Ok(loaded) => sources.extend(loaded.into_iter().map(Rc::new)),
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

fn folder(main: &PackageSource, found: &Found) -> CompletedWit {
    let mut files: Vec<WitFile> =
        main.files.iter().map(|file| wit_file(String::new(), file, found)).collect();
    for source in found.sources.values() {
        let folder = format!("deps/{}/", folder_name(source.name()));
        files.extend(source.files.iter().map(|file| wit_file(folder.clone(), file, found)));
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

fn wit_file(folder: String, file: &TextFile, found: &Found) -> WitFile {
    let path = folder + &file.name;
    WitFile { path, text: with_versions(file, found), origin: file.origin.clone() }
}

/// Returns the text of a file in which every reference has its version: a reference without one gets that of
/// the package that was found for it.
fn with_versions(file: &TextFile, found: &Found) -> Cow<'static, str> {
    let mut text = String::new();
    let mut copied = 0;
    for reference in &file.scan.references {
        let meant = found.meaning.get(&reference.package);
        if let (None, Some(version)) =
            (&reference.package.version, meant.and_then(|package| package.version.as_ref()))
        {
            text.push_str(&file.text[copied..reference.span.end]);
            text.push_str(&format!("@{version}"));
            copied = reference.span.end;
        }
    }
    if copied == 0 {
        return file.text.clone();
    }
    text.push_str(&file.text[copied..]);
    Cow::Owned(text)
}

#[cfg(test)]
mod tests;
