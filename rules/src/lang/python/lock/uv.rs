//! Reads `uv.lock`: the packages that one project of a uv workspace depends on, for the interpreter inside a
//! component, without extras and dependency groups.
//!
//! The file notes what each project asked for when it was locked, so a lock that is out of date is detected.
//! The format is uv's own; version 1 of it is read.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::error::PythonError;
use super::super::file::parse_toml;
use super::super::marker::{self, Selected};
use super::super::pyproject::PyProject;
use super::super::requirement::{Requirement, Versions, normalise};
use super::{
    LocalPackage, Lock, LockedFile, LockedPackage, check_python, choose, each_once, file_name,
    is_tool, malformed, sha256,
};
use crate::path::ProjectPath;

/// The name of the file.
pub(super) const FILE: &str = "uv.lock";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    version: u32,
    requires_python: Option<String>,
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: String,
    version: Option<String>,
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    sdist: Option<Artifact>,
    #[serde(default)]
    wheels: Vec<Artifact>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
    source: Option<BTreeMap<String, toml::Value>>,
    #[serde(default)]
    extra: Vec<String>,
    marker: Option<String>,
}

#[derive(Deserialize)]
struct Artifact {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    #[serde(default)]
    requires_dist: Vec<Asked>,
}

/// A requirement that a project had when it was locked.
#[derive(Deserialize)]
struct Asked {
    name: String,
    #[serde(default)]
    extras: Vec<String>,
    specifier: Option<String>,
    marker: Option<String>,
}

/// The packages that a project asks for: the name, the extras and the range of versions of each package.
type Wanted = BTreeSet<(String, BTreeSet<String>, String)>;

/// Reads what `lock` pins for the project `manifest`.
pub(super) fn parse(
    text: &str,
    lock: &ProjectPath,
    manifest: Option<&PyProject>,
) -> Result<Lock, PythonError> {
    let file: File = parse_toml(text, lock)?;
    if file.version != 1 {
        let problem = format!("its version is {}, but 1 can be read", file.version);
        return Err(malformed(lock, problem));
    }
    check_python(lock, file.requires_python.as_deref())?;
    let Some(manifest) = manifest else {
        return Err(malformed(
            lock,
            "there is no pyproject.toml with a `[project]` to it".to_owned(),
        ));
    };
    let folder = manifest.file.parent();
    let reader = Reader::new(lock, &file.packages);
    let Some(root) =
        file.packages.iter().position(|p| reader.folder_of(p).as_ref() == Some(&folder))
    else {
        let (lock, manifest) = (lock.clone(), manifest.file.clone());
        let difference = "it does not have this project".to_owned();
        return Err(PythonError::Stale { lock, manifest, difference });
    };
    reader.check_asked(&file.packages[root].metadata, manifest)?;
    let mut packages = Vec::new();
    let mut local = BTreeSet::new();
    let mut left_out = Vec::new();
    for package in reader.closure(root)? {
        let name = normalise(&package.name);
        match reader.folder_of(package) {
            Some(folder) => _ = local.insert(LocalPackage { folder, name: Some(name) }),
            None if is_tool(&name) => left_out.push(name),
            None => packages.push(reader.locked(package)?),
        }
    }
    let packages = each_once(lock, packages)?;
    let local = local.into_iter().collect();
    Ok(Lock { file: lock.clone(), folder, packages, local, left_out, index: Vec::new() })
}

