//! The last part of a build: makes sure that the blobs of targets are in the store, and writes the exports.
//!
//! Before this, the blobs of targets are not needed. If the store lacks one of them here, the build goes on and makes
//! it. Threads look at the files that earlier builds have exported, and only what is not there or has changed is written.

use std::sync::Arc;

use super::Scheduler;
use super::nodes::Phase;
use crate::execute::is_complete;
use crate::success::Success;
use crate::{ActionId, Artifact, BuildError, Export, ExportError, Exported};

/// The result of an attempt to write an export.
enum Delivery {
    /// The output is where it should be.
    Delivered(Exported),
    /// The store lacks the output.
    Absent,
    /// The action has no result.
    NoResult,
}

impl Scheduler<'_> {
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
        self.expect_exports()?;
        for (place, export) in self.build.exports.iter().enumerate() {
            match self.export(export)? {
                Delivery::Absent => absent.push(export.action),
                Delivery::NoResult => {}
                // An export that was written in an earlier round counts as written, although it is unchanged now.
                Delivery::Delivered(exported) => {
                    let slot = &mut self.exported[place];
                    *slot = slot.filter(|old| *old == Exported::Written).or(Some(exported));
                }
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
        let mut absent = Vec::new();
        for target in self.build.targets.iter().filter(|target| target.present) {
            let outputs = self.result(target.action).map_or(&[][..], |result| &result.outputs);
            for (_, artifact) in outputs {
                if !is_complete(self.build.store, artifact)? {
                    absent.push(target.action);
                    break;
                }
            }
        }
        Ok(absent)
    }

    /// Adds the files that are going to be written to the journal, before any of them is written.
    fn expect_exports(&mut self) -> Result<(), BuildError> {
        let file = |export: &'_ Export| {
            let success = self.result(export.action)?;
            Some(*success.artifact(&export.output)?.digest())
        };
        let exports = self.build.exports;
        let files = exports.iter().filter_map(|export| Some((export.to.as_path(), file(export)?)));
        let files: Vec<_> = files.collect();
        Ok(self.build.state.expect_exports(&files)?)
    }

    fn export(&mut self, export: &Export) -> Result<Delivery, BuildError> {
        let artifact =
            self.result(export.action).and_then(|result| result.artifact(&export.output));
        let (digest, executable) = match artifact {
            None => return Ok(Delivery::NoResult),
            Some(Artifact::File { digest, executable }) => (digest, executable),
            Some(Artifact::Tree(_)) => {
                let label = self.action(export.action).label.clone();
                return Err(ExportError::Folder { label, output: export.output.clone() }.into());
            }
        };
        match self.build.state.export(&digest, executable, &export.to) {
            Ok(exported) => Ok(Delivery::Delivered(exported)),
            Err(ExportError::Write { source: cache::StoreExportError::Missing(_), .. }) => {
                Ok(Delivery::Absent)
            }
            Err(error) => Err(error.into()),
        }
    }
}
