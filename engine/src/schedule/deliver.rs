//! The last part of a build: makes sure that the blobs of targets are in the store, and writes the exports.
//!
//! Before this, the blobs of targets are not needed. If the store lacks one of them here, the build goes on and makes
//! it. Threads look at the files that earlier builds have exported, and only what is not there or has changed is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Scheduler;
use super::nodes::Phase;
use crate::execute::is_complete;
use crate::export::ExportedFile;
use crate::parallel;
use crate::success::Success;
use crate::{ActionId, Artifact, BuildError, Download, Export, ExportError, Exported};

impl<'a> Scheduler<'a> {
    /// Refuses exports of outputs that do not exist, before any action runs.
    pub(super) fn check_exports(&self) -> Result<(), BuildError> {
        for Export { action, output, .. } in self.build.exports {
            let action = self.action(*action);
            if !action.outputs.contains(output) {
                let (label, output) = (action.label.clone(), output.clone());
                return Err(ExportError::Undeclared { label, output }.into());
            }
        }
        Ok(())
    }

    /// Writes the exports, and checks that the blobs of targets are there. Returns `true` if an action has to run for that.
    pub(super) fn deliver(&mut self) -> Result<bool, BuildError> {
        let mut absent = self.absent_targets()?;
        let files = self.files_to_export()?;
        self.build.state.expect_exports(files.iter().map(|(_, file)| file))?;
        let seen = parallel::map(&files, parallel::STATS, |(_, file)| file.look_at());
        for ((place, file), seen) in files.iter().zip(seen) {
            match self.build.state.export(file, seen) {
                // An export that was written in an earlier round counts as written, although it is unchanged now.
                Ok(exported) => {
                    let slot = &mut self.exported[*place];
                    *slot = slot.filter(|old| *old == Exported::Written).or(Some(exported));
                }
                Err(ExportError::Write { source: cache::StoreExportError::Missing(_), .. }) => {
                    let producer = self.build.exports[*place].action;
                    if self.stays_away(producer) {
                        self.exported[*place] = Some(Exported::NotDownloaded);
                    } else {
                        absent.push(producer);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        if absent.is_empty() || !self.goes_on() {
            return Ok(false);
        }
        for id in absent {
            let lost = self.result(id).map(|result| result.outputs.clone()).unwrap_or_default();
            let lost: Vec<_> = lost.into_iter().map(|(_, artifact)| artifact).collect();
            if let Err(kind) = self.recover(id, &lost, None) {
                self.fail(id, kind);
            }
        }
        Ok(true)
    }

    /// Returns the result of an action that is done.
    pub(super) fn result(&self, id: ActionId) -> Option<&Arc<Success>> {
        self.nodes.success(id).filter(|_| self.nodes.phase(id) == Phase::Done)
    }

    /// Finds the targets whose blobs are wanted but missing in the store.
    fn absent_targets(&self) -> Result<Vec<ActionId>, BuildError> {
        let targets = self.build.targets.iter().filter(|target| target.present);
        let mut wanted: BTreeSet<ActionId> = targets.map(|target| target.action).collect();
        if self.build.options.download == Download::All {
            wanted.extend(self.ledger.remote());
        }
        let mut absent = Vec::new();
        for id in wanted.into_iter().filter(|id| !self.stays_away(*id)) {
            let outputs = self.result(id).map_or(&[][..], |result| &result.outputs);
            for (_, artifact) in outputs {
                if !is_complete(self.build.store, artifact)? {
                    absent.push(id);
                    break;
                }
            }
        }
        Ok(absent)
    }

    /// Tells if the outputs of an action stay in the remote, because nobody needs them here.
    fn stays_away(&self, id: ActionId) -> bool {
        self.build.options.download == Download::Minimal && self.ledger.is_remote(id)
    }

    /// Returns the files to export, each with its place among the exports. There is none for an action without a result.
    fn files_to_export(&self) -> Result<Vec<(usize, ExportedFile<'a>)>, BuildError> {
        let mut files = Vec::with_capacity(self.build.exports.len());
        for (place, Export { action, output, to }) in self.build.exports.iter().enumerate() {
            match self.result(*action).and_then(|result| result.artifact(output)) {
                Some(Artifact::File { digest, executable }) => {
                    files.push((place, ExportedFile { digest, executable, to }));
                }
                Some(Artifact::Tree(_)) => {
                    let (label, output) = (self.action(*action).label.clone(), output.clone());
                    return Err(ExportError::Folder { label, output }.into());
                }
                None => {}
            }
        }
        Ok(files)
    }
}
