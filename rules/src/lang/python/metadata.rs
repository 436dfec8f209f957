//! The metadata of the project's own packages, which `importlib.metadata` reads: names, versions and entry
//! points.
//!
//! An installer would leave it in a `.dist-info` folder. Nothing is installed here, so it is made from
//! pyproject.toml. Sources: "Core metadata specifications", "Recording installed projects", "Entry points
//! specification".

use std::path::Path;

use super::error::PythonError;
use super::pyproject::PyProject;
use crate::path::ProjectPath;

/// The metadata of a package.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The name of the folder: `NAME-VERSION.dist-info`.
    folder: String,
    /// The text of the file METADATA.
    metadata: String,
    /// The text of the file entry_points.txt; empty if there are no entry points.
    entry_points: String,
}

impl Metadata {
    /// Returns the metadata of the nearest project at or above the source file. Empty if there is no project
    /// or it has no metadata.
    pub(super) fn nearest(project: &Path, source: &ProjectPath) -> Result<Vec<Self>, PythonError> {
        for folder in source.ancestors() {
            if let Some(manifest) = PyProject::read(project, &folder)? {
                return Ok(Self::new(&manifest).into_iter().collect());
            }
        }
        Ok(Vec::new())
    }

    /// Returns the metadata of the package in `folder`, if it has any.
    pub(super) fn of(project: &Path, folder: &ProjectPath) -> Result<Option<Self>, PythonError> {
        Ok(PyProject::read(project, folder)?.as_ref().and_then(Self::new))
    }

    /// Makes the metadata from pyproject.toml; `None` if that does not state a name and a version.
    fn new(manifest: &PyProject) -> Option<Self> {
        let (name, version) = (manifest.name.as_ref()?, manifest.version.as_ref()?);
        let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        let mut add = |key: &str, value: &str| {
            let value = value.lines().next().unwrap_or_default();
            metadata.push_str(&format!("{key}: {value}\n"));
        };
        manifest.description.iter().for_each(|text| add("Summary", text));
        manifest.requires_python.iter().for_each(|range| add("Requires-Python", range));
        manifest.requires.iter().for_each(|requirement| add("Requires-Dist", requirement));
        let mut entry_points = String::new();
        for (group, entries) in &manifest.entry_points {
            entry_points.push_str(&format!("[{group}]\n"));
            for (name, place) in entries {
                entry_points.push_str(&format!("{name} = {place}\n"));
            }
        }
        let folder = format!("{}-{version}.dist-info", name.replace(['-', '.'], "_"));
        Some(Self { folder, metadata, entry_points })
    }

    /// Returns the path and the text of each file.
    pub(super) fn files(&self) -> impl Iterator<Item = (String, &str)> {
        let files = [("METADATA", &self.metadata), ("entry_points.txt", &self.entry_points)];
        let files = files.into_iter().filter(|(_, text)| !text.is_empty());
        files.map(|(name, text)| (format!("{}/{name}", self.folder), text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_what_an_installer_would_leave() {
        let dir = tempfile::tempdir().unwrap();
        let check = |text: &str, expect: &[(&str, &str)]| {
            std::fs::write(dir.path().join("pyproject.toml"), text).unwrap();
            let found = Metadata::nearest(dir.path(), &ProjectPath::parse("src/app.py").unwrap());
            let found = found.unwrap();
            let files: Vec<(String, &str)> = found.iter().flat_map(Metadata::files).collect();
            let files: Vec<(&str, &str)> =
                files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
            assert_eq!(files, expect, "{text}");
        };
        check(
            "[project]\nname = \"My-app.x\"\nversion = \"1.0\"\ndescription = \"One\\nTwo\"\n\
             requires-python = \">=3.11\"\ndependencies = [\"idna>=3\"]\n[project.scripts]\nrun = \"a:b\"\n\
             [project.entry-points.\"x.y\"]\nz = \"c\"\n",
            &[
                (
                    "My_app_x-1.0.dist-info/METADATA",
                    "Metadata-Version: 2.1\nName: My-app.x\nVersion: 1.0\nSummary: One\n\
                     Requires-Python: >=3.11\nRequires-Dist: idna>=3\n",
                ),
                (
                    "My_app_x-1.0.dist-info/entry_points.txt",
                    "[console_scripts]\nrun = a:b\n[x.y]\nz = c\n",
                ),
            ],
        );
        check("[project]\nname = \"a\"\ndynamic = [\"version\"]", &[]);
        check("[tool.x]", &[]);
    }
}
