//! Puts together the WIT folder that tools are given: the component's own files and, below `deps/`,
//! every package that they refer to.
//!
//! Only what is referred to gets in: a package that nobody uses must not change a component's key.
//! Where packages are looked for is told in `search.rs`.

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

/// What to complete. All paths are relative to `root`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The project's root.
    #[serde(with = "any_path")]
    pub root: PathBuf,
    /// The component's WIT: a `.wit` file, or a folder of them; `None` if it has none but the world.
    pub wit: Option<PathBuf>,
    /// `[dependencies]`, by `namespace:name`.
    pub dependencies: BTreeMap<String, Dependency>,
    /// The world that the manifest names, if it does: it may lie in a package that the WIT does not
    /// refer to.
    pub world: Option<String>,
}

/// One entry of `[dependencies]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dependency {
    /// A folder of `.wit` files (or one that has them in `wit/`), a `.wit` file, or a WIT package
    /// in a `.wasm` file.
    Path(PathBuf),
    /// The version that a reference without one means.
    Version(#[serde(with = "version")] Version),
}

/// Paths of the host, which need not be Unicode.
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

/// Versions as text.
mod version {
    use super::*;

    pub(super) fn serialize<S: Serializer>(version: &Version, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(version)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Version, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A WIT folder that needs nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedWit {
    /// The component's own package.
    pub package: PackageName,
    /// The folder, sorted by path.
    pub files: Vec<WitFile>,
    /// The built-in packages among it.
    pub built_in: Vec<PackageName>,
}

/// One file of a completed folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitFile {
    /// Its path in the folder: `api.wit`, `deps/wasi-http-0.2.4/package.wit`.
    pub path: String,
    /// Its contents.
    pub text: Cow<'static, str>,
    /// Where the text came from, for messages: `wit/api.wit`.
    pub origin: String,
}

/// Why a WIT folder could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// Something could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A package is referred to that is nowhere to be found.
    #[error(transparent)]
    Missing(Box<MissingPackage>),
    /// Two sources of the same rank declare a package that is referred to.
    #[error("package `{package}` is declared twice: in {first} and in {second}")]
    Duplicate {
        /// The package.
        package: String,
        /// A file.
        first: String,
        /// Another file.
        second: String,
    },
    /// A path dependency is not the package that its key in `[dependencies]` says.
    #[error("dependency `{dependency}` is package `{found}` in {file}")]
    WrongDependency {
        /// The key in `[dependencies]`.
        dependency: String,
        /// What is there.
        found: String,
        /// The file that says so.
        file: String,
    },
}

/// A package that is referred to and nowhere to be found.
#[derive(Debug, thiserror::Error)]
#[error("{}package `{package}` was not found", prefix(at.as_ref()))]
pub struct MissingPackage {
    /// The first reference; `None` if it is the manifest's `world`.
    pub at: Option<Location>,
    /// The package, with the version that was looked for.
    pub package: PackageName,
    /// Other versions that are there, each with its place.
    pub available: Vec<String>,
    /// The folder where its WIT could be put.
    pub deps: PathBuf,
}

impl CompleteError {
    /// What the user can do about it.
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
        let deps = self.deps.display();
        format!(
            "put its WIT under {deps}/, or add `\"{namespace}:{name}\" = {{ path = \"…\" }}` to \
             [dependencies]"
        )
    }
}

/// `place: `, or nothing.
pub(super) fn prefix(at: Option<&Location>) -> String {
    at.map(|at| format!("{at}: ")).unwrap_or_default()
}

/// Every file that [`complete`] would read, relative to the root and sorted. Reads no file, only
/// folders.
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
    let mut search = Search::new(&main, &shelves, &request.dependencies, &listing.deps);
    search.run(request.world.as_deref())?;
    Ok(folder(&main, &search.found))
}

/// The package of a component that has no WIT of its own: the world lies in another.
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

/// The places where packages are looked for, first to last.
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
        Shelf::new(listing.deps.display().to_string(), own),
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

/// A neighbour without a `package` line is part of some other component's package: not ours to
/// judge.
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

/// The text, with the version written behind each reference that has none and means one that has.
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
