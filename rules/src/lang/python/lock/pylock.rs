//! Reads `pylock.toml`, the standard lockfile (PEP 751): the packages that an installer would install for the
//! interpreter inside a component, without extras and with the default groups of the file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::error::PythonError;
use super::super::file::parse_toml;
use super::super::marker::{self, Selected};
use super::super::requirement::normalise;
use super::{
    LocalPackage, Lock, LockedFile, LockedPackage, check_python, choose, each_once, file_name,
    is_tool, malformed, other_python, sha256,
};
use crate::path::ProjectPath;

/// The name of the file.
pub(super) const FILE: &str = "pylock.toml";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    lock_version: String,
    #[serde(default)]
    environments: Vec<String>,
    requires_python: Option<String>,
    #[serde(default)]
    default_groups: Vec<String>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    version: Option<String>,
    marker: Option<String>,
    requires_python: Option<String>,
    vcs: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    sdist: Option<Artifact>,
    #[serde(default)]
    wheels: Vec<Artifact>,
}

#[derive(Deserialize)]
struct Artifact {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Reads the packages of `lock`.
pub(super) fn parse(text: &str, lock: &ProjectPath) -> Result<Lock, PythonError> {
    let file: File = parse_toml(text, lock)?;
    if file.lock_version.split('.').next() != Some("1") {
        let problem = format!("its version is {}, but 1.0 can be read", file.lock_version);
        return Err(malformed(lock, problem));
    }
    check_python(lock, file.requires_python.as_deref())?;
    let groups = file.default_groups.iter().map(|group| normalise(group)).collect();
    let selected = Selected { groups, ..Selected::default() };
    let holds = |marker: Option<&str>| {
        marker::holds(marker, &selected).map_err(|problem| malformed(lock, problem))
    };
    check_environments(lock, &file.environments, &holds)?;
    let (mut packages, mut local, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for package in file.packages {
        if !holds(package.marker.as_deref())? {
            continue;
        }
        let name = normalise(&package.name);
        match folder(lock, &package)? {
            Some(folder) => local.push(LocalPackage { folder, name: Some(name) }),
            None if is_tool(&name) => left_out.push(name),
            None => packages.push(locked(lock, package)?),
        }
    }
    local.sort();
    let packages = each_once(lock, packages)?;
    Ok(Lock {
        file: lock.clone(),
        folder: lock.parent(),
        packages,
        local,
        left_out,
        index: Vec::new(),
    })
}

/// Returns the folder of a package that is part of the project; `None` for a package from elsewhere.
fn folder(lock: &ProjectPath, package: &Package) -> Result<Option<ProjectPath>, PythonError> {
    let path = package.directory.as_ref().and_then(|directory| directory.get("path"));
    let Some(path) = path.and_then(toml::Value::as_str) else { return Ok(None) };
    let folder = lock.parent().resolve(path);
    folder.map(Some).map_err(|error| malformed(lock, error.to_string()))
}

fn check_environments(
    lock: &ProjectPath,
    environments: &[String],
    holds: &dyn Fn(Option<&str>) -> Result<bool, PythonError>,
) -> Result<(), PythonError> {
    for environment in environments {
        if holds(Some(environment))? {
            return Ok(());
        }
    }
    match environments {
        [] => Ok(()),
        _ => Err(other_python(lock, format!("its environments are {}", environments.join(" | ")))),
    }
}

fn locked(lock: &ProjectPath, package: Package) -> Result<LockedPackage, PythonError> {
    let name = normalise(&package.name);
    check_python(lock, package.requires_python.as_deref())?;
    let sources = [
        (package.vcs, "version control"),
        (package.directory, "a folder"),
        (package.archive, "an archive"),
    ];
    let origin = sources.iter().find_map(|(source, origin)| source.as_ref().map(|_| *origin));
    let local = package.wheels.iter().any(|wheel| wheel.path.is_some() && wheel.url.is_none());
    if let Some(origin) = origin.or(local.then_some("a folder")) {
        let (place, origin) = (lock.to_string(), origin.to_owned());
        return Err(PythonError::NotFromIndex { place, package: name, origin });
    }
    let Some(version) = package.version else {
        return Err(malformed(lock, format!("`{name}` has no version")));
    };
    let files = package.wheels.into_iter().chain(package.sdist).map(Artifact::file).collect();
    choose(lock, &name, &version, files)
}

impl Artifact {
    fn file(self) -> LockedFile {
        let place = self.url.or(self.path).unwrap_or_default();
        LockedFile {
            name: self.name.unwrap_or_else(|| file_name(&place)),
            sha256: self.hashes.get("sha256").and_then(|hash| sha256(hash)),
        }
    }
}
