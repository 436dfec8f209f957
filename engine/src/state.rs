//! The incremental state: everything that is remembered of a project from one build to the next.
//!
//! A correct build needs nothing of it. It only saves reading sources, looking into the
//! action cache and writing outputs again. So a state that is missing, broken, or made with another
//! store counts as empty and is no error. If two builds run at once, the state of the one that ends last is kept.

mod known;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{DigestFunction, DiskStore};

use crate::export::{self, ExportRecord, ExportedFile};
use crate::key::ActionKey;
use crate::stat::Stat;
use crate::stat_cache::StatCache;
use crate::state_file::{
    ActionMessage, ExportMessage, FileMessage, StateMessage, StateWriter, TreeMessage,
};
use crate::success::Success;
use crate::{ExportError, Exported, Label, OutputJournal, Sources};

/// The largest size of the file in bytes, enough for a million sources. This program writes no longer one, so a longer
/// one counts as lost.
const LONGEST: u64 = 512 << 20;

/// The number of saves for which an unused result of an action is kept.
const KEEP: u32 = 32;

/// The incremental state of one project.
#[derive(Debug)]
pub struct State {
    file: PathBuf,
    store: DiskStore,
    sources: Sources,
    actions: BTreeMap<Label, LastResult>,
    exports: BTreeMap<Vec<u8>, ExportRecord>,
    outputs: OutputJournal,
    changed: bool,
}

/// The incremental state as it was saved. Reading it needs no store, so a thread can read it while the store is opened.
#[derive(Debug)]
pub struct SavedState {
    file: PathBuf,
    /// The [`identity`] of the store that it was made with.
    store: String,
    stats: StatCache,
    actions: BTreeMap<Label, LastResult>,
    exports: BTreeMap<Vec<u8>, ExportRecord>,
    outputs: OutputJournal,
}

/// The last result of an action.
#[derive(Debug)]
struct LastResult {
    key: ActionKey,
    success: Arc<Success>,
    age: u32,
}

/// The error that a file of the state could not be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write `{}`", .path.display())]
pub struct StateError {
    /// The file.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl State {
    /// Reads the state of a project from `file`, usually `.run/state`. Its folder has to exist. It should
    /// lie on the file system of the sources, whose clock is then read by a new file in this folder.
    #[must_use]
    pub fn open(store: &DiskStore, file: &Path) -> Self {
        Self::of(store, SavedState::read(file, store.function()))
    }

    /// Goes on from a saved state. It counts as empty if it was made with another store. The folder of its file has to
    /// exist.
    #[must_use]
    pub fn of(store: &DiskStore, saved: SavedState) -> Self {
        let SavedState { file, store: made_with, stats, actions, exports, outputs } = saved;
        let is_ours = made_with == identity(store);
        let (stats, actions, exports) =
            if is_ours { (stats, actions, exports) } else { Default::default() };
        let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
        Self {
            file,
            store: store.clone(),
            sources: Sources::new(store.clone(), folder, stats),
            actions,
            exports,
            outputs,
            changed: false,
        }
    }

    /// Returns the project's source files.
    pub const fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    /// Returns the journal of the files that builds have exported, which outlives the state.
    pub const fn outputs(&mut self) -> &mut OutputJournal {
        &mut self.outputs
    }