struct Reader<'a> {
    lock: &'a ProjectPath,
    packages: &'a [Package],
    /// The indexes in `packages` of the packages with a name.
    by_name: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Reader<'a> {
    fn new(lock: &'a ProjectPath, packages: &'a [Package]) -> Self {
        let mut by_name = BTreeMap::<&str, Vec<usize>>::new();
        for (index, package) in packages.iter().enumerate() {
            by_name.entry(&package.name).or_default().push(index);
        }
        Self { lock, packages, by_name }
    }

    /// Returns the folder of a package that is a project of the workspace; `None` for a package from
    /// elsewhere.
    fn folder_of(&self, package: &Package) -> Option<ProjectPath> {
        let kinds = ["virtual", "editable", "directory"];
        let path = kinds.iter().find_map(|kind| package.source.get(*kind)?.as_str())?;
        self.lock.parent().resolve(path).ok()
    }

    fn holds(&self, marker: Option<&str>, selected: &Selected) -> Result<bool, PythonError> {
        marker::holds(marker, selected).map_err(|problem| malformed(self.lock, problem))
    }

    /// Returns all packages that `root` needs, without `root` itself.
    fn closure(&self, root: usize) -> Result<Vec<&'a Package>, PythonError> {
        let mut found = BTreeSet::new();
        // The packages still to visit, each with one of its extras or with none.
        let mut queue: Vec<(usize, Option<String>)> = vec![(root, None)];
        let mut seen = BTreeSet::new();
        while let Some((index, extra)) = queue.pop() {
            if !seen.insert((index, extra.clone())) {
                continue;
            }
            found.insert(index);
            let package = &self.packages[index];
            let dependencies = match &extra {
                None => Some(&package.dependencies),
                Some(extra) => package.optional_dependencies.get(extra),
            };
            for dependency in dependencies.into_iter().flatten() {
                if self.holds(dependency.marker.as_deref(), &Selected::default())? {
                    let next = self.resolve(dependency)?;
                    queue.push((next, None));
                    queue.extend(dependency.extra.iter().map(|extra| (next, Some(extra.clone()))));
                }
            }
        }
        found.remove(&root);
        Ok(found.into_iter().map(|index| &self.packages[index]).collect())
    }

    /// Returns the index of the package that a dependency refers to.
    fn resolve(&self, dependency: &Dependency) -> Result<usize, PythonError> {
        let named = self.by_name.get(dependency.name.as_str()).into_iter().flatten();
        let mut fitting = named.filter(|index| {
            let package = &self.packages[**index];
            let version = dependency.version.is_none() || dependency.version == package.version;
            let source = dependency.source.as_ref().is_none_or(|source| *source == package.source);
            version && source
        });
        match (fitting.next(), fitting.next()) {
            (Some(index), None) => Ok(*index),
            (None, _) => Err(self.broken(&dependency.name, "is asked for, but not there")),
            _ => Err(self.broken(&dependency.name, "is asked for, but there in several versions")),
        }
    }

    fn broken(&self, name: &str, what: &str) -> PythonError {
        malformed(self.lock, format!("`{name}` {what}"))
    }

    fn locked(&self, package: &Package) -> Result<LockedPackage, PythonError> {
        let name = normalise(&package.name);
        if !package.source.contains_key("registry") {
            let origin = package.source.iter().next();
            let origin = origin.map_or_else(
                || "nowhere".to_owned(),
                |(kind, place)| format!("`{}` ({kind})", place.as_str().unwrap_or_default()),
            );
            let place = self.lock.to_string();
            return Err(PythonError::NotFromIndex { place, package: name, origin });
        }
        let Some(version) = &package.version else {
            return Err(self.broken(&name, "has no version"));
        };
        let files = package.wheels.iter().chain(&package.sdist).map(Artifact::file).collect();
        choose(self.lock, &name, version, files)
    }

    /// Checks that the project asks for the same as when it was locked.
    fn check_asked(&self, locked: &Metadata, manifest: &PyProject) -> Result<(), PythonError> {
        let (then, now) = (self.asked_then(locked)?, self.asked_now(manifest)?);
        let Some(differing) = then.symmetric_difference(&now).next() else { return Ok(()) };
        let name = &differing.0;
        let shown = |all: &Wanted| {
            let one = all.iter().find(|wanted| wanted.0 == *name);
            one.map_or_else(
                || "no".to_owned(),
                |(_, extras, range)| {
                    let extras: Vec<&str> = extras.iter().map(String::as_str).collect();
                    let extras = if extras.is_empty() {
                        String::new()
                    } else {
                        format!("[{}]", extras.join(","))
                    };
                    format!("`{name}{extras}{range}`")
                },
            )
        };
        let (then, now) = (shown(&then), shown(&now));
        let difference = match (then.as_str(), now.as_str()) {
            ("no", now) => format!("it was made without {now}"),
            (then, "no") => format!("it was made for {then}, which is not asked for"),
            (then, now) => format!("it was made for {then}, but {now} is asked for"),
        };
        let (lock, manifest) = (self.lock.clone(), manifest.file.clone());
        Err(PythonError::Stale { lock, manifest, difference })
    }

    fn asked_then(&self, locked: &Metadata) -> Result<Wanted, PythonError> {
        let mut wanted = Wanted::new();
        for asked in &locked.requires_dist {
            if self.holds(asked.marker.as_deref(), &Selected::default())? {
                let range = asked.specifier.as_deref().unwrap_or_default();
                let extras = asked.extras.iter().map(|extra| normalise(extra)).collect();
                // uv wrote it, but it is parsed again so that equal ranges give equal texts.
                let parsed = Requirement::parse(&format!("{}{range}", asked.name))
                    .map_err(|problem| malformed(self.lock, problem))?;
                wanted.insert((normalise(&asked.name), extras, range_text(&parsed.versions)));
            }
        }
        Ok(wanted)
    }

    fn asked_now(&self, manifest: &PyProject) -> Result<Wanted, PythonError> {
        let mut wanted = Wanted::new();
        for asked in &manifest.dependencies {
            if self.holds(asked.marker.as_deref(), &Selected::default())? {
                let range = range_text(&asked.versions);
                wanted.insert((asked.name.clone(), asked.extras.clone(), range));
            }
        }
        Ok(wanted)
    }
}

/// Returns a text that is equal for equal ranges, in whatever order their parts were written.
fn range_text(versions: &Versions) -> String {
    let Versions::Range(range) = versions else { return String::new() };
    let mut parts: Vec<String> = range.iter().map(ToString::to_string).collect();
    parts.sort();
    parts.join(",")
}

impl Artifact {
    fn file(&self) -> LockedFile {
        let place = self.url.as_ref().or(self.path.as_ref());
        let name = self.filename.clone();
        LockedFile {
            name: name.unwrap_or_else(|| file_name(place.map_or("", String::as_str))),
            sha256: self.hash.as_deref().and_then(sha256),
        }
    }
}
