//! Where the file trees of commands without mounts are made, one for each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::root::{NotMade, Root};
use crate::linux::determinism::hide_machine;
use crate::linux::layout::Entry;
use crate::linux::plan::{self, Plan, Translated};

/// The folder of a sandbox for its commands' trees.
#[derive(Debug)]
pub(in crate::linux) struct Trees {
    folder: PathBuf,
    translated: Translated,
    count: AtomicU64,
}

impl Trees {
    /// Makes the folder inside `folder`. If commands are guarded, they are kept from going around the
    /// translation.
    pub(in crate::linux) fn new(folder: &Path, is_guarded: bool) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        // What the kernel says of files has no links in it.
        let folder = fs::canonicalize(folder)?;
        let folder = folder.join(format!("sandbox-{}-{number}", std::process::id()));
        let copies = folder.join("programs");
        fs::create_dir_all(&copies)?;
        let translated = Translated { copies: plan::path(&copies), is_guarded };
        Ok(Self { folder, translated, count: AtomicU64::new(0) })
    }

    /// Makes the tree of a command with these entries, and has it planned.
    pub(in crate::linux) fn show(
        &self,
        entries: &[Entry],
        plan: &mut Plan,
    ) -> Result<Root, NotMade> {
        let cpus = plan.limits.cpu_count();
        let covers =
            plan.determinism.map(|determinism| hide_machine(determinism, cpus, &plan.view.host));
        let covers = covers.transpose().map_err(|source| NotMade {
            folder: self.folder.clone(),
            entry: None,
            source,
        })?;
        // Commands are the caller, and find that name in `/etc`.
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
        // What stays goes with the caller's folder.
        let _ = crate::linux::folders::remove(&self.folder);
    }
}
