//! `pyproject.toml`: what a Python project says it depends on (PEP 621).

use std::path::Path;

use serde::Deserialize;

use super::PythonError;
use super::requirement::Requirement;
use crate::path::ProjectPath;

/// The file's name.
pub(super) const FILE: &str = "pyproject.toml";

/// The dependencies of a project.
#[derive(Debug)]
pub(super) struct PyProject {
    /// The file.
    pub(super) file: ProjectPath,
    /// `[project] dependencies`, with those that only hold for other interpreters. Nothing, if they
    /// are `dynamic`: then only a build of the project could tell.
    pub(super) dependencies: Vec<Requirement>,
}

#[derive(Deserialize)]
struct Manifest {
    project: Option<Table>,
}

#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    dependencies: Vec<String>,
}

impl PyProject {
    /// Reads the one in `folder`, if there is one that has a `[project]`.
    pub(super) fn read(project: &Path, folder: &ProjectPath) -> Result<Option<Self>, PythonError> {
        let file = folder.join(FILE);
        let Some(text) = super::lock::read(project, &file)? else { return Ok(None) };
        Self::parse(&text, file)
    }

    fn parse(text: &str, file: ProjectPath) -> Result<Option<Self>, PythonError> {
        let manifest: Manifest = super::lock::parse_toml(text, &file)?;
        let Some(table) = manifest.project else { return Ok(None) };
        let malformed = |problem| PythonError::Malformed { path: file.to_string(), problem };
        let dependencies: Result<Vec<_>, _> =
            table.dependencies.iter().map(|text| Requirement::parse(text)).collect();
        Ok(Some(Self { dependencies: dependencies.map_err(malformed)?, file }))
    }
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
            "[project]\ndependencies = [\"-x\"]",
            Err("api/pyproject.toml: `-x` is no requirement: it does not begin with a name"),
        );
    }
}
