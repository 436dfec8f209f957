//! Makes a file tree on disk for each command of a sandbox without namespaces.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::folders;
use super::layout::TreeEntry;
use super::plan::path;
use super::root::{Root, RootError};
use crate::linux::view::covers::hide_machine;
use crate::linux::wire::plan::{Plan, TranslationPlan};

/// The folder in which the file trees of a sandbox's commands are made.
#[derive(Debug)]
pub(super) struct Trees {
    folder: PathBuf,
    translated: TranslationPlan,
    count: AtomicU64,
}

impl Trees {
    /// Creates the folder inside `folder`. If `is_guarded` is true, commands are kept from going
    /// around the translation of paths.
    pub(super) fn new(folder: &Path, is_guarded: bool) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        // The kernel names files by paths without links.
        let folder = fs::canonicalize(folder)?;
        let folder = folder.join(format!("sandbox-{}-{number}", std::process::id()));
        let copies = folder.join("programs");
        fs::create_dir_all(&copies)?;
        let translated = TranslationPlan { copies: path(&copies), is_guarded };
        Ok(Self { folder, translated, count: AtomicU64::new(0) })
    }

    /// Makes the tree of a command with these entries, and adds it to the plan.
    pub(super) fn show(&self, entries: &[TreeEntry], plan: &mut Plan) -> Result<Root, RootError> {
        let cpus = plan.limits.cpu_count();
        let covers =
            plan.determinism.map(|determinism| hide_machine(determinism, cpus, &plan.view.host));
        let covers = covers.transpose().map_err(|source| RootError {
            folder: self.folder.clone(),
            entry: None,
            source,
        })?;
        // The command runs as the caller, and finds this number in `/etc`.
        plan.view.user = plan.account.uid;
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let folder = self.folder.join(format!("tree-{number}"));
        let root = Root::make(folder, entries, &plan.view, &covers.unwrap_or_default())?;
        plan.mounts = root.mounts().to_vec();
        plan.translated = Some(self.translated.clone());
        Ok(root)
    }
}

impl Drop for Trees {
    fn drop(&mut self) {
        // What can't be removed is removed with the caller's folder.
        let _ = folders::remove(&self.folder);
    }
}
