//! The last part of a build: what was asked for is put where it was asked for.
//!
//! Only here are the blobs of targets needed at all. If the store lacks one, the build goes on.

use super::Scheduler;
use super::nodes::Phase;
use crate::execute::is_complete;
use crate::success::Success;
use crate::{ActionId, Artifact, BuildError, Export, ExportError, Exported};

/// What became of an export.
enum Delivery {
    /// The output is where it should be.
    There(Exported),
    /// The store lacks it.
    Absent,
    /// Its action gave nothing.
    Nothing,
}

impl Scheduler<'_> {
    /// Refuses exports of what is no output, before anything is done.
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

    /// Sees to it that everything asked for is there. Returns whether something has to run for it.
    pub(super) fn deliver(&mut self) -> Result<bool, BuildError> {
        let mut absent = self.absent_targets()?;
        self.expect_exports()?;
        for (place, export) in self.build.exports.iter().enumerate() {
            match self.export(export)? {
                Delivery::Absent => absent.push(export.action),
                Delivery::Nothing => {}
                // What was written in an earlier round was not there when the build began.
                Delivery::There(exported) => {
                    let slot = &mut self.exported[place];
                    *slot = slot.filter(|old| *old == Exported::Written).or(Some(exported));
                }
            }
        }
        if absent.is_empty() || !self.goes_on() {
            return Ok(false);
        }
        for id in absent {
            if let Err(kind) = self.remake(id, None) {
                self.fail(id, kind);
            }
        }
        Ok(true)
    }

    /// The result of an action that is done.
    pub(super) fn result(&self, id: ActionId) -> Option<&Success> {
        self.nodes.success(id).filter(|_| self.nodes.phase(id) == Phase::Done)
    }

    /// The targets whose blobs are asked for and not there.
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

    /// Notes what is going to be written, before any of it is.
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
            None => return Ok(Delivery::Nothing),
            Some(Artifact::File { digest, executable }) => (digest, executable),
            Some(Artifact::Tree(_)) => {
                let label = self.action(export.action).label.clone();
                return Err(ExportError::Folder { label, output: export.output.clone() }.into());
            }
        };
        match self.build.state.export(&digest, executable, &export.to) {
            Ok(exported) => Ok(Delivery::There(exported)),
            Err(ExportError::Write { source: cache::ExportError::Missing(_), .. }) => {
                Ok(Delivery::Absent)
            }
            Err(error) => Err(error.into()),
        }
    }
}
