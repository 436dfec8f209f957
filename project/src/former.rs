//! Removes the files that earlier builds wrote into the project and the present build no longer makes.
//!
//! The engine keeps the list of these files and decides which of them may be removed ([`OutputJournal`]).
//! This file also removes the folders that become empty.

use std::fs;
use std::path::Path;

use engine::{Fate, FormerOutput, OutputJournal};

use crate::{Error, Project};

impl Project {
    /// Removes the files that earlier builds wrote and that `current` does not contain, unless they have been
    /// changed, and the folders that become empty. Returns the fate of each file.
    ///
    /// # Errors
    /// [`Error::Outputs`].
    pub fn remove_former<'a>(
        &self,
        outputs: &mut OutputJournal,
        current: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Vec<FormerOutput>, Error> {
        let former = outputs.remove_former(current).map_err(Error::Outputs)?;
        let removed = former.iter().filter(|former| matches!(former.fate, Fate::Removed));
        removed.for_each(|former| self.remove_empty_folders(&former.path));
        Ok(former)
    }

    /// Removes the folders above a removed file that are empty now, up to the project's own, which stays.
    pub fn remove_empty_folders(&self, path: &Path) {
        let above = path.ancestors().skip(1).take_while(|folder| *folder != self.folder);
        for folder in above.filter(|folder| folder.starts_with(&self.folder)) {
            // This fails for a folder that is not empty, which stays.
            if fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }
}
