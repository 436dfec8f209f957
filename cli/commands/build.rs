//! `run build`: from run.toml to finished components in the output folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use engine::{
    Export, Failure, FailureKind, Fate, Former, Label, Options, Outcome, Outputs, Status,
};
use rules::diagnose::{self, Suspect};
use rules::plan::{Plan, PlannedComponent};
use sandbox::Isolation;

use super::session::Session;
use super::workshop::Workshop;
use crate::arguments::Build as Arguments;
use crate::command_error::{self, CommandError, Kind};
use crate::config::Config;
use crate::owner;
use crate::ui;

/// Runs `run build`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let isolation = Isolation::from(arguments.sandbox);
    if isolation != Isolation::default() {
        let name = isolation.name();
        config.printer.warning(&format!(
            "--sandbox {name}: actions may see more of this machine than they declare, so these \
             results are used by no other build than those with --sandbox {name}"
        ));
    }
    let workshop = Workshop::open(config, &arguments.what, isolation)?;
    let session = &workshop.session;
    let mut state = session.state(&workshop.store)?;
    let plan = workshop.plan(&session.folder, &session.manifest, state.sources())?;
    plan.warnings.iter().for_each(|warning| config.printer.warning(warning));
    let exports = workshop.exports(&plan);
    let options = Options {
        keep_going: arguments.keep_going,
        keep_sandbox: arguments.sandbox_debug,
        ..workshop.options()
    };
    let outcome = workshop.build(&plan, &mut state, &exports, options)?;
    if outcome.status == Status::Succeeded && workshop.builds_everything() {
        let current = exports.iter().map(|export| export.to.clone()).collect();
        remove_former(config, session, state.outputs(), &current)?;
    }
    let report = Report { config, session, plan: &plan, exports: &exports, isolation, started };
    report.finish(&outcome)?;
    Ok(ExitCode::SUCCESS)
}

/// What is printed when a build is over.
pub(super) struct Report<'a> {
    pub(super) config: &'a Config,
    pub(super) session: &'a Session,
    pub(super) plan: &'a Plan,
    pub(super) exports: &'a [Export],
    pub(super) isolation: Isolation,
    /// When the command began: planning is part of what the user waits for.
    pub(super) started: Instant,
}

impl Report<'_> {
    /// Prints it; an error if the build did not succeed.
    pub(super) fn finish(&self, outcome: &Outcome) -> Result<(), CommandError> {
        let printer = &self.config.printer;
        let suspects = Suspects::new(self.plan, &self.session.folder);
        for failure in &outcome.failures {
            let suspect = suspects.find(&failure.label);
            let mut hints = diagnose::hints(failure, suspect.as_ref());
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
            ui::emit(&ui::build_finished(&self.outputs(outcome), self.isolation, succeeded));
        }
        self.summary(outcome);
        match outcome.status {
            Status::Succeeded => Ok(()),
            Status::Interrupted => Err(CommandError::silent(Kind::Interrupted)),
            Status::Failed => Err(CommandError::silent(kind(&outcome.failures))),
        }
    }

    /// What to do about a machine that is at fault.
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

    /// The components that were exported, with their paths.
    fn outputs(&self, outcome: &Outcome) -> Vec<(String, String)> {
        let components = self.plan.components.iter().zip(self.exports).zip(&outcome.exports);
        components
            .filter(|(_, exported)| exported.is_some())
            .map(|((component, export), _)| (component.name.clone(), self.shown(&export.to)))
            .collect()
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.session.folder).unwrap_or(path).display().to_string()
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

/// Which component an action belongs to.
pub(super) struct Suspects<'a> {
    project: &'a Path,
    by_name: BTreeMap<&'a str, &'a PlannedComponent>,
}

impl<'a> Suspects<'a> {
    pub(super) fn new(plan: &'a Plan, project: &'a Path) -> Self {
        let components = plan.components.iter();
        let by_name = components.map(|component| (component.name.as_str(), component)).collect();
        Self { project, by_name }
    }

    pub(super) fn find(&self, label: &Label) -> Option<Suspect<'a>> {
        let component = self.by_name.get(label.owner())?;
        let PlannedComponent { name, line, has_wit, .. } = component;
        Some(Suspect { component: name, line: *line, has_wit: *has_wit, project: self.project })
    }
}

/// Takes away what earlier builds wrote and `current` does not hold, as far as it is still as they left it.
fn remove_former(
    config: &Config,
    session: &Session,
    outputs: &mut Outputs,
    current: &BTreeSet<PathBuf>,
) -> Result<(), CommandError> {
    for Former { path, fate } in former(outputs, current)? {
        let shown = path.strip_prefix(&session.folder).unwrap_or(&path).display().to_string();
        if config.printer.json && !matches!(fate, Fate::Stuck(_)) {
            ui::emit(&ui::removed(&shown, matches!(fate, Fate::Removed)));
        }
        match fate {
            Fate::Removed => {
                config.printer.status("Removed", &shown);
                remove_empty_folders(&session.folder, &path);
            }
            Fate::Changed => config.printer.warning(&format!(
                "`{shown}` is made no longer; it stays, as somebody has changed it since it was written"
            )),
            Fate::Stuck(error) => {
                config.printer.warning(&format!("cannot remove `{shown}`, which is made no longer: {error}"));
            }
        }
    }
    Ok(())
}

/// Removes what earlier builds wrote and `current` does not hold.
pub(super) fn former(
    outputs: &mut Outputs,
    current: &BTreeSet<PathBuf>,
) -> Result<Vec<Former>, CommandError> {
    outputs.remove_former(current).map_err(|source| {
        CommandError::environment("cannot write `.run/outputs`").caused_by(&source)
    })
}

/// Removes the folders above a removed file that are empty now, up to the project's own.
pub(super) fn remove_empty_folders(project: &Path, path: &Path) {
    let above = path.ancestors().skip(1).take_while(|folder| *folder != project);
    for folder in above.filter(|folder| folder.starts_with(project)) {
        // A folder in which something else lies stays.
        if std::fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The exit of a failed build: other bytes than pinned outweigh everything else, then what the machine lacks.
fn kind(failures: &[Failure]) -> Kind {
    let any = |is: fn(&FailureKind) -> bool| failures.iter().any(|failure| is(&failure.kind));
    match () {
        () if any(FailureKind::is_mismatch) => Kind::ChecksumMismatch,
        () if any(|kind| matches!(kind, FailureKind::NoRoom { .. })) => Kind::Environment,
        () if any(FailureKind::is_for_want_of_processes) => Kind::Environment,
        () => Kind::BuildFailed,
    }
}
