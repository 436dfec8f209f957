//! Runs a builtin on the current thread, and catches its panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::{Executor, Job, Unfinished, WorkOutput, failed};
use crate::builtin::{Builtin, BuiltinError};
use crate::context::BuiltinContext;
use crate::failure::FailureKind;
use crate::{Messages, Usage};

impl Executor {
    pub(super) fn builtin(
        &self,
        job: &Job,
        builtin: &dyn Builtin,
    ) -> Result<WorkOutput, Unfinished> {
        let names = job.action.inputs.iter().map(|input| input.at.clone());
        let context = BuiltinContext::new(
            job.action.label.clone(),
            self.store.content().clone(),
            names.zip(job.inputs.iter().copied()).collect(),
            Arc::clone(&self.events),
            self.cancel.clone(),
        );
        // The context is not used after a panic, so a half changed one can't be seen.
        match catch_unwind(AssertUnwindSafe(|| builtin.run(&context))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.refused(job, error)),
            Err(panic) => {
                return Err(failed(&job.action, FailureKind::Panicked(text_of(panic.as_ref()))));
            }
        }
        let for_once = context.is_for_once();
        let (mut produced, out, notes) = context.into_parts();
        let outputs = job.action.outputs.iter().map(|path| {
            let artifact = match (produced.remove(path), &out) {
                (Some(artifact), _) => artifact,
                (None, Some(out)) => self.collect(job, out.path(), path)?,
                (None, None) => {
                    return Err(failed(&job.action, FailureKind::MissingOutput(path.clone())));
                }
            };
            Ok((path.clone(), artifact))
        });
        let outputs = outputs.collect::<Result<_, _>>()?;
        let messages = Messages { stdout: Vec::new(), stderr: notes };
        let usage = Usage::default();
        Ok(WorkOutput { outputs, messages, usage, missing: Vec::new(), for_once })
    }

    fn refused(&self, job: &Job, error: BuiltinError) -> Unfinished {
        let kind = match error {
            BuiltinError::Missing(digest) => return self.missing(job, digest),
            BuiltinError::Cancelled => return Unfinished::Cancelled,
            BuiltinError::TimedOut(limit) => FailureKind::TimedOut(limit),
            BuiltinError::OutOfMemory(limit) => FailureKind::OutOfMemory(Some(limit)),
            BuiltinError::Panicked(said) => FailureKind::Panicked(said),
            BuiltinError::Failed(report) => FailureKind::Builtin(report),
            BuiltinError::Mismatch(report) => FailureKind::Mismatch(report),
            BuiltinError::Infrastructure(report) => FailureKind::Infrastructure(report),
        };
        failed(&job.action, kind)
    }
}

/// Returns the text of a panic, if it has one.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
