//! Finds and reads a project: its folder, run.toml, the lock, and the private folder `.run`.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use cache::{DigestFunction, DiskStore};
use engine::{SavedState, State};
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
        Self::read(Self::find(start)?, overrides)
    }

    /// Finds the folder of the project that the folder `start` is in.
    ///
    /// # Errors
    /// [`Error::NoProject`].
    pub fn find(start: &Path) -> Result<PathBuf, Error> {
        Ok(manifest::find_project(start)?)
    }

    /// Reads the project of a folder that has a run.toml. The returned findings are warnings.
    ///
    /// # Errors
    /// [`Error::Manifest`] with all errors.
    pub fn read(folder: PathBuf, overrides: &Overrides) -> Result<(Self, Diagnostics), Error> {
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
        private_folder(&self.folder)
    }

    /// Returns the path of the folder of kept downloads, `.run/cache`.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.private_folder().join("cache")
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
        self.state_of(store, || SavedState::read(&state_file(&self.folder), store.function()))
    }

    /// Returns the state that was read ahead, and creates the private folder for it. If the store turned out to have another
    /// digest function than was expected, the state is read anew.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn state_ahead(&self, store: &DiskStore, ahead: StateAhead) -> Result<State, Error> {
        let is_of_store = ahead.function == store.function();
        if is_of_store { self.state_of(store, || ahead.finish()) } else { self.state(store) }
    }

    fn state_of(
        &self,
        store: &DiskStore,
        saved: impl FnOnce() -> SavedState,
    ) -> Result<State, Error> {
        let path = self.private_folder();
        self.refuse_linked_folder()?;
        match fs::create_dir_all(&path) {
            Ok(()) => Ok(State::of(store, saved())),
            Err(source) => Err(Error::PrivateFolder { path, source }),
        }
    }
}

/// The saved state of a project, which a thread reads while run.toml is read and checked. For thousands of components
/// the two take about as long.
#[derive(Debug)]
pub struct StateAhead {
    file: PathBuf,
    function: DigestFunction,
    /// The thread, unless the system has refused to start one.
    reader: Option<JoinHandle<SavedState>>,
}

impl StateAhead {
    /// Begins to read the state of the project in `folder`, which was saved with digests of this function.
    #[must_use]
    pub fn begin(folder: &Path, function: DigestFunction) -> Self {
        let file = state_file(folder);
        let read = {
            let file = file.clone();
            move || SavedState::read(&file, function)
        };
        let reader = thread::Builder::new().name("state".to_owned()).spawn(read).ok();
        Self { file, function, reader }
    }

    fn finish(self) -> SavedState {
        match self.reader {
            Some(reader) => reader.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => SavedState::read(&self.file, self.function),
        }
    }
}

fn private_folder(project: &Path) -> PathBuf {
    project.join(PRIVATE_FOLDER)
}

fn state_file(project: &Path) -> PathBuf {
    private_folder(project).join("state")
}
