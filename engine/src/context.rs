//! What a builtin may use while it runs: its inputs, the store, a place for its outputs, and a way
//! to say how far it is. It can't see the graph, the state or other actions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cache::{DiskStore, ScratchDir};
use sandbox::Cancel;

use crate::{Artifact, BuiltinError, Event, Events, Label, Progress};

/// The world of one run of a builtin.
pub struct BuiltinContext {
    label: Label,
    store: DiskStore,
    inputs: Vec<(String, Artifact)>,
    events: Arc<dyn Events>,
    cancel: Cancel,
    out: OnceLock<ScratchDir>,
    produced: Mutex<BTreeMap<String, Artifact>>,
    notes: Mutex<Vec<u8>>,
}

impl BuiltinContext {
    pub(crate) const fn new(
        label: Label,
        store: DiskStore,
        inputs: Vec<(String, Artifact)>,
        events: Arc<dyn Events>,
        cancel: Cancel,
    ) -> Self {
        let produced = Mutex::new(BTreeMap::new());
        let notes = Mutex::new(Vec::new());
        Self { label, store, inputs, events, cancel, out: OnceLock::new(), produced, notes }
    }

    /// The name of the action that runs. For messages only: it is not part of the key.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// The store that inputs are read from and outputs are put into.
    #[must_use]
    pub const fn store(&self) -> &DiskStore {
        &self.store
    }

    /// All inputs by name, in the order in which the action declares them.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Artifact)> {
        self.inputs.iter().map(|(at, artifact)| (at.as_str(), *artifact))
    }

    /// The input of this name.
    ///
    /// # Panics
    /// If the action declares no such input. The action fails then.
    #[must_use]
    pub fn input(&self, at: &str) -> Artifact {
        let found = self.inputs.iter().find(|(name, _)| name == at);
        found.unwrap_or_else(|| panic!("BUG: {} has no input `{at}`", self.label)).1
    }

    /// The input on disk, read-only: a materialised tree or the blob of a file.
    ///
    /// # Errors
    /// [`BuiltinError::Missing`] if the store lacks something of it.
    pub fn path(&self, at: &str) -> Result<PathBuf, BuiltinError> {
        match self.input(at) {
            Artifact::Tree(tree) => Ok(self.store.materialise(&tree)?),
            Artifact::File { digest, executable } => {
                self.store.blob_path(&digest, executable)?.ok_or(BuiltinError::Missing(digest))
            }
        }
    }

    /// The bytes of a file input.
    ///
    /// # Errors
    /// [`BuiltinError::Missing`] if the store lacks them.
    pub fn read(&self, at: &str) -> Result<Vec<u8>, BuiltinError> {
        let digest = *self.input(at).digest();
        self.store.get(&digest)?.ok_or(BuiltinError::Missing(digest))
    }

    /// The empty private folder below which declared outputs may be written.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn out(&self) -> Result<&Path, BuiltinError> {
        if self.out.get().is_none() {
            // Two threads of one builtin may both get here; the second folder is dropped again.
            let _ = self.out.set(self.store.scratch()?);
        }
        Ok(self.out.get().expect("was just set").path())
    }

    /// Names the content of a declared output directly, without writing it below
    /// [`out`](Self::out). Its blobs have to be in the store.
    pub fn produce(&self, output: &str, artifact: Artifact) {
        let mut produced = self.produced.lock().unwrap_or_else(PoisonError::into_inner);
        produced.insert(output.to_owned(), artifact);
    }

    /// Notes a line for the user, such as a warning. It becomes part of the result and is shown
    /// again on a hit.
    pub fn note(&self, line: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend_from_slice(line.as_bytes());
        notes.push(b'\n');
    }

    /// Says how far the work is, in bytes.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        self.tell(Progress::Bytes { done, total });
    }

    /// Says what is being done now.
    pub fn status(&self, text: impl Into<String>) {
        self.tell(Progress::Text(text.into()));
    }

    /// Whether the build was cancelled. A builtin that takes long asks now and then, and returns
    /// [`BuiltinError::Cancelled`].
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// What stops the build: for work that a builtin hands to another process.
    #[must_use]
    pub const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// What the builtin left: the outputs it named, the folder it wrote to, its notes.
    pub(crate) fn into_parts(self) -> (BTreeMap<String, Artifact>, Option<ScratchDir>, Vec<u8>) {
        let produced = self.produced.into_inner().unwrap_or_else(PoisonError::into_inner);
        let notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        (produced, self.out.into_inner(), notes)
    }

    fn tell(&self, progress: Progress) {
        self.events.event(Event::Progress { label: self.label.clone(), progress });
    }
}
