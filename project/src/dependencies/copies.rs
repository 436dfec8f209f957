//! Copies the WIT of packages to where editors and macros look for it: below `deps/`, beside the WIT of each component.
//!
//! The copies are folders whose names end with [`COPY`]. Builds do not read them, so they can't be out of date in a way that
//! matters, and this program may replace them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rules::dependency::Packages;
use rules::plan::{self, COPY, WitFolder};
use rules::planner;
use rules::platform::host_platform;
use rules::toolchain::{Images, Lock};
use sandbox::Isolation;

use super::context::Dependencies;
use crate::Error;
use crate::builder::unplannable;
use crate::dependency_error::DependencyError;

/// The files of a copy: their names and texts.
type Texts = BTreeMap<String, String>;

impl Dependencies<'_> {
    /// Writes the copies, and removes those of packages that are not needed any more. Returns the folders `deps/` in which
    /// something was changed.
    ///
    /// # Errors
    /// [`Error::Unplannable`] if the WIT of a component can't be completed, or [`Error::Dependencies`].
    pub fn write_wit(&self, packages: &Packages) -> Result<Vec<PathBuf>, Error> {
        let mut wanted: BTreeMap<PathBuf, BTreeMap<String, Texts>> = BTreeMap::new();
        for WitFolder { place, packages } in self.folders(packages)? {
            let deps = place.on_disk(&self.project.folder).join("deps");
            wanted.entry(deps).or_default().extend(packages);
        }
        let mut changed = Vec::new();
        for (deps, packages) in wanted {
            self.refuse_outside(&deps)?;
            let written = write(&deps, &packages)
                .map_err(|source| DependencyError::Copy { path: deps.clone(), source })?;
            if written {
                let shown = deps.strip_prefix(&self.project.folder).unwrap_or(&deps);
                changed.push(shown.to_owned());
            }
        }
        Ok(changed)
    }

    /// Refuses a folder that is a link or that lies outside of the project: a checkout could lead it anywhere.
    fn refuse_outside(&self, deps: &Path) -> Result<(), Error> {
        let inside = deps.parent().and_then(|parent| parent.canonicalize().ok());
        let root = self.project.folder.canonicalize().ok();
        let is_inside = inside.zip(root).is_some_and(|(parent, root)| parent.starts_with(root));
        if deps.is_symlink() || !is_inside {
            return Err(Error::LinkedFolder(deps.to_owned()));
        }
        Ok(())
    }

    fn folders(&self, packages: &Packages) -> Result<Vec<WitFolder>, Error> {
        let mut state = self.project.state(self.store)?;
        // No toolchain has a part in this.
        let images = Arc::new(Images {
            lock: Lock::default(),
            platform: host_platform(),
            function: self.store.function(),
            registries: Arc::new(self.clients.clone()),
        });
        let project = planner::Project {
            folder: &self.project.folder,
            manifest: &self.project.manifest,
            images: &images,
            packages,
        };
        let isolation = Isolation::default();
        let options = planner::Options { release: false, epoch: None, isolation };
        let folders = plan::wit_folders(project, self.store.content(), &mut state, &options);
        folders.map_err(|problems| unplannable(self.project, self.store, problems))
    }
}

/// Makes the copies in a folder be exactly these. Tells whether anything was changed.
fn write(deps: &Path, packages: &BTreeMap<String, Texts>) -> io::Result<bool> {
    let mut is_changed = false;
    for entry in fs::read_dir(deps).into_iter().flatten() {
        let path = entry?.path();
        let is_copy = path.extension().is_some_and(|extension| extension == COPY);
        let is_wanted = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .is_some_and(|stem| packages.get(stem).is_some_and(|texts| says(&path, texts)));
        if is_copy && !is_wanted && !path.is_symlink() {
            fs::remove_dir_all(&path)?;
            is_changed = true;
        }
    }
    for (name, texts) in packages {
        let folder = deps.join(format!("{name}.{COPY}"));
        if folder.exists() {
            continue;
        }
        fs::create_dir_all(deps)?;
        let new = tempfile::Builder::new().prefix(".run.wit.").tempdir_in(deps)?;
        for (file, text) in texts {
            fs::write(new.path().join(file), text)?;
        }
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(new.path(), permissions)?;
        match fs::rename(new.path(), &folder) {
            // Another process was as fast.
            Err(_) if folder.exists() => {}
            renamed => renamed?,
        }
        is_changed = true;
    }
    Ok(is_changed)
}

/// Tells whether a copy has these files and no others.
fn says(folder: &Path, texts: &Texts) -> bool {
    let count = fs::read_dir(folder).map_or(0, Iterator::count);
    count == texts.len()
        && texts.iter().all(|(file, text)| {
            fs::read(folder.join(file)).is_ok_and(|found| found == text.as_bytes())
        })
}
