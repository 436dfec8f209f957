//! Copies declared outputs from a folder into the store, after the work is done.

use std::path::Path;

use cache::{Entry, IngestError};

use super::{Executor, Job, Unfinished, failed, infrastructure};
use crate::failure::FailureKind;
use crate::{Artifact, Report};

impl Executor {
    /// Stores the declared output `path` of the folder `out`.
    pub(super) fn collect(
        &self,
        job: &Job,
        out: &Path,
        path: &str,
    ) -> Result<Artifact, Unfinished> {
        let action = &job.action;
        let entry = self.store.ingest_path(out, path).map_err(|error| match error {
            IngestError::Store(error) => infrastructure(action, &error),
            error => failed(action, FailureKind::BadOutput(Report::of(&error))),
        })?;
        match entry {
            None => Err(failed(action, FailureKind::MissingOutput(path.to_owned()))),
            Some(Entry::File { digest, executable }) => Ok(Artifact::File { digest, executable }),
            Some(Entry::Subtree(digest)) => Ok(Artifact::Tree(digest)),
            Some(Entry::Directory(_) | Entry::Symlink { .. }) => {
                panic!("BUG: the store took `{path}` as something else than a file or a folder")
            }
        }
    }
}
