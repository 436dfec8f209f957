//! Prints the result of a build: failures with hints, the components, and the summary.

use std::path::Path;
use std::time::Instant;

use cache::DiskStore;
use engine::{Exported, Failure, FailureKind, Outcome, Status, Summary};
use project::{Builder, Built, Project, SharedCache, Suspects};
use remote::{Traffic, Trouble};
use rules::diagnose;
use rules::plan::Plan;
use sandbox::Isolation;

use super::start;
use crate::command_error::{self, CommandError};
use crate::config::Config;
use crate::owner;
use crate::shared_cache;
use crate::ui::{self, Printer};

/// Prints the result of a build.
pub(super) struct Report<'a> {
    pub(super) config: &'a Config,
    pub(super) project: &'a Project,
    pub(super) plan: &'a Plan,
    pub(super) isolation: Isolation,
    /// The shared cache that the build used.
    pub(super) shared: Option<&'a SharedCache>,
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
            printer.line(self.failure(printer, failure, &suspects).trim_end());
        }
        if let Some(error) = &outcome.state_error {
            let why = &error.source;
            printer.warning(&format!("{error}: {why}; the next build will take longer"));
        }
        if printer.json {
            let succeeded = outcome.status == Status::Succeeded;
            ui::emit(&ui::build_finished(&self.outputs(built), self.isolation, succeeded));
        }
        let left =
            outcome.exports.iter().filter(|it| **it == Some(Exported::NotDownloaded)).count();
        if left > 0 {
            let components = counted(left, "component", "components");
            printer
                .status("Left", &format!("{components} in the shared cache (download = minimal)"));
        }
        self.summary(outcome);
    }

    /// Returns the whole report on a failure, with its hints.
    pub(super) fn failure(
        &self,
        printer: &Printer,
        failure: &Failure,
        suspects: &Suspects<'_>,
    ) -> String {
        let suspect = suspects.find(&failure.label);
        let mut hints = diagnose::hints(failure, suspect.as_ref(), self.plan.note(&failure.label));
        hints.extend(self.what_the_machine_lacks(failure));
        let component = suspect.map(|suspect| suspect.component);
        ui::failure(printer, failure, component, &hints)
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
            .filter(|(_, exported)| is_written(exported))
            .map(|((component, export), _)| {
                (component.name.clone(), shown(self.project, &export.to))
            })
            .collect()
    }

    fn summary(&self, outcome: &Outcome) {
        let summary = &outcome.summary;
        let traffic = self.shared.map(|shared| shared.client.traffic()).unwrap_or_default();
        let mut parts = hits(summary, traffic);
        parts.push(match summary.ran {
            0 => "nothing ran".to_owned(),
            ran => format!("{ran} ran"),
        });
        if summary.ran_on_cluster > 0 {
            parts.push(format!("{} of them on the cluster", summary.ran_on_cluster));
        }
        for (count, what) in [
            (summary.failed, "failed"),
            (summary.skipped, "skipped"),
            (summary.cancelled, "stopped"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if traffic.bytes_up > 0 {
            parts.push(format!("{} uploaded", ui::size(traffic.bytes_up)));
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

/// Says how many results were known, and where they came from if some came from the shared cache.
fn hits(summary: &Summary, traffic: Traffic) -> Vec<String> {
    if summary.remote_hits == 0 {
        return vec![counted(summary.hits, "hit", "hits")];
    }
    let remote = counted(summary.remote_hits, "remote hit", "remote hits");
    let mut parts = vec![format!("{remote} ({})", ui::size(traffic.bytes_down))];
    let local = summary.hits - summary.remote_hits;
    if local > 0 {
        parts.insert(0, counted(local, "local hit", "local hits"));
    }
    parts
}

/// Prints warnings about what went wrong with the cluster.
pub(super) fn tell_cluster(config: &Config, builder: &Builder, built: &Built) {
    let Some(cluster) = &builder.cluster else { return };
    let troubles = cluster.client.take_troubles();
    forget_if_wrong(&builder.project, &troubles);
    if built.outcome.status != Status::Interrupted {
        troubles.iter().for_each(|trouble| config.printer.warning(&trouble.to_string()));
    }
}

/// Forgets what is remembered of servers if one of them speaks another digest function now.
fn forget_if_wrong(project: &Project, troubles: &[Trouble]) {
    if troubles.iter().any(|trouble| matches!(trouble, Trouble::DigestFunction { .. })) {
        shared_cache::forget(project);
    }
}

/// Prints warnings about what went wrong with the shared cache.
///
/// # Errors
/// If the cache is required, and could not be used.
pub(super) fn tell_troubles(
    config: &Config,
    builder: &Builder,
    built: &Built,
) -> Result<(), CommandError> {
    let Some(shared) = &builder.shared else { return Ok(()) };
    let troubles = shared.client.take_troubles();
    forget_if_wrong(&builder.project, &troubles);
    let cancelled = built.outcome.status == Status::Interrupted;
    let unfinished = built.outcome.unfinished_uploads;
    if unfinished > 0 && !cancelled {
        let results = counted(unfinished, "result was", "results were");
        config.printer.warning(&format!(
            "{results} not uploaded to the shared cache, because the uploads took too long"
        ));
    }
    // The error of a build that failed is more important.
    if !shared.is_required || built.outcome.status != Status::Succeeded {
        troubles.iter().for_each(|trouble| config.printer.warning(&trouble.to_string()));
        return Ok(());
    }
    let is_fatal = |trouble: &&Trouble| !matches!(trouble, Trouble::Untrusted { .. });
    let fatal = troubles.iter().find(is_fatal);
    let others = troubles.iter().filter(|trouble| fatal != Some(trouble));
    others.for_each(|trouble| config.printer.warning(&trouble.to_string()));
    match fatal {
        Some(trouble) => Err(shared_cache::required(trouble)),
        None => Ok(()),
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

/// Tells if the file of an export is there.
pub(super) fn is_written(exported: &Option<Exported>) -> bool {
    matches!(exported, Some(Exported::Written | Exported::Untouched))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
