//! The manifests of a project, and the rules by which Cargo finds the workspace of a package (the Cargo
//! reference, "Workspaces").

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use toml::{Table, Value};

use super::error::CargoError;
use crate::bounded;
use crate::path::ProjectPath;

/// The manifests of a project, each read once.
#[derive(Debug)]
pub(super) struct Manifests {
    /// The project's folder.
    pub(super) folder: PathBuf,
    read: RefCell<BTreeMap<ProjectPath, Rc<Table>>>,
}

impl Manifests {
    pub(super) fn of(project: &Path) -> Self {
        Self { folder: project.to_owned(), read: RefCell::default() }
    }

    /// Reads the manifest in a folder.
    pub(super) fn read(&self, dir: &ProjectPath) -> Result<Rc<Table>, CargoError> {
        if let Some(known) = self.read.borrow().get(dir) {
            return Ok(Rc::clone(known));
        }
        let manifest = Rc::new(read_manifest(&self.folder, dir)?);
        self.read.borrow_mut().insert(dir.clone(), Rc::clone(&manifest));
        Ok(manifest)
    }

    /// Returns the folder of the package that a source belongs to, and the folder of its workspace's
    /// manifest.
    pub(super) fn find(
        &self,
        source: &ProjectPath,
    ) -> Result<(ProjectPath, ProjectPath), CargoError> {
        let package = source
            .ancestors()
            .find(|dir| self.is_package(dir))
            .ok_or_else(|| CargoError::NoManifest { source_file: source.clone() })?;
        let root = self.workspace_root(&package)?;
        let manifest = self.read(&root)?;
        if inherits(&manifest) {
            self.refuse_workspace_above(&root)?;
        }
        Ok((package, root))
    }

    /// Refuses a package whose workspace lies above the project, if that is so.
    pub(super) fn refuse_workspace_above(&self, dir: &ProjectPath) -> Result<(), CargoError> {
        let manifest = self.read(dir)?;
        if manifest.contains_key("workspace") {
            return Ok(());
        }
        let Some(workspace) = self.workspace_above(dir) else { return Ok(()) };
        let may_stand_alone = !inherits(&manifest);
        let manifest = dir.join("Cargo.toml");
        Err(CargoError::WorkspaceAbove { manifest, workspace, may_stand_alone })
    }

    /// Finds the manifest of a workspace above the project that has the package in `dir`, and returns its
    /// path relative to the folder of run.toml. Only this error message reads anything above the project.
    fn workspace_above(&self, dir: &ProjectPath) -> Option<String> {
        let folder = self.folder.canonicalize().ok()?;
        let mut steps = String::new();
        for above in folder.ancestors().skip(1) {
            steps.push_str("../");
            let text = bounded::read_text(&above.join("Cargo.toml")).ok();
            let manifest = text.and_then(|text| text.parse::<Table>().ok()).unwrap_or_default();
            let Some(workspace) = manifest.get("workspace").and_then(Value::as_table) else {
                continue;
            };
            if !excludes(workspace, |path| dir.on_disk(&folder).starts_with(above.join(path))) {
                return Some(format!("{steps}Cargo.toml"));
            }
        }
        None
    }

    fn exists(&self, dir: &ProjectPath) -> bool {
        self.read.borrow().contains_key(dir)
            || dir.join("Cargo.toml").on_disk(&self.folder).is_file()
    }

    /// Returns true if the folder is that of a package. A manifest that can't be read counts as one, because
    /// its error is then the one to show.
    pub(super) fn is_package(&self, dir: &ProjectPath) -> bool {
        self.exists(dir) && self.read(dir).map_or(true, |manifest| manifest.contains_key("package"))
    }

    /// Finds the folder of the workspace of the package in `dir` by Cargo's rules (the Cargo reference,
    /// "Workspaces"): `package.workspace`, its own `[workspace]`, or the nearest one above that does not
    /// exclude the package.
    pub(super) fn workspace_root(&self, dir: &ProjectPath) -> Result<ProjectPath, CargoError> {
        let manifest = self.read(dir)?;
        if manifest.contains_key("workspace") {
            return Ok(dir.clone());
        }
        let package = manifest.get("package");
        let named = package.and_then(|p| p.get("workspace")).and_then(Value::as_str);
        if let Some(path) = named {
            return dir.resolve(path).map_err(|_| CargoError::WorkspaceAbove {
                manifest: dir.join("Cargo.toml"),
                workspace: format!("{}/Cargo.toml", path.trim_end_matches('/')),
                may_stand_alone: false,
            });
        }
        for above in dir.ancestors().filter(|above| self.exists(above)) {
            let manifest = self.read(&above)?;
            if let Some(workspace) = manifest.get("workspace").and_then(Value::as_table)
                && !excludes(workspace, |path| dir.is_in(&above.join(path)))
            {
                return Ok(above);
            }
        }
        Ok(dir.clone())
    }
}

pub(super) fn read_manifest(project: &Path, dir: &ProjectPath) -> Result<Table, CargoError> {
    let manifest = dir.join("Cargo.toml");
    let text = bounded::read_text(&manifest.on_disk(project))
        .map_err(|source| CargoError::Read { path: manifest.clone(), source })?;
    toml::from_str(&text).map_err(|source| CargoError::Parse { manifest, source: source.into() })
}

/// Returns true if a manifest has `workspace = true` anywhere.
pub(super) fn inherits(table: &Table) -> bool {
    table.iter().any(|(key, value)| match value {
        Value::Boolean(true) => key == "workspace",
        Value::Table(inner) => inherits(inner),
        _ => false,
    })
}

/// Returns true if a workspace excludes a package. `is_in` returns true for the folders that contain the
/// package.
fn excludes(workspace: &Table, is_in: impl Fn(&str) -> bool) -> bool {
    let names = |key| strings(workspace, key).any(&is_in);
    names("exclude") && !names("members")
}

/// Returns the strings of an array.
pub(super) fn strings<'a>(table: &'a Table, key: &str) -> impl Iterator<Item = &'a str> {
    table.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
