//! `run test`: builds what the tests of run.toml need, runs those tests that have not passed yet, and shows all results.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use dev::trial::{Hits, TestResult, Totals, Trials, junit, select};
use engine::Events;
use project::{Project, StateAhead};
use rules::manifest::Test;
use sandbox::Isolation;

use super::report::{self, Report};
use super::{build, cache, given, prepare, start};
use crate::arguments::Test as Arguments;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::ui::{self, Progress};

/// Runs `run test`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let folder = Project::find(&config.directory)?;
    let state = StateAhead::begin(&folder, config.digest_function);
    let project = start::project_in(config, folder)?;
    let all = project.manifest.all_tests();
    let tests = select(&all, &arguments.names);
    if tests.is_empty() {
        return Err(no_tests(&all, &arguments.names));
    }
    if arguments.list {
        tests
            .iter()
            .for_each(|test| ui::test_results::list(config.printer, test, &project.manifest));
        return Ok(ExitCode::SUCCESS);
    }
    let mut builder = prepare::tester(config, &arguments.how, project, &tests)?;
    builder.conditions.keep_going = arguments.keep_going;
    let (project, store) = (&builder.project, &builder.store);
    let mut state = project.state_ahead(store, state)?;
    let progress = Arc::new(Progress::new(config.printer, start::traffic(&builder)));
    let hits = Arc::new(Hits::new(progress.clone()));
    let events: Arc<dyn Events> = hits.clone();
    let planned = builder.plan(&mut state, &events);
    progress.clear();
    let mut planned = planned.map_err(|error| start::explain(config, store, error))?;
    builder.check_promises(&planned.plan)?;
    planned.plan.warnings.iter().for_each(|warning| config.printer.warning(warning));
    let trials = Trials::new(arguments.rerun, given::network(config)?);
    let added = trials.add(&mut planned.plan, project, &tests);
    let added = added.map_err(|error| CommandError::from_error(Kind::Internal, &error))?;
    let built = builder.build_here(&mut planned, &mut state, &events);
    progress.clear();
    let built = built.map_err(|error| start::explain(config, store, error))?;
    report::tell_faults(config, store, &built);
    report::tell_cluster(config, &builder, &built);
    let usable = report::tell_troubles(config, &builder, &built);
    build::count(&builder, &built);
    let (isolation, shared) = (Isolation::default(), builder.shared.as_ref());
    Report { config, project, plan: &planned.plan, isolation, shared, started }.print(&built);
    let results = Trials::results(&added, (project, store.content()), &built.outcome, &hits)
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    ui::test_results::show(config.printer, &results, started.elapsed());
    if let Some(file) = &arguments.junit {
        write_junit(&config.directory.join(file), project, &results)?;
    }
    if built.outcome.summary.ran > 0 {
        cache::tidy_up(config, store);
    }
    built.into_success()?;
    usable?;
    match Totals::of(&results) {
        Totals { failed: 0, .. } => Ok(ExitCode::SUCCESS),
        // The results have been printed.
        _ => Err(CommandError::silent(Kind::TestsFailed)),
    }
}

/// The number of tests that an error lists.
const LISTED: usize = 20;

/// Makes the error that there is no test, or none that the user means.
fn no_tests(all: &[Test], names: &[String]) -> CommandError {
    if all.is_empty() {
        return CommandError::new(Kind::NoTests, "the project has no tests").hint(
            "a test is a `[[test]]` in run.toml, or a component with `test = true`: see docs/testing-components.md",
        );
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let message = format!("no test is called {}", names.join(" or "));
    let mut there: Vec<String> = all
        .iter()
        .take(LISTED)
        .map(|test| format!("{}: {}", test.component.value, test.name.value))
        .collect();
    if let Some(more @ 1..) = all.len().checked_sub(LISTED) {
        there.push(format!("{more} more, which `run test --list` shows"));
    }
    CommandError::new(Kind::NoTests, message).hint(format!("there is {}", there.join("; ")))
}

fn write_junit(file: &Path, project: &Project, results: &[TestResult]) -> Result<(), CommandError> {
    let cannot = || CommandError::environment(format!("cannot write `{}`", file.display()));
    let name = project.manifest.project.name.as_str();
    let text =
        junit(name, results).map_err(|error| CommandError::from_error(Kind::Internal, &error))?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| cannot().caused_by(&error))?;
    }
    std::fs::write(file, &*ui::mask::output(&text)).map_err(|error| cannot().caused_by(&error))
}
