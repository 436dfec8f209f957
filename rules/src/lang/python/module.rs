//! Finds the Python module that a component's `source` is, and the folders where Python looks for what it
//! imports.
//!
//! It follows Python's own rules: a folder with `__init__.py` is a package, and the search begins in the
//! nearest folder above the file that is not a package. Further folders are those of `PYTHONPATH` in the
//! component's `env`, and the packages of the project that its lockfile names. Nothing here reads a module.

use std::path::Path;

use super::error::PythonError;
use crate::path::ProjectPath;

/// The environment variable that names further folders to search, relative to the project.
pub(super) const PYTHONPATH: &str = "PYTHONPATH";

/// A module of the project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    /// The module's full name, with dots between packages.
    pub(super) name: String,
    /// The folder where the search for imports begins.
    pub(super) root: ProjectPath,
}

impl Module {
    /// Returns the module whose file is `source`. It is an error if Python could not import a file of that
    /// name.
    pub(super) fn of(project: &Path, source: &ProjectPath) -> Result<Self, PythonError> {
        let mut names = vec![source.file_stem().to_owned()];
        let mut root = source.parent();
        while !root.is_root() && root.join("__init__.py").on_disk(project).is_file() {
            names.push(root.file_name().to_owned());
            root = root.parent();
        }
        if names.len() > 1 && names[0] == "__init__" {
            names.remove(0);
        }
        if let Some(wrong) = names.iter().find(|name| !is_identifier(name)) {
            let (source_file, module) = (source.clone(), wrong.clone());
            return Err(PythonError::NotAModule { source_file, module });
        }
        names.reverse();
        Ok(Self { name: names.join("."), root })
    }
}

/// Returns true if `name` is an identifier: letters of any alphabet, digits and `_`, without a digit at the
/// start. Python's own rule differs in rare characters only.
fn is_identifier(name: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_numeric())
}

/// Returns the folders that the value of `PYTHONPATH` names. Each has to be a folder of the project.
pub(super) fn search_path(project: &Path, value: &str) -> Result<Vec<ProjectPath>, PythonError> {
    let parts = value.split(':').filter(|part| !part.is_empty());
    let folder = |part: &str| {
        let wrong = |source| PythonError::SearchPath { folder: part.to_owned(), source };
        let folder = ProjectPath::parse(part).map_err(|error| wrong(Some(error)))?;
        if folder.on_disk(project).is_dir() { Ok(folder) } else { Err(wrong(None)) }
    };
    parts.map(folder).collect()
}

/// Returns the folder with the modules of a package of the project: its `src` if it has one, else the
/// package's own folder.
pub(super) fn importable(project: &Path, package: &ProjectPath) -> ProjectPath {
    let src = package.join("src");
    if src.on_disk(project).is_dir() { src } else { package.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn modules_are_named_as_python_names_them() {
        let check = |files: &[&str], source: &str, expect: Result<(&str, &str), &str>| {
            let dir = project(files);
            let got = Module::of(dir.path(), &ProjectPath::parse(source).unwrap());
            let got = got.map(|module| (module.name, module.root.as_str().to_owned()));
            let expect = expect.map(|(name, root)| (name.to_owned(), root.to_owned()));
            assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{source}");
        };
        check(&[], "app.py", Ok(("app", "")));
        check(&[], "src/app.py", Ok(("app", "src")));
        check(&["src/pkg/__init__.py"], "src/pkg/app.py", Ok(("pkg.app", "src")));
        check(&["src/pkg/__init__.py"], "src/pkg/__init__.py", Ok(("pkg", "src")));
        check(&["a/__init__.py", "a/b/__init__.py"], "a/b/c.py", Ok(("a.b.c", "")));
        check(&["a/__init__.py"], "a/b/c.py", Ok(("c", "a/b")));
        check(&["__init__.py"], "app.py", Ok(("app", "")));
        let wrong = "`my-app.py` can't be imported: `my-app` is no name of a Python module";
        check(&[], "my-app.py", Err(wrong));
        let wrong = "`app.v2.py` can't be imported: `app.v2` is no name of a Python module";
        check(&[], "app.v2.py", Err(wrong));
        let wrong = "`my-pkg/app.py` can't be imported: `my-pkg` is no name of a Python module";
        check(&["my-pkg/__init__.py"], "my-pkg/app.py", Err(wrong));
    }

    #[test]
    fn the_search_path_stays_in_the_project() {
        let dir = project(&["lib/a.py", "more/src/b.py"]);
        let check = |value: &str, expect: Result<&[&str], &str>| {
            let got = search_path(dir.path(), value);
            let got = got.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
            let expect = expect.map(|all| all.iter().map(|path| (*path).to_owned()).collect());
            assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned), "{value}");
        };
        check("", Ok(&[]));
        check("lib:more/src/", Ok(&["lib", "more/src"]));
        let wrong = |what: &str| {
            format!("`PYTHONPATH` in `env` names `{what}`, which is no folder of the project")
        };
        check("lib:none", Err(&wrong("none")));
        check("../lib", Err(&wrong("../lib")));
        check("/lib", Err(&wrong("/lib")));
        let path = |text: &str| ProjectPath::parse(text).unwrap();
        assert_eq!(importable(dir.path(), &path("more")), path("more/src"));
        assert_eq!(importable(dir.path(), &path("lib")), path("lib"));
    }
}
