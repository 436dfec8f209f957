//! Checks what `run.toml` says about files against the files of the project.
//!
//! It only looks, and neither creates nor changes anything. What it has found out about folders and links is
//! remembered, because thousands of components may lie in one folder.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::capability::Capability;
use super::component::{Component, Origin};
use super::dependency::{Dependencies, DependencySource};
use super::diagnostic::Diagnostic;
use super::parts::Parts;
use super::source_folder::SourceFolder;
use super::span::Span;
use super::suggest;
use super::table::Findings;
use crate::path::ProjectPath;

/// The folder of a project.
pub(super) struct ProjectFolder<'d> {
    dir: &'d Path,
    /// The folder with all symbolic links resolved.
    real: PathBuf,
    /// The folders of the project that were looked at.
    folders: RefCell<BTreeMap<ProjectPath, Rc<SourceFolder>>>,
    /// The symbolic links among the paths that were looked at, each with the path that it leads to.
    links: RefCell<BTreeMap<ProjectPath, PathBuf>>,
    suggestions: RefCell<suggest::Budget>,
}

/// Checks everything that run.toml says about files.
pub(super) fn check(folder: &ProjectFolder<'_>, parts: &Parts, findings: &mut Findings) {
    folder.check_components(&parts.components, findings);
    folder.check_packages(&parts.dependencies, findings);
    folder.check_packages(&parts.dev_dependencies, findings);
    folder.check_output_dir(parts, findings);
}

/// The thing that a path of the project leads to.
struct Target {
    /// The path with all symbolic links resolved, if it is outside of the project.
    outside: Option<PathBuf>,
    kind: Kind,
}

/// The kind of thing that a path leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Other,
}

impl Kind {
    fn of(kind: FileType) -> Self {
        match () {
            () if kind.is_file() => Self::File,
            () if kind.is_dir() => Self::Folder,
            () => Self::Other,
        }
    }
}

/// The kind of thing that a path has to name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    File,
    Folder,
    FileOrFolder,
}

impl<'d> ProjectFolder<'d> {
    /// Opens a project folder for checks.
    pub(super) fn open(dir: &'d Path) -> io::Result<Self> {
        let real = dir.canonicalize()?;
        let (folders, links) = (RefCell::default(), RefCell::default());
        Ok(Self { dir, real, folders, links, suggestions: RefCell::default() })
    }

    /// Returns the folder that holds a path.
    fn folder_of(&self, path: &ProjectPath) -> io::Result<Rc<SourceFolder>> {
        let (parent, _) = path.split_name();
        if let Some(folder) = self.folders.borrow().get(parent) {
            return Ok(Rc::clone(folder));
        }
        let parent = path.parent();
        let real = parent.on_disk(self.dir).canonicalize()?;
        let folder = Rc::new(SourceFolder::new(real, &self.real));
        self.folders.borrow_mut().insert(parent, Rc::clone(&folder));
        Ok(folder)
    }

    /// Looks at what a path of the project leads to.
    fn look_at(&self, path: &ProjectPath) -> io::Result<Target> {
        if path.is_root() {
            return Ok(Target { outside: None, kind: Kind::of(self.real.metadata()?.file_type()) });
        }
        let folder = self.folder_of(path)?;
        let (_, name) = path.split_name();
        if folder.is_known_to_have(name) {
            let outside = (!folder.is_inside).then(|| folder.real.join(name));
            return Ok(Target { outside, kind: Kind::File });
        }
        let mut real = folder.real.join(name);
        let mut kind = real.symlink_metadata()?.file_type();
        if kind.is_symlink() {
            real = real.canonicalize()?;
            self.links.borrow_mut().insert(path.clone(), real.clone());
            kind = real.metadata()?.file_type();
        }
        let outside = (!real.starts_with(&self.real)).then_some(real);
        Ok(Target { outside, kind: Kind::of(kind) })
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

    /// Checks that an input without wildcards exists. One with wildcards may match nothing yet.
    fn check_inputs(&self, component: &Component, findings: &mut Findings) {
        for input in &component.inputs {
            if let Some(Ok(path)) = input.literal().map(str::parse::<ProjectPath>) {
                findings.extend(self.check("input", &path, input.span, Expected::FileOrFolder));
            }
        }
    }

    /// Checks that a folder that a component may read exists. One that it may write to can be created later.
    fn check_folders(&self, component: &Component, findings: &mut Findings) {
        for capability in &component.capabilities {
            let Capability::Filesystem(Some(folder)) = &capability.value else { continue };
            let found = self.check("folder", &folder.path, capability.span, Expected::Folder);
            if !folder.writable || folder.path.on_disk(self.dir).exists() {
                findings.extend(found);
            }
        }
    }

    /// Checks that the folders of local packages exist.
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

    /// Checks that the output folder is a folder inside the project, or does not exist yet, and that no
    /// symbolic link makes it hold a source.
    fn check_output_dir(&self, parts: &Parts, findings: &mut Findings) {
        let output_dir = &parts.build.output_dir;
        let existing = self.deepest_existing(output_dir);
        let finding = |problem: &str, label: String| {
            let message = format!("output folder `{}` {problem}", output_dir.value);
            Diagnostic::error(output_dir.span, message).label(label)
        };
        findings.extend(match existing.canonicalize() {
            Err(error) => Some(finding(&problem(&error), why_missing(&existing))),
            Ok(real) if !real.starts_with(&self.real) => {
                Some(finding("leaves the project", leads_to(&real)))
            }
            Ok(real) if !real.is_dir() => {
                let shown = existing.strip_prefix(self.dir).unwrap_or(&existing);
                Some(finding("cannot be created", format!("`{}` is a file", shown.display())))
            }
            Ok(real) if existing == output_dir.on_disk(self.dir) => {
                self.first_source_in(&real, parts).map(|source| {
                    finding(&format!("holds `{source}`"), "a symbolic link leads there".to_owned())
                })
            }
            Ok(_) => None,
        });
    }

    /// Returns a file that a component is made from and that is in the folder `real`, which has no symbolic
    /// links.
    fn first_source_in(&self, real: &Path, parts: &Parts) -> Option<String> {
        // The files of enabled components were looked at before. Only symbolic links are elsewhere than the
        // path of their folder says.
        let inside = |path: &&'_ ProjectPath| match self.links.borrow().get(*path) {
            Some(target) => target.starts_with(real),
            None => self.folder_of(path).is_ok_and(|folder| folder.real.starts_with(real)),
        };
        for component in parts.components.iter().filter(|component| !component.enabled.value) {
            // If something is wrong with a disabled component, that is reported once it is enabled.
            _ = self.look_at(&component.origin.file().value);
        }
        if !self.leads_into(real) {
            return None;
        }
        let mut sources = parts.components.iter().map(|component| &component.origin.file().value);
        let source = sources.find(inside)?;
        // A source that is in the output folder by its spelling is refused without looking at the disk.
        (!source.is_in(&parts.build.output_dir)).then(|| source.to_string())
    }

