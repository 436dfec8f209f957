//! Prints the result of a build: failures with hints, the components, and the summary.

use std::path::Path;
use std::time::Instant;

use cache::DiskStore;
use engine::{Failure, FailureKind, Outcome, Status};
use project::{Built, Project, Suspects};
use rules::diagnose;
use rules::plan::Plan;
use sandbox::Isolation;

use super::start;
use crate::command_error;
use crate::config::Config;
use crate::owner;
use crate::ui;

/// Prints the result of a build.
pub(super) struct Report<'a> {
    pub(super) config: &'a Config,
    pub(super) project: &'a Project,
    pub(super) plan: &'a Plan,
    pub(super) isolation: Isolation,
    /// The time at which the command began. Planning is part of what the user waits for.
    pub(super) started: Instant,
}

impl Report<'_> {
    /// Prints failures with their hints, the result for programs, and the summary.
    pub(super) fn print(&self, built: &Built) {
        let printer = &self.config.printer;
        let outcome = &built.outcome;
        let suspects = Suspects::new(self.plan, &self.project.folder);
        for failure in &outcome.failures {
            let suspect = suspects.find(&failure.label);
            let mut hints =
                diagnose::hints(failure, suspect.as_ref(), self.plan.note(&failure.label));
            hints.extend(self.what_the_machine_lacks(failure));
            let component = suspect.map(|suspect| suspect.component);
            printer.line(ui::failure(printer, failure, component, &hints).trim_end());
        }
        if let Some(error) = &outcome.state_error {
            let why = &error.source;
            printer.warning(&format!("{error}: {why}; the next build will take longer"));
        }
        if printer.json {
            let succeeded = outcome.status == Status::Succeeded;
            ui::emit(&ui::build_finished(&self.outputs(built), self.isolation, succeeded));
        }
        self.summary(outcome);
    }

    /// Returns a hint if the machine is the reason of a failure.
    fn what_the_machine_lacks(&self, failure: &Failure) -> Option<String> {
        const DENIED: &str = "(os error 13)";
        let store = self.config.store.display().to_string();
        let reason = failure.kind.to_string();
        match &failure.kind {
            FailureKind::NoRoom { .. } => Some(command_error::NO_ROOM.to_owned()),
            kind if kind.is_for_want_of_processes() => Some(command_error::NO_PROCESS.to_owned()),
            kind if kind.is_infrastructure()
                && reason.contains(DENIED)
                && reason.contains(&store) =>
            {
                Some(owner::hint_about_the_inside(&self.config.store))
            }
            _ => None,
        }
    }

    /// Returns the components that were exported, with their paths.
    fn outputs(&self, built: &Built) -> Vec<(String, String)> {
        let components = self.plan.components.iter();
        let components = components.zip(&built.exports).zip(&built.outcome.exports);
        components
            .filter(|(_, exported)| exported.is_some())
            .map(|((component, export), _)| {
                (component.name.clone(), shown(self.project, &export.to))
            })
            .collect()
    }

    fn summary(&self, outcome: &Outcome) {
        let summary = &outcome.summary;
        let mut parts = vec![counted(summary.hits, "hit", "hits")];
        parts.push(match summary.ran {
            0 => "nothing ran".to_owned(),
            ran => format!("{ran} ran"),
        });
        for (count, what) in [
            (summary.failed, "failed"),
            (summary.skipped, "skipped"),
            (summary.cancelled, "stopped"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        let verb = match outcome.status {
            Status::Succeeded => "Finished",
            Status::Failed => "Failed",
            Status::Interrupted => "Interrupted",
        };
        self.config.printer.status(
            verb,
            &format!(
                "{}: {} in {}",
                counted(summary.actions, "action", "actions"),
                parts.join(", "),
                ui::duration(self.started.elapsed())
            ),
        );
    }
}

/// Prints warnings about the faults of the store during a build.
pub(super) fn tell_faults(config: &Config, store: &DiskStore, built: &Built) {
    start::tell_faults(config, store);
    if let Some(error) = &built.untidy {
        config.printer.warning(&format!("cannot tidy up the store: {error}"));
    }
}

/// Returns a path as it is shown: relative to the project's folder if it lies there.
pub(super) fn shown(project: &Project, path: &Path) -> String {
    path.strip_prefix(&project.folder).unwrap_or(path).display().to_string()
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
