//! `run verify`: builds components twice more, from nothing and as on two other machines, and prints what differs.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::Events;
use project::{Builder, Built, Compare, Comparison, Machine, Observer, Verdict};
use rules::plan::Plan;
use sandbox::{Determinism, Isolation, Listing};

use super::report::{self, Report};
use super::{prepare, start};
use crate::arguments::Verify as Arguments;
use crate::command_error::{CommandError, Kind};
use crate::config::{self, Config};
use crate::ui::{self, Progress};

/// The number of differences that are printed for each component.
const SHOWN: usize = 8;

/// Runs `run verify`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let builder = prepare::builder(config, &arguments.what, Isolation::default())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let compare = Compare { builder: &builder, now, copies: &config::temporary_folder() };
    let progress = Arc::new(Progress::new(config.printer, start::traffic(&builder)));
    let mut teller = Teller { config, builder: &builder, progress, unusable: None, started };
    let compared = compare.run(&mut teller);
    teller.progress.clear();
    let Comparison { verdicts, looked_for } =
        compared.map_err(|error| start::explain(config, &builder.store, error))?;
    if let Some(error) = teller.unusable {
        return Err(error);
    }
    for verdict in &verdicts {
        print(verdict, config, &builder)?;
    }
    for advice in &looked_for {
        if config.printer.json {
            ui::emit(&ui::looked_for(advice));
        }
        config.printer.status("Looked for", advice);
    }
    let elapsed = ui::duration(started.elapsed());
    match verdicts.iter().filter(|verdict| !verdict.is_same()).count() {
        0 => {
            let count = match verdicts.len() {
                1 => "1 component is".to_owned(),
                count => format!("{count} components are"),
            };
            let text = format!("{count} the same in three builds, in {elapsed}");
            config.printer.status("Verified", &text);
            Ok(ExitCode::SUCCESS)
        }
        differ => {
            let text =
                format!("{differ} of {} not the same in each build, in {elapsed}", verdicts.len());
            config.printer.bad_status("Different", &text);
            Err(CommandError::silent(Kind::NotReproducible))
        }
    }
}

/// Shows the user the progress and the result of each of the three builds.
struct Teller<'a> {
    config: &'a Config,
    builder: &'a Builder,
    /// The progress of the build that began last.
    progress: Arc<Progress>,
    /// The error if the shared cache is required, and could not be used.
    unusable: Option<CommandError>,
    /// The time at which that build began. For the first build it is the time at which the command began.
    started: Instant,
}

impl Observer for Teller<'_> {
    fn begin(&mut self, machine: Option<&Machine>) -> Arc<dyn Events> {
        if let Some(machine) = machine {
            self.started = Instant::now();
            self.config.printer.status("Verifying", &description(machine));
        }
        self.progress = Arc::new(Progress::new(self.config.printer, start::traffic(self.builder)));
        self.progress.clone()
    }

    fn end(&mut self, plan: &Plan, built: &Built) {
        self.progress.clear();
        let Self { config, builder, started, .. } = *self;
        report::tell_faults(config, &builder.store, built);
        let usable = report::tell_troubles(config, builder, built);
        self.unusable = self.unusable.take().or(usable.err());
        let isolation = Isolation::default();
        Report {
            config,
            project: &builder.project,
            plan,
            isolation,
            shared: builder.shared.as_ref(),
            started,
        }
        .print(built);
    }
}

/// Describes how a machine differs from the user's own.
fn description(machine: &Machine) -> String {
    let Determinism { cpus, listing, .. } = machine.sees.determinism;
    let folders = match listing {
        Listing::Sorted => "sorted",
        Listing::Reversed => "backwards",
    };
    let days = match machine.number {
        1 => "1 day",
        _ => "2 days",
    };
    let jobs = if machine.is_slow { ", one action at a time" } else { "" };
    format!(
        "build {} of 2: another path, user, host and locale, {days} ahead, other random numbers, \
         folders listed {folders}, {cpus} CPU{}{jobs}",
        machine.number,
        if cpus == 1 { "" } else { "s" }
    )
}

/// Prints the verdict on a component. If it differs, both files are kept for the user.
fn print(verdict: &Verdict, config: &Config, builder: &Builder) -> Result<(), CommandError> {
    let Verdict { component, digest, .. } = verdict;
    let (mut found, mut kept) = (Vec::new(), Vec::new());
    if let Some(two) = verdict.examine(&builder.store)? {
        found = two.differences;
        let folder = builder.project.private_folder().join("verify");
        for (which, bytes) in [("first", &two.first), ("again", &two.again)] {
            let path = folder.join(format!("{component}.{which}.wasm"));
            write(&path, bytes).map_err(|error| {
                CommandError::environment(format!("cannot write `{}`", path.display()))
                    .caused_by(&error)
            })?;
            kept.push(report::shown(&builder.project, &path));
        }
    }
    let printer = &config.printer;
    if printer.json {
        ui::emit(&ui::verified(component, &found, &kept));
    }
    if verdict.is_same() {
        printer.status("Same", &format!("{component} {digest}"));
        return Ok(());
    }
    printer.bad_status("Different", component);
    // Content comes first: a text of another length moves everything behind it, but the text itself says
    // more.
    found.sort_by_key(|difference| !difference.is_content());
    for difference in found.iter().take(SHOWN) {
        printer.line(&format!("{:>12} {difference}", ""));
    }
    if let Some(more @ 1..) = found.len().checked_sub(SHOWN) {
        printer.line(&format!("{:>12} and {more} more differences", ""));
    }
    printer.line(&format!("{:>12} kept: {}", "", kept.join(", ")));
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes)
}