    /// Adds files that are about to be exported to the journal.
    pub(crate) fn expect_exports<'a>(
        &mut self,
        files: impl Iterator<Item = &'a ExportedFile<'a>>,
    ) -> Result<(), StateError> {
        let noted = self.outputs.expect(files.map(|file| (file.to, file.digest)));
        noted.map_err(|source| StateError { path: self.outputs.journal().to_owned(), source })
    }

    /// Returns the record of the file that was exported to `to`.
    #[must_use]
    pub fn exported(&self, to: &Path) -> Option<&ExportRecord> {
        self.exports.get(to.as_os_str().as_bytes())
    }

    /// Writes a file, unless it is as an earlier export left it. A file that was changed, or is
    /// unknown, is compared with the blob, and replaced if it differs. `seen` is the stat that the file has, if it exists.
    ///
    /// # Errors
    /// If the store lacks the blob or the file can't be written.
    pub(crate) fn export(
        &mut self,
        file: &ExportedFile<'_>,
        seen: Option<Stat>,
    ) -> Result<Exported, ExportError> {
        let same = |record: &ExportRecord| {
            record.digest == file.digest
                && record.executable == file.executable
                && seen == Some(record.stat)
        };
        if self.exported(file.to).is_some_and(same) {
            return Ok(Exported::Untouched);
        }
        let (written, record) = export::write(&self.store, file)?;
        self.exports.insert(file.to.as_os_str().as_bytes().to_vec(), record);
        self.changed = true;
        Ok(if written { Exported::Written } else { Exported::Untouched })
    }

    /// Writes the state to its file, if there is anything new in it. The file is replaced atomically, so a reader sees
    /// either the old state or the new one.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn save(&mut self) -> Result<(), StateError> {
        if !self.changed && !self.sources.stats().is_changed() {
            return Ok(());
        }
        let bytes = self.encoded();
        replace(&self.file, &bytes)
            .map_err(|source| StateError { path: self.file.clone(), source })?;
        self.changed = false;
        self.sources.stats().saved();
        Ok(())
    }

    /// Returns the last result of the action `label`, if it had this key.
    pub(crate) fn result(&mut self, label: &Label, key: ActionKey) -> Option<&Arc<Success>> {
        let record = self.actions.get_mut(label)?;
        record.age = 0;
        (record.key == key).then_some(&record.success)
    }

    /// Returns the key that the action `label` had when it was last known.
    pub(crate) fn last_key(&self, label: &Label) -> Option<ActionKey> {
        self.actions.get(label).map(|record| record.key)
    }

    pub(crate) fn record(&mut self, label: &Label, key: ActionKey, success: &Arc<Success>) {
        if self.result(label, key) == Some(success) {
            return;
        }
        self.actions
            .insert(label.clone(), LastResult { key, success: Arc::clone(success), age: 0 });
        self.changed = true;
    }

    /// Returns the content of the state's file.
    fn encoded(&mut self) -> Vec<u8> {
        let mut writer = StateWriter::new(identity(&self.store));
        let stats = self.sources.stats();
        let files = stats.aged_files().map(|(path, file)| FileMessage::new(path, &file));
        writer.entries(files, |files| StateMessage { files, ..StateMessage::default() });
        let trees = stats.aged_trees().map(|(tree, age)| TreeMessage::new(tree, age));
        writer.entries(trees, |trees| StateMessage { trees, ..StateMessage::default() });
        let actions = self.actions.iter().filter(|(_, record)| record.age < KEEP);
        let actions = actions.map(|(label, LastResult { key, success, age })| {
            ActionMessage::new(label, &key.0, success, age + 1)
        });
        writer.entries(actions, |actions| StateMessage { actions, ..StateMessage::default() });
        let exports = self.exports.iter().filter(|(_, record)| record.settled);
        let exports = exports.map(|(path, record)| ExportMessage::new(path, record));
        writer.entries(exports, |exports| StateMessage { exports, ..StateMessage::default() });
        writer.finish()
    }
}

impl SavedState {
    /// Reads the state of a project from `file`, which was saved with digests of this function.
    #[must_use]
    pub fn read(file: &Path, function: DigestFunction) -> Self {
        // If the path is anything but a readable file, there is no state.
        let bytes = cache::read_regular(file, LONGEST).ok();
        let message = bytes.and_then(|bytes| StateMessage::from_bytes(&bytes)).unwrap_or_default();
        let files = message.files.into_iter().map(|file| file.read(function));
        let trees = message.trees.iter().map(|tree| tree.read(function));
        let actions = message.actions.into_iter().filter_map(|action| {
            let age = action.age;
            let (label, key, success) = action.read(function)?;
            Some((label, LastResult { key: ActionKey(key), success: Arc::new(success), age }))
        });
        let exports = message.exports.into_iter().map(|export| export.read(function));
        let folder = file.parent().unwrap_or(Path::new("."));
        let base = folder.parent().unwrap_or(folder).to_owned();
        Self {
            file: file.to_owned(),
            store: message.store,
            stats: StatCache::new(files, trees),
            actions: actions.collect(),
            exports: exports.collect(),
            outputs: OutputJournal::read(file.with_file_name("outputs"), base),
        }
    }
}

/// Returns a text that identifies the store, and the digest function, that a state refers to.
fn identity(store: &DiskStore) -> String {
    format!("{} {}", store.id(), store.function())
}

/// Replaces a file atomically.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(bytes)?;
    fresh.persist(file).map_err(|error| error.error)?;
    Ok(())
}