    /// Returns whether any folder or symbolic link that was looked at leads into the folder `real`.
    fn leads_into(&self, real: &Path) -> bool {
        self.folders.borrow().values().any(|folder| folder.real.starts_with(real))
            || self.links.borrow().values().any(|target| target.starts_with(real))
    }

    /// Returns the longest part of a path that exists, even if that is only a symbolic link to nowhere.
    fn deepest_existing(&self, path: &ProjectPath) -> PathBuf {
        let path = path.on_disk(self.dir);
        let existing = path.ancestors().find(|path| path.symlink_metadata().is_ok());
        existing.unwrap_or(self.dir).to_owned()
    }

    /// Checks that a path exists, is of the right kind, and does not lead out of the project.
    fn check(
        &self,
        what: &str,
        path: &ProjectPath,
        span: Span,
        expected: Expected,
    ) -> Option<Diagnostic> {
        let finding = |problem: &str| Diagnostic::error(span, format!("{what} `{path}` {problem}"));
        let Target { outside, kind } = match self.look_at(path) {
            Ok(found) => found,
            Err(error) => {
                let label = match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                        self.what_is_there(path)
                    }
                    _ => "expected something readable".to_owned(),
                };
                return Some(finding(&problem(&error)).label(label));
            }
        };
        if let Some(real) = outside {
            return Some(finding("leaves the project").label(leads_to(&real)));
        }
        match expected {
            Expected::File if kind != Kind::File => {
                Some(finding("is not a file").label("expected a file"))
            }
            Expected::Folder if kind != Kind::Folder => {
                Some(finding("is not a folder").label("expected a folder"))
            }
            _ => None,
        }
    }

    /// Says why a path does not exist: what is wrong with its first missing part.
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
            if next.is_symlink() || !folder.is_dir() {
                return why_missing(&next);
            }
            let mut suggestions = self.suggestions.borrow_mut();
            let names = if suggestions.is_spent() { Vec::new() } else { names_in(&folder) };
            return match suggestions.nearest(part, names.iter().map(String::as_str)) {
                Some(name) => {
                    let rest = &path.as_str()[shown.len() + part.len()..];
                    format!("did you mean `{shown}{name}{rest}`?")
                }
                None => format!("there is no `{part}` in `{}`", shown_folder(&shown)),
            };
        }
        "it has just disappeared".to_owned()
    }
}

/// Says why a path can't be found although something else is in its place.
fn why_missing(path: &Path) -> String {
    match path.parent() {
        _ if path.is_symlink() => "this symbolic link leads nowhere".to_owned(),
        Some(parent) if !parent.is_dir() => match parent.file_name() {
            Some(name) => format!("`{}` is a file", name.to_string_lossy()),
            None => "a part of it is a file".to_owned(),
        },
        _ => "expected a folder".to_owned(),
    }
}

fn leads_to(real: &Path) -> String {
    format!("a symbolic link leads to `{}`", real.display())
}

fn shown_folder(shown: &str) -> &str {
    if shown.is_empty() { "." } else { shown.trim_end_matches('/') }
}

/// Returns the names in a folder, sorted, or none if the folder can't be read.
fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Describes an I/O error as the end of a sentence.
fn problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
