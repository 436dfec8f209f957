//! Finds and reads a project: its folder, run.toml, the lock, and the private folder `.run`.

use std::fs;
use std::path::{Path, PathBuf};

use cache::DiskStore;
use engine::State;
use rules::manifest::{self, Diagnostics, Manifest, Overrides};
use rules::plan::{self, Selection};
use rules::toolchain::{Lock, Toolchains};

use crate::Error;

/// The name of the file that pins the toolchains of a project.
pub const LOCK_FILE: &str = "run.lock.toml";

/// The name of the folder for the files that `run` keeps in a project.
const PRIVATE_FOLDER: &str = ".run";

/// A folder with a valid run.toml.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder of run.toml.
    pub folder: PathBuf,
    /// The content of run.toml.
    pub manifest: Manifest,
}

impl Project {
    /// Finds the project that the folder `start` is in, and reads it. The returned findings are warnings.
    ///
    /// # Errors
    /// [`Error::NoProject`], or [`Error::Manifest`] with all errors.
    pub fn open(start: &Path, overrides: &Overrides) -> Result<(Self, Diagnostics), Error> {
        Self::read(manifest::find_project(start)?, overrides)
    }

    /// Reads the project of a folder that has a run.toml.
    pub(crate) fn read(
        folder: PathBuf,
        overrides: &Overrides,
    ) -> Result<(Self, Diagnostics), Error> {
        match Manifest::load(&folder, overrides) {
            (Some(manifest), warnings) => Ok((Self { folder, manifest }, warnings)),
            (None, findings) => Err(Error::Manifest(findings)),
        }
    }

    /// Returns the path of the lock, whether there is one or not.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.folder.join(LOCK_FILE)
    }

    /// Reads the lock, if there is one.
    ///
    /// # Errors
    /// [`Error::UnreadableLock`].
    pub fn lock(&self) -> Result<Option<Lock>, Error> {
        Lock::read(&self.lock_path()).map_err(Error::UnreadableLock)
    }

    /// Writes the lock, unless it says the same as `before`.
    ///
    /// # Errors
    /// [`Error::UnwritableLock`].
    pub fn write_lock(&self, before: Option<&Lock>, after: &Lock) -> Result<(), Error> {
        if before == Some(after) {
            return Ok(());
        }
        after.write(&self.lock_path()).map_err(Error::UnwritableLock)
    }

    /// Returns the toolchains that the selected components need.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    pub fn toolchains(&self, selection: &Selection) -> Result<Toolchains, Error> {
        Ok(plan::toolchains(&self.folder, &self.manifest, selection)?)
    }

    /// Returns the path of the folder for the files that `run` keeps in the project.
    #[must_use]
    pub fn private_folder(&self) -> PathBuf {
        self.folder.join(PRIVATE_FOLDER)
    }

    /// Refuses a link in the place of the private folder, because files of its target would be replaced and
    /// removed.
    ///
    /// # Errors
    /// [`Error::LinkedFolder`].
    pub fn refuse_linked_folder(&self) -> Result<(), Error> {
        let folder = self.private_folder();
        if folder.is_symlink() { Err(Error::LinkedFolder(folder)) } else { Ok(()) }
    }

    /// Reads the state that earlier builds of the project have saved, and creates the private folder for it.
    ///
    /// # Errors
    /// [`Error::LinkedFolder`], or [`Error::PrivateFolder`].
    pub fn state(&self, store: &DiskStore) -> Result<State, Error> {
        let path = self.private_folder();
        self.refuse_linked_folder()?;
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(State::open(store, &path.join("state"))),
            Err(source) => Err(Error::PrivateFolder { path, source }),
        }
    }
}
