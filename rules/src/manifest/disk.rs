//! What `run.toml` says, held against the files that are there.
//!
//! Only looks: nothing is created or changed.

use std::io;
use std::path::{Path, PathBuf};

use super::build::Build;
use super::capability::Capability;
use super::component::{Component, Origin};
use super::dependency::{Dependencies, DependencySource};
use super::diagnostic::Diagnostic;
use super::parts::Parts;
use super::path::ProjectPath;
use super::span::Span;
use super::suggest;
use super::table::Findings;

/// The folder of a project.
pub(super) struct ProjectFolder<'d> {
    dir: &'d Path,
    /// The folder without symbolic links.
    real: PathBuf,
}

/// Checks everything that the sections say about files.
pub(super) fn check(folder: &ProjectFolder<'_>, parts: &Parts, findings: &mut Findings) {
    folder.check_components(&parts.components, findings);
    folder.check_packages(&parts.dependencies, findings);
    folder.check_packages(&parts.dev_dependencies, findings);
    folder.check_output_dir(&parts.build, findings);
}

/// What a path has to name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    File,
    Folder,
    FileOrFolder,
}

impl<'d> ProjectFolder<'d> {
    /// Opens a folder for looking into it.
    pub(super) fn open(dir: &'d Path) -> io::Result<Self> {
        Ok(Self { dir, real: dir.canonicalize()? })
    }

    /// Checks the files of all enabled components.
    fn check_components(&self, components: &[Component], findings: &mut Findings) {
        for component in components.iter().filter(|component| component.enabled.value) {
            let (what, file) = match &component.origin {
                Origin::Source { file, .. } => ("source", file),
                Origin::Prebuilt { file } => ("component", file),
            };
            findings.extend(self.check(what, file, file.span, Expected::File));
            if let Some(wit) = &component.wit {
                findings.extend(self.check("WIT", wit, wit.span, Expected::FileOrFolder));
            }
            self.check_inputs(component, findings);
            self.check_folders(component, findings);
        }
    }

    /// An input that is spelt out must be there; one with wildcards may match nothing yet.
    fn check_inputs(&self, component: &Component, findings: &mut Findings) {
        for input in &component.inputs {
            if let Some(Ok(path)) = input.literal().map(str::parse::<ProjectPath>) {
                findings.extend(self.check("input", &path, input.span, Expected::FileOrFolder));
            }
        }
    }

    /// A folder that a component may read must be there; one it may write to may come later.
    fn check_folders(&self, component: &Component, findings: &mut Findings) {
        for capability in &component.capabilities {
            let Capability::Filesystem(Some(folder)) = &capability.value else { continue };
            let found = self.check("folder", &folder.path, capability.span, Expected::Folder);
            if !folder.writable || folder.path.below(self.dir).exists() {
                findings.extend(found);
            }
        }
    }

    /// Checks the folders of local packages.
    fn check_packages(&self, packages: &Dependencies, findings: &mut Findings) {
        for package in packages.values() {
            let DependencySource::Path { path } = &package.source else { continue };
            match std::fs::metadata(path.from(self.dir)) {
                Ok(_) => {}
                Err(error) => {
                    let message = format!("package `{}` {}", path.value, problem(&error));
                    findings.push(
                        Diagnostic::error(path.span, message)
                            .label("expected the folder of a WIT package"),
                    );
                }
            }
        }
    }

    /// Checks that the output folder is a folder inside the project, or does not exist yet.
    fn check_output_dir(&self, build: &Build, findings: &mut Findings) {
        let output_dir = &build.output_dir.value;
        let span = build.output_dir.span;
        let existing = self.deepest_existing(output_dir);
        let finding = match existing.canonicalize() {
            Err(error) => {
                Diagnostic::error(span, format!("output folder `{output_dir}` {}", problem(&error)))
            }
            Ok(real) if !real.starts_with(&self.real) => {
                Diagnostic::error(span, format!("output folder `{output_dir}` leaves the project"))
                    .label(format!("a symbolic link leads to `{}`", real.display()))
            }
            Ok(real) if real == self.real && existing != self.dir => {
                let message =
                    format!("output folder `{output_dir}` is the project's folder itself");
                Diagnostic::error(span, message).label("a symbolic link leads there")
            }
            Ok(real) if !real.is_dir() => {
                let message = format!("output folder `{output_dir}` cannot be created");
                Diagnostic::error(span, message)
                    .label(format!("`{}` is a file", existing.display()))
            }
            Ok(_) => return,
        };
        findings.push(finding);
    }

    /// The longest part of a path that exists, even if only as a symbolic link to nowhere.
    fn deepest_existing(&self, path: &ProjectPath) -> PathBuf {
        let path = path.below(self.dir);
        let existing = path.ancestors().find(|path| path.symlink_metadata().is_ok());
        existing.unwrap_or(self.dir).to_owned()
    }

    /// Checks that a path is there, is of the right kind, and does not lead out of the project.
    fn check(
        &self,
        what: &str,
        path: &ProjectPath,
        span: Span,
        expected: Expected,
    ) -> Option<Diagnostic> {
        let finding = |problem: &str| Diagnostic::error(span, format!("{what} `{path}` {problem}"));
        let real = match path.below(self.dir).canonicalize() {
            Ok(real) => real,
            Err(error) => {
                let label = self.what_is_there(path);
                return Some(finding(&problem(&error)).label(label));
            }
        };
        if !real.starts_with(&self.real) {
            let label = format!("a symbolic link leads to `{}`", real.display());
            return Some(finding("leaves the project").label(label));
        }
        match expected {
            Expected::File if !real.is_file() => {
                Some(finding("is not a file").label("expected a file"))
            }
            Expected::Folder if !real.is_dir() => {
                Some(finding("is not a folder").label("expected a folder"))
            }
            _ => None,
        }
    }

    /// Why a path is not there: the first folder that is missing, or the nearest name beside it.
    fn what_is_there(&self, path: &ProjectPath) -> String {
        let mut folder = self.dir.to_owned();
        let mut shown = String::new();
        for part in path.as_str().split('/') {
            let next = folder.join(part);
            if next.exists() {
                folder = next;
                shown = format!("{shown}{part}/");
                continue;
            }
            let names = names_in(&folder);
            return match suggest::nearest(part, names.iter().map(String::as_str)) {
                Some(name) => format!("did you mean `{shown}{name}`?"),
                None => format!("there is no `{part}` in `{}`", shown_folder(&shown)),
            };
        }
        "expected a readable file".to_owned()
    }
}

fn shown_folder(shown: &str) -> &str {
    if shown.is_empty() { "." } else { shown.trim_end_matches('/') }
}

/// The names in a folder in a fixed order; none if it cannot be read.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// An I/O error as the end of a sentence.
fn problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::NotADirectory => "does not exist: a part of it is a file".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
