//! Reads the files of the project's packages. Each folder is read once, however many components the project
//! has.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::GoError;
use super::imports::{Head, embed_lines, embeds};
use super::module::read;
use crate::lang::bindings::go::COMMAND;
use crate::path::ProjectPath;
use crate::planner::Planner;

/// The folders of a project that were asked for so far.
#[derive(Debug)]
pub(super) struct Sources {
    /// The project's folder.
    pub(super) project: PathBuf,
    read: RefCell<BTreeMap<ProjectPath, Rc<Vec<SourceFile>>>>,
}

/// A file of a package.
#[derive(Debug)]
pub(super) struct SourceFile {
    pub(super) path: ProjectPath,
    /// The head of a Go file, which is what the go command reads to find its imports and embedded files.
    pub(super) head: String,
    pub(super) imports: Vec<String>,
    /// The patterns of `//go:embed`.
    pub(super) embeds: Vec<String>,
}

/// The files that the generator of bindings writes. A checkout may have copies for the sake of an editor, but
/// a build always generates its own.
const GENERATED: [&str; 3] = ["wit_bindings.go", COMMAND, "wit_exports.go"];

/// The endings of the files that the go command reads in the folder of a package.
const ENDINGS: [&str; 10] = ["go", "s", "S", "h", "c", "cc", "cpp", "cxx", "m", "f"];

impl Sources {
    /// Returns the sources of the project that is being planned, which all its components share.
    pub(super) fn of(planner: &mut Planner<'_>) -> Result<Rc<Self>, GoError> {
        planner.known("Go sources", |planner| Ok(Self::new(planner.project())))
    }

    pub(super) fn new(project: &Path) -> Self {
        Self { project: project.to_owned(), read: RefCell::default() }
    }

    /// Returns the files of the package in `folder`, sorted. Empty if there is no such folder.
    pub(super) fn package(&self, folder: &ProjectPath) -> Result<Rc<Vec<SourceFile>>, GoError> {
        if let Some(known) = self.read.borrow().get(folder) {
            return Ok(Rc::clone(known));
        }
        let files = files(&self.project, folder)?;
        let files = files.into_iter().map(|path| SourceFile::read(&self.project, path));
        let files = Rc::new(files.collect::<Result<Vec<_>, _>>()?);
        self.read.borrow_mut().insert(folder.clone(), Rc::clone(&files));
        Ok(files)
    }
}

impl SourceFile {
    fn read(project: &Path, path: ProjectPath) -> Result<Self, GoError> {
        if !path.as_str().ends_with(".go") {
            let (imports, embeds) = (Vec::new(), Vec::new());
            return Ok(Self { path, head: String::new(), imports, embeds });
        }
        let text = read(project, &path)?;
        let Head { text: head, imports } = Head::read(&text);
        let embedding = embed_lines(&text).map(|line| format!("{line}\n")).collect::<String>();
        let embeds = embeds(&text).collect();
        Ok(Self { path, head: format!("{head}\n{embedding}"), imports, embeds })
    }

    pub(super) fn is_go(&self) -> bool {
        self.path.as_str().ends_with(".go")
    }
}

fn files(project: &Path, folder: &ProjectPath) -> Result<Vec<ProjectPath>, GoError> {
    let entries = match std::fs::read_dir(folder.on_disk(project)) {
        Ok(entries) => entries,
        // The package consists of bindings, or the import is a mistake, which the go command will report.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(GoError::Read { path: folder.clone(), source }),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| is_source(name))
        .collect();
    names.sort();
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn is_source(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let source = ENDINGS.contains(&extension) || name == "default.pgo";
    let ignored = name.starts_with(['.', '_']) || name.ends_with("_test.go");
    source && !ignored && !GENERATED.contains(&name)
}

/// Returns the names of the folders in `folder` that may have packages of its module.
pub(super) fn folders(project: &Path, folder: &ProjectPath) -> Vec<String> {
    let entries = std::fs::read_dir(folder.on_disk(project)).into_iter().flatten().flatten();
    let is_package = |name: &String| {
        !name.starts_with(['.', '_']) && !matches!(name.as_str(), "testdata" | "vendor")
    };
    let is_of_module = |name: &String| !folder.join(name).join("go.mod").on_disk(project).is_file();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(is_package)
        .filter(is_of_module)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.go");
        std::fs::write(&file, "package a\nimport \"fmt\"\n//go:embed words/*.txt\nvar w string")
            .unwrap();
        std::fs::write(dir.path().join("a.s"), "").unwrap();
        for other in ["a_test.go", "_b.go", "wit_exports.go", "README.md"] {
            std::fs::write(dir.path().join(other), "package a").unwrap();
        }
        let sources = Sources::new(dir.path());
        let package = sources.package(&ProjectPath::root()).unwrap();
        let names: Vec<&str> = package.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(names, ["a.go", "a.s"]);
        assert_eq!(package[0].head, "package a\nimport \"fmt\"\n//go:embed words/*.txt\n");
        assert_eq!(package[0].imports, ["fmt"]);
        assert_eq!(package[0].embeds, ["words/*.txt"]);
        assert!(package[0].is_go() && !package[1].is_go());
        std::fs::write(&file, "package b").unwrap();
        let again = sources.package(&ProjectPath::root()).unwrap();
        assert!(Rc::ptr_eq(&package, &again));
    }
}
