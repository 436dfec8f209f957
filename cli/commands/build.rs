//! `run build`: from run.toml to finished components in the output folder.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use cache::DiskStore;
use engine::{Build, Export, Failure, Label, Options, Outcome, Status, Target};
use rules::diagnose::{self, Suspect};
use rules::manifest::{Diagnostics, OptLevel};
use rules::plan::{self, Plan, PlannedComponent, Project, Selection};
use rules::toolchain::{Images, host_platform};

use super::session::{self, Session};
use super::toolchain;
use crate::arguments::{self, Build as Arguments};
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::signals;
use crate::ui::{self, Progress};

/// How many downloads run at once.
const DOWNLOADS: usize = 4;

/// Runs `run build`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let session = Session::open(config)?;
    let selection = selection(&session, &arguments.components)?;
    let store = session::store(config)?;
    let cancel = signals::cancel_on_signal()?;
    let lock = toolchain::lock_for_build(config, &session, &store, &selection, &cancel)?;
    let mut state = session.state(&store)?;
    let images = Arc::new(Images {
        lock,
        platform: host_platform(),
        function: store.function(),
        registries: session::registries(config, &session),
    });
    let project = Project { folder: &session.folder, manifest: &session.manifest, images: &images };
    let options = plan::Options {
        selection: &selection,
        release: is_release(arguments, &session),
        clients: session::clients(config),
    };
    let plan = plan::plan(project, &store, state.sources(), &options)
        .map_err(|problems| refuse(config, &session, problems))?;
    let exports = exports(&session, &plan);
    let progress = Arc::new(Progress::new(config.printer));
    let build = Build {
        graph: &plan.graph,
        targets: &targets(&plan),
        exports: &exports,
        options: engine_options(arguments, config),
        store: &store,
        state: &mut state,
        events: progress.clone(),
        cancel,
    };
    let outcome = build.run();
    progress.clear();
    let outcome = outcome.map_err(CommandError::from)?;
    sweep(config, &store, &outcome);
    Report { config, session: &session, plan: &plan, exports: &exports, started }.finish(&outcome)
}

/// Removes what killed builds left in the store, unless there was nothing to do.
fn sweep(config: &Config, store: &DiskStore, outcome: &Outcome) {
    if outcome.summary.ran > 0
        && let Err(error) = store.sweep()
    {
        config.printer.warning(&format!("cannot tidy up the store: {error}"));
    }
}

fn selection(session: &Session, names: &[String]) -> Result<Selection, CommandError> {
    Selection::new(&session.manifest, names).map_err(|error| {
        let nearest = error.nearest.as_ref().map(|name| format!("did you mean `{name}`?"));
        let error = CommandError::from_error(Kind::Usage, &error);
        match nearest {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

fn is_release(arguments: &Arguments, session: &Session) -> bool {
    match arguments.opt_level {
        Some(level) => level == arguments::OptLevel::Release,
        None => arguments.release || *session.manifest.build.opt_level == OptLevel::Release,
    }
}

/// Prints what can't be planned, each at its place in run.toml.
fn refuse(
    config: &Config,
    session: &Session,
    problems: Vec<rules::manifest::Diagnostic>,
) -> CommandError {
    let mut diagnostics = Diagnostics::new(session.manifest.source());
    problems.into_iter().for_each(|problem| diagnostics.push(problem));
    session::report(config, &diagnostics);
    CommandError::silent(Kind::Usage)
}

fn exports(session: &Session, plan: &Plan) -> Vec<Export> {
    let folder = session.manifest.output_dir();
    let export = |component: &PlannedComponent| Export {
        action: component.action,
        output: component.output.clone(),
        to: folder.join(format!("{}.wasm", component.name)),
    };
    plan.components.iter().map(export).collect()
}

fn targets(plan: &Plan) -> Vec<Target> {
    let last = |component: &PlannedComponent| {
        std::iter::once(component.action).chain(component.checks.clone())
    };
    plan.components.iter().flat_map(last).map(Target::known).collect()
}

fn engine_options(arguments: &Arguments, config: &Config) -> Options {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    Options {
        jobs: arguments.jobs.map_or_else(processors, usize::from),
        downloads: DOWNLOADS,
        keep_going: arguments.keep_going,
        offline: config.offline,
        keep_sandbox: arguments.sandbox_debug,
    }
}

/// What is printed when a build is over.
struct Report<'a> {
    config: &'a Config,
    session: &'a Session,
    plan: &'a Plan,
    exports: &'a [Export],
    /// When the command began: planning is part of what the user waits for.
    started: Instant,
}

impl Report<'_> {
    fn finish(&self, outcome: &Outcome) -> Result<ExitCode, CommandError> {
        let printer = &self.config.printer;
        for failure in &outcome.failures {
            let suspect = self.suspect(&failure.label);
            let hints = diagnose::hints(failure, suspect.as_ref());
            let component = suspect.map(|suspect| suspect.component);
            printer.line(ui::failure(printer, failure, component, &hints).trim_end());
        }
        if let Some(error) = &outcome.state_error {
            printer.warning(&format!("{error}: the next build will take longer"));
        }
        if printer.json {
            let succeeded = outcome.status == Status::Succeeded;
            ui::emit(&ui::build_finished(&self.outputs(outcome), succeeded));
        }
        self.summary(outcome);
        match outcome.status {
            Status::Succeeded => Ok(ExitCode::SUCCESS),
            Status::Interrupted => Err(CommandError::silent(Kind::Interrupted)),
            Status::Failed => Err(CommandError::silent(kind(&outcome.failures))),
        }
    }

    /// The component that an action belongs to.
    fn suspect(&self, label: &Label) -> Option<Suspect<'_>> {
        let component = self.plan.components.iter().find(|c| c.name == label.owner())?;
        Some(Suspect {
            component: &component.name,
            line: component.line,
            project: &self.session.folder,
        })
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

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The exit of a failed build: other bytes than pinned outweigh everything else.
fn kind(failures: &[Failure]) -> Kind {
    if failures.iter().any(|failure| failure.kind.is_mismatch()) {
        Kind::ChecksumMismatch
    } else {
        Kind::BuildFailed
    }
}
