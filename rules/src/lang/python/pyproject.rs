//! `pyproject.toml`: the name of a Python project and the dependencies that it declares (PEP 621).
//!
//! Tables of tools such as `[tool.uv]` are not read: the lockfile holds what comes of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr as _;

use pep440_rs::Version;
use serde::Deserialize;

use super::error::PythonError;
use super::file;
use super::requirement::Requirement;
use crate::path::ProjectPath;

/// The file's name.
pub(super) const FILE: &str = "pyproject.toml";

/// The `[project]` table of a `pyproject.toml`.
#[derive(Debug, Default)]
pub(super) struct PyProject {
    /// The path of the file.
    pub(super) file: ProjectPath,
    /// The key `dependencies`, including those that hold for other interpreters only. Empty if they are
    /// `dynamic`, because then only a build of the project could tell.
    pub(super) dependencies: Vec<Requirement>,
    /// The same dependencies as text, as they are written.
    pub(super) requires: Vec<String>,
    pub(super) name: Option<String>,
    /// The key `version`; `None` if it is `dynamic`.
    pub(super) version: Option<String>,
    pub(super) description: Option<String>,
    pub(super) requires_python: Option<String>,
    /// The entry points of each group: their names, and the objects that they refer to. Those of `scripts`
    /// and `gui-scripts` are included.
    pub(super) entry_points: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Manifest {
    project: Option<Table>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Table {
    name: Option<String>,
    version: Option<String>,
    description: Option<String>,
    requires_python: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
    #[serde(default)]
    gui_scripts: BTreeMap<String, String>,
    #[serde(default)]
    entry_points: BTreeMap<String, BTreeMap<String, String>>,
}

impl PyProject {
    /// Reads the file in `folder`. `None` if there is none, or it has no `[project]` table.
    pub(super) fn read(project: &Path, folder: &ProjectPath) -> Result<Option<Self>, PythonError> {
        let file = folder.join(FILE);
        let Some(text) = file::read(project, &file)? else { return Ok(None) };
        Self::parse(&text, file)
    }

    pub(super) fn parse(text: &str, file: ProjectPath) -> Result<Option<Self>, PythonError> {
        let manifest: Manifest = file::parse_toml(text, &file)?;
        let Some(table) = manifest.project else { return Ok(None) };
        let malformed = |problem| PythonError::Malformed { path: file.to_string(), problem };
        let dependencies: Result<Vec<_>, _> =
            table.dependencies.iter().map(|text| Requirement::parse(text)).collect();
        let dependencies = dependencies.map_err(malformed)?;
        if let Some(name) = table.name.as_ref().filter(|name| !is_name(name)) {
            return Err(malformed(format!("`{}` is no name of a package", name.escape_debug())));
        }
        let version = table.version.map(|version| match Version::from_str(&version) {
            Ok(version) => Ok(version.to_string()),
            Err(_) => Err(malformed(format!("`{version}` is no version of a package (PEP 440)"))),
        });
        let mut entry_points = table.entry_points;
        for (group, entries) in
            [("console_scripts", table.scripts), ("gui_scripts", table.gui_scripts)]
        {
            if !entries.is_empty() {
                entry_points.insert(group.to_owned(), entries);
            }
        }
        Ok(Some(Self {
            dependencies,
            requires: table.dependencies,
            name: table.name,
            version: version.transpose()?,
            description: table.description,
            requires_python: table.requires_python,
            entry_points,
            file,
        }))
    }
}

/// Returns true if `name` may be the name of a package. Source: "Names and normalization".
fn is_name(name: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    name.starts_with(ends)
        && name.ends_with(ends)
        && name.chars().all(|c| ends(c) || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read() {
        let check = |text: &str, expect: Result<Option<&[&str]>, &str>| {
            let file = ProjectPath::parse("api/pyproject.toml").unwrap();
            let got = PyProject::parse(text, file).map(|project| {
                project.map(|p| p.dependencies.into_iter().map(|d| d.name).collect::<Vec<_>>())
            });
            let expect = expect.map(|names| {
                names.map(|names| names.iter().map(|name| (*name).to_owned()).collect())
            });
            assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{text}");
        };
        check("[tool.ruff]", Ok(None));
        check("[project]\nname = \"a\"", Ok(Some(&[])));
        check("[project]\ndependencies = [\"B_c>=1\", \"d\"]", Ok(Some(&["b-c", "d"])));
        check("[project", Err("`api/pyproject.toml` is not valid"));
        check(
            "[project]\nname = \"../x\"",
            Err("api/pyproject.toml: `../x` is no name of a package"),
        );
        check(
            "[project]\nversion = \"../x\"",
            Err("api/pyproject.toml: `../x` is no version of a package (PEP 440)"),
        );
        check(
            "[project]\ndependencies = [\"-x\"]",
            Err("api/pyproject.toml: `-x` is no requirement: it does not begin with a name"),
        );
    }
}
