//! `run build`: builds the components of run.toml and writes them into the output folder.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use ::cache::Counts;
use engine::{Events, Fate, FormerOutput, State, Status};
use project::{Builder, Built, Project, StateAhead};
use sandbox::Isolation;

use super::report::{self, Report};
use super::{cache, prepare, start};
use crate::arguments::Build as Arguments;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::signals;
use crate::ui::{self, Progress};

/// Runs `run build`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let isolation = Isolation::from(arguments.sandbox);
    start::warn_of(config, isolation);
    let folder = Project::find(&config.directory)?;
    let state = StateAhead::begin(&folder, config.digest_function);
    let cancel = signals::cancel_on_signal()?;
    let mut builder = prepare::builder_in(config, &arguments.what, isolation, folder, cancel)?;
    builder.conditions.keep_going = arguments.keep_going;
    builder.conditions.keep_sandbox = arguments.sandbox_debug;
    let Builder { project, store, .. } = &builder;
    let mut state = project.state_ahead(store, state)?;
    let progress = Arc::new(Progress::new(config.printer, start::traffic(&builder)));
    let events: Arc<dyn Events> = progress.clone();
    let planned = builder.plan(&mut state, &events);
    progress.clear();
    let mut planned = planned.map_err(|error| start::explain(config, store, error))?;
    builder.check_promises(&planned.plan)?;
    planned.plan.warnings.iter().for_each(|warning| config.printer.warning(warning));
    let built = builder.build(&mut planned, &mut state, &events);
    progress.clear();
    let built = built.map_err(|error| start::explain(config, store, error))?;
    report::tell_faults(config, store, &built);
    let shared = builder.shared.as_ref();
    report::tell_cluster(config, &builder, &built);
    let usable = report::tell_troubles(config, &builder, &built);
    remove_former(config, &builder, &mut state, &built)?;
    count(&builder, &built);
    Report { config, project, plan: &planned.plan, isolation, shared, started }.print(&built);
    if built.outcome.summary.ran > 0 {
        cache::tidy_up(config, store);
    }
    built.into_success()?;
    usable?;
    // The process ends now, and a plan has nothing but memory. Freeing thousands of actions one by one would only take
    // time.
    std::mem::forget(planned);
    Ok(ExitCode::SUCCESS)
}

/// Adds the build to the figures of `run cache stats`.
pub(super) fn count(builder: &Builder, built: &Built) {
    let summary = &built.outcome.summary;
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let traffic = builder.shared.as_ref().map(|shared| shared.client.traffic()).unwrap_or_default();
    let counts = Counts {
        builds: 1,
        hits: number(summary.hits),
        remote_hits: number(summary.remote_hits),
        ran: number(summary.ran),
        bytes_down: traffic.bytes_down,
        bytes_up: traffic.bytes_up,
    };
    // The figures are nice to have, and no reason to bother anybody.
    _ = builder.store.count(cache::today(), &counts);
}

/// Removes the files that earlier builds wrote and the project no longer makes, unless they have been changed
/// since.
fn remove_former(
    config: &Config,
    builder: &Builder,
    state: &mut State,
    built: &Built,
) -> Result<(), CommandError> {
    if built.outcome.status != Status::Succeeded || !builder.selection.is_everything() {
        return Ok(());
    }
    let project = &builder.project;
    let exports = built.exports.iter().zip(&built.outcome.exports);
    let written = exports.filter(|(_, exported)| report::is_written(exported));
    let current = written.map(|(export, _)| export.to.as_path());
    for FormerOutput { path, fate } in project.remove_former(state.outputs(), current)? {
        let shown = report::shown(project, &path);
        if config.printer.json && !matches!(fate, Fate::Stuck(_)) {
            ui::emit(&ui::removed(&shown, matches!(fate, Fate::Removed)));
        }
        match fate {
            Fate::Removed => config.printer.status("Removed", &shown),
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
