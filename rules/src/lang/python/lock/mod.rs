//! The lockfile of a Python project: which third-party packages a component gets, and what pins them.
//!
//! The lockfile of the nearest folder at or above the component's `source` is used. If a folder has several,
//! `pylock.toml` is preferred to `uv.lock`, and that to `requirements.txt`. The nearest `pyproject.toml`, in
//! that folder or below it, says what the lockfile has to have. Nothing here fetches a package.

mod pylock;
mod requirements;
mod uv;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

use super::error::PythonError;
use super::file::read;
use super::marker::{self, Selected};
use super::pyproject::PyProject;
use super::requirement::Versions;
use super::{guest, wheel};
use crate::path::ProjectPath;

/// The packages that a lockfile pins for the interpreter inside a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    /// The path of the lockfile.
    pub(super) file: ProjectPath,
    /// The folder of the project that is locked.
    pub(super) folder: ProjectPath,
    /// The packages from an index, sorted, each once.
    pub(super) packages: Vec<LockedPackage>,
    /// The packages that are part of the project itself, sorted.
    pub(super) local: Vec<LocalPackage>,
    /// The packages of the lockfile that a component does not get: componentize-py, with which it is made.
    pub(super) left_out: Vec<String>,
    /// The options with which the lockfile tells pip where packages are.
    pub(super) index: Vec<IndexOption>,
}

/// A package that is a folder of the project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LocalPackage {
    pub(super) folder: ProjectPath,
    /// The package's name, normalised; `None` if the lockfile gives only the folder.
    pub(super) name: Option<String>,
}

/// An option of a requirements file that says where packages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexOption {
    /// The option, in its long form.
    pub(super) name: &'static str,
    /// Its value, a single word; empty if the option has none.
    pub(super) value: String,
}

/// A package to fetch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LockedPackage {
    /// The package's name, normalised.
    pub(super) name: String,
    pub(super) version: String,
    /// The SHA-256s of the accepted files, in lowercase hexadecimal. It is that of one wheel, or of all the
    /// package's files if the lockfile does not say which file has which checksum.
    pub(super) hashes: BTreeSet<String>,
    /// The platforms of the wheel. Empty if the wheel is not known, or is for all platforms.
    pub(super) platforms: Vec<String>,
}

impl LockedPackage {
    /// Returns true if name, version and platforms have only characters that their formats allow.
    fn is_plain(&self) -> bool {
        let plain = |text: &str, others: &[u8]| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || others.contains(&b);
            text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(fits)
        };
        plain(&self.name, b"-")
            && plain(&self.version, b".+!_-")
            && self.platforms.iter().all(|platform| plain(platform, b"_"))
    }
}

/// A file of a package, as `pylock.toml` and `uv.lock` list it.
#[derive(Debug)]
struct LockedFile {
    name: String,
    /// The file's SHA-256 in lowercase hexadecimal; `None` if another checksum or none pins it.
    sha256: Option<String>,
}

/// Finds and reads the lockfile for the component whose source file is `source`. `None` if the project has
/// neither a lockfile nor dependencies.
pub(super) fn find(project: &Path, source: &ProjectPath) -> Result<Option<Lock>, PythonError> {
    let mut nearest: Option<PyProject> = None;
    for folder in source.ancestors() {
        if nearest.is_none() {
            nearest = PyProject::read(project, &folder)?;
        }
        if let Some(lock) = read_in(project, &folder, nearest.as_ref())? {
            if let Some(manifest) = &nearest {
                check_fresh(&lock, manifest)?;
            }
            return Ok(Some(lock));
        }
    }
    match nearest {
        Some(manifest) if !applying(&manifest)?.is_empty() => {
            Err(PythonError::NoLockfile { manifest: manifest.file })
        }
        _ => Ok(None),
    }
}

/// Reads the lockfile in `folder`, if there is one.
fn read_in(
    project: &Path,
    folder: &ProjectPath,
    manifest: Option<&PyProject>,
) -> Result<Option<Lock>, PythonError> {
    let file = folder.join(pylock::FILE);
    if let Some(text) = read(project, &file)? {
        return pylock::parse(&text, &file).map(Some);
    }
    let file = folder.join(uv::FILE);
    if let Some(text) = read(project, &file)? {
        return uv::parse(&text, &file, manifest).map(Some);
    }
    let file = folder.join(requirements::FILE);
    if let Some(text) = read(project, &file)? {
        let read = |path: &ProjectPath| read(project, path);
        return requirements::parse(&text, &file, &read).map(Some);
    }
    Ok(None)
}

