//! The context that a builtin gets when it runs: its inputs, the store, a folder for its outputs, and a way
//! to report progress. A builtin can't see the graph, the state or other actions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cache::{ContentStore, ScratchDir};
use sandbox::Cancel;

use crate::{Artifact, BuiltinError, Event, Events, Label, Progress};

/// Everything that one run of a builtin may use.
pub struct BuiltinContext {
    label: Label,
    store: ContentStore,
    inputs: Vec<(String, Artifact)>,
    events: Arc<dyn Events>,
    cancel: Cancel,
    out: OnceLock<ScratchDir>,
    produced: Mutex<BTreeMap<String, Artifact>>,
    notes: Mutex<Vec<u8>>,
    for_once: AtomicBool,
}

impl BuiltinContext {
    pub(crate) const fn new(
        label: Label,
        store: ContentStore,
        inputs: Vec<(String, Artifact)>,
        events: Arc<dyn Events>,
        cancel: Cancel,
    ) -> Self {
        let produced = Mutex::new(BTreeMap::new());
        let notes = Mutex::new(Vec::new());
        let for_once = AtomicBool::new(false);
        let out = OnceLock::new();
        Self { label, store, inputs, events, cancel, out, produced, notes, for_once }
    }

    /// Returns the label of the action. It may be used in messages only, because it is not part of the key.
    #[must_use]
    pub const fn label(&self) -> &Label {
        &self.label
    }

    /// Returns the content of the store, from which inputs are read and into which outputs are put.
    #[must_use]
    pub const fn store(&self) -> &ContentStore {
        &self.store
    }

    /// Lists all inputs with their names, in the order in which the action declares them.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, Artifact)> {
        self.inputs.iter().map(|(at, artifact)| (at.as_str(), *artifact))
    }

    /// Returns the input of this name.
    ///
    /// # Panics
    /// If the action declares no such input. The panic makes the action fail.
    #[must_use]
    pub fn input(&self, at: &str) -> Artifact {
        let found = self.inputs.iter().find(|(name, _)| name == at);
        found.unwrap_or_else(|| panic!("BUG: {} has no input `{at}`", self.label)).1
    }

    /// Returns the path of an input on disk: of a materialised tree, or of a file's blob. It must not be written to.
    ///
    /// # Errors
    /// [`BuiltinError::Missing`] if the store lacks one of its blobs.
    pub fn path(&self, at: &str) -> Result<PathBuf, BuiltinError> {
        match self.input(at) {
            Artifact::Tree(tree) => Ok(self.store.materialise(&tree)?),
            Artifact::File { digest, executable } => {
                self.store.blob_path(&digest, executable)?.ok_or(BuiltinError::Missing(digest))
            }
        }
    }

    /// Returns the bytes of an input that is a file.
    ///
    /// # Errors
    /// [`BuiltinError::Missing`] if the store lacks its blob.
    pub fn read(&self, at: &str) -> Result<Vec<u8>, BuiltinError> {
        let digest = *self.input(at).digest();
        self.store.get(&digest)?.ok_or(BuiltinError::Missing(digest))
    }

    /// Returns the private folder below which declared outputs may be written. It is empty at first.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn out(&self) -> Result<&Path, BuiltinError> {
        if self.out.get().is_none() {
            // If two threads of one builtin get here, the second folder is dropped again.
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

    /// Adds a line for the user, such as a warning. It becomes part of the result and is shown
    /// again on a hit.
    pub fn note(&self, line: &str) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend_from_slice(line.as_bytes());
        notes.push(b'\n');
    }

    /// Says that the result counts for this build only, because it depends on more than the key says. It goes into no
    /// cache, so the next build does the work again.
    pub fn only_this_once(&self) {
        self.for_once.store(true, Ordering::Relaxed);
    }

    /// Reports progress in bytes.
    pub fn progress(&self, done: u64, total: Option<u64>) {
        self.tell(Progress::Bytes { done, total });
    }

    /// Reports progress as a text that says what is being done now.
    pub fn status(&self, text: impl Into<String>) {
        self.tell(Progress::Text(text.into()));
    }

    /// Tells if the build was cancelled. A builtin that takes long asks now and then, and then returns
    /// [`BuiltinError::Cancelled`].
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Returns the handle by which the build is cancelled. A builtin passes it on to work in another process.
    #[must_use]
    pub const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Tells if the result counts for this build only.
    pub(crate) fn is_for_once(&self) -> bool {
        self.for_once.load(Ordering::Relaxed)
    }

    /// Returns the results of the builtin: the outputs that it named, the folder that it wrote to, and its notes.
    pub(crate) fn into_parts(self) -> (BTreeMap<String, Artifact>, Option<ScratchDir>, Vec<u8>) {
        let produced = self.produced.into_inner().unwrap_or_else(PoisonError::into_inner);
        let notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        (produced, self.out.into_inner(), notes)
    }

    fn tell(&self, progress: Progress) {
        self.events.event(Event::Progress { label: self.label.clone(), progress });
    }
}