/// Checks that the lock has every direct dependency of the project, in a version that satisfies it.
fn check_fresh(lock: &Lock, manifest: &PyProject) -> Result<(), PythonError> {
    let stale = |difference| PythonError::Stale {
        lock: lock.file.clone(),
        manifest: manifest.file.clone(),
        difference,
    };
    for (name, versions) in applying(manifest)? {
        // A package of the project has no version to compare, and a folder without a name may be any package.
        let is_local = |package: &LocalPackage| package.name.as_ref().is_none_or(|it| *it == name);
        if lock.local.iter().any(is_local) {
            continue;
        }
        let Some(package) = lock.packages.iter().find(|package| package.name == name) else {
            return Err(stale(format!("it lacks `{name}`")));
        };
        let Versions::Range(range) = versions else { continue };
        let version = Version::from_str(&package.version);
        if version.is_ok_and(|version| !range.contains(&version)) {
            let locked = &package.version;
            return Err(stale(format!(
                "it has `{name}` {locked}, but `{name}{range}` is asked for"
            )));
        }
    }
    Ok(())
}

/// Returns the dependencies that hold for the interpreter inside a component.
fn applying(manifest: &PyProject) -> Result<Vec<(String, Versions)>, PythonError> {
    let mut found = Vec::new();
    for requirement in &manifest.dependencies {
        let holds = marker::holds(requirement.marker.as_deref(), &Selected::default());
        let holds = holds.map_err(|problem| malformed(&manifest.file, problem))?;
        if holds && !is_tool(&requirement.name) {
            found.push((requirement.name.clone(), requirement.versions.clone()));
        }
    }
    Ok(found)
}

/// Returns true if a package is componentize-py. It runs on the host, and its version is that of the
/// toolchain.
fn is_tool(name: &str) -> bool {
    name == "componentize-py"
}

/// Sorts packages and refuses two versions of one package. It also refuses whatever pip could take for more
/// than a package: names and versions become lines of a requirements file, where an option could make pip run
/// code of the checkout.
fn each_once(
    lock: &ProjectPath,
    packages: impl IntoIterator<Item = LockedPackage>,
) -> Result<Vec<LockedPackage>, PythonError> {
    let mut found: BTreeMap<String, LockedPackage> = BTreeMap::new();
    for package in packages {
        if !package.is_plain() {
            let named = format!("{}=={}", package.name, package.version);
            let problem = format!("`{}` is not a package and a version", named.escape_debug());
            return Err(malformed(lock, problem));
        }
        match found.get(&package.name) {
            Some(other) if *other != package => {
                let (name, one, two) = (&package.name, &other.version, &package.version);
                let problem = format!("`{name}` is there twice, in versions {one} and {two}");
                return Err(malformed(lock, problem));
            }
            _ => _ = found.insert(package.name.clone(), package),
        }
    }
    Ok(found.into_values().collect())
}

/// Returns the package with the best-fitting of its files.
fn choose(
    lock: &ProjectPath,
    name: &str,
    version: &str,
    files: Vec<LockedFile>,
) -> Result<LockedPackage, PythonError> {
    let found = wheel::described(files.iter().map(|file| file.name.as_str()));
    let candidates = files.into_iter().map(|file| (file.name, file.sha256));
    let Some((file, sha256)) = wheel::best(candidates) else {
        return Err(PythonError::NoWheel {
            lock: lock.clone(),
            package: name.to_owned(),
            version: version.to_owned(),
            found,
        });
    };
    let sha256 = sha256.ok_or_else(|| PythonError::Unpinned {
        place: lock.to_string(),
        requirement: file.clone(),
        lock: lock.clone(),
    })?;
    let platform = wheel::WheelName::parse(&file).map_or("any", |wheel| wheel.platform());
    Ok(LockedPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        hashes: BTreeSet::from([sha256]),
        platforms: platform.split('.').filter(|p| *p != "any").map(str::to_owned).collect(),
    })
}

/// Checks that `requires-python` of a lockfile admits the interpreter inside a component.
fn check_python(lock: &ProjectPath, requires: Option<&str>) -> Result<(), PythonError> {
    let Some(requires) = requires else { return Ok(()) };
    let range = VersionSpecifiers::from_str(requires)
        .map_err(|error| malformed(lock, error.to_string().trim().to_owned()))?;
    let version = Version::from_str(guest::PYTHON_FULL_VERSION).expect("the constant is a version");
    match range.contains(&version) {
        true => Ok(()),
        false => Err(other_python(lock, format!("`requires-python` is `{requires}`"))),
    }
}

fn other_python(lock: &ProjectPath, reason: String) -> PythonError {
    PythonError::OtherPython { lock: lock.clone(), python: guest::PYTHON_VERSION, reason }
}

fn malformed(file: &ProjectPath, problem: String) -> PythonError {
    PythonError::Malformed { path: file.to_string(), problem }
}

/// Returns the hexadecimal part of `sha256:…`, or of a SHA-256 without that prefix.
fn sha256(text: &str) -> Option<String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    (hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit())).then_some(hex)
}

/// Returns the file name at the end of a URL or path.
fn file_name(place: &str) -> String {
    let place = place.split(['?', '#']).next().unwrap_or_default();
    let name = place.rsplit('/').next().unwrap_or_default();
    name.replace("%2B", "+").replace("%2b", "+")
}

#[cfg(test)]
mod tests;
