//! `run verify`: builds components twice more, from nothing and as on two other machines, and compares.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cache::Digest;
use engine::{Anew, Options, Outcome, State};
use rules::diagnose;
use rules::manifest::{Manifest, Overrides};
use rules::plan::Plan;
use rules::wasm::differences;
use sandbox::{Determinism, Isolation, Listing, View};

use super::build::{Report, Suspects};
use super::workshop::Workshop;
use crate::arguments::Verify as Arguments;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::ui;

/// How many of a component's differences are printed.
const SHOWN: usize = 8;

/// Runs `run verify`.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let workshop = Workshop::open(config, &arguments.what, Isolation::default())?;
    let reference = reference(&workshop, started)?;
    let mut verdicts: Vec<Verdict> = reference.into_iter().map(Verdict::new).collect();
    let mut looked_for = BTreeSet::new();
    for machine in [1, 2].map(Machine::new) {
        let (again, missed) = machine.build(&workshop)?;
        looked_for.extend(missed);
        for (verdict, (name, digest)) in verdicts.iter_mut().zip(again) {
            debug_assert_eq!(verdict.name, name, "the same plan");
            if digest != verdict.digest {
                verdict.others.push(digest);
            }
        }
    }
    let differ = verdicts.iter().filter(|verdict| !verdict.others.is_empty()).count();
    for verdict in &verdicts {
        verdict.print(&workshop)?;
    }
    for advice in &looked_for {
        if workshop.config.printer.json {
            ui::emit(&ui::looked_for(advice));
        }
        workshop.config.printer.status("Looked for", advice);
    }
    let elapsed = ui::duration(started.elapsed());
    match differ {
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

/// Components by name, each with the digest of its bytes.
type Components = Vec<(String, Digest)>;

/// The components as `run build` leaves them.
fn reference(workshop: &Workshop<'_>, started: Instant) -> Result<Components, CommandError> {
    let Workshop { config, session, store, .. } = workshop;
    let mut state = session.state(store)?;
    let plan = workshop.plan(&session.folder, &session.manifest, state.sources())?;
    let exports = workshop.exports(&plan);
    let outcome = workshop.build(&plan, &mut state, &exports, workshop.options())?;
    let isolation = Isolation::default();
    Report { config, session, plan: &plan, exports: &exports, isolation, started }
        .finish(&outcome)?;
    Ok(components(&plan, &outcome))
}

fn components(plan: &Plan, outcome: &Outcome) -> Components {
    let digest = |component: &rules::plan::PlannedComponent| {
        let artifact = outcome.artifact(component.action, &component.output);
        (component.name.clone(), *artifact.expect("the build succeeded").digest())
    };
    plan.components.iter().map(digest).collect()
}

/// Conditions under which a build would be the first of its kind.
struct Machine {
    number: u8,
    /// Whether one action runs at a time.
    is_slow: bool,
    sees: Anew,
}

impl Machine {
    fn new(number: u8) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let is_first = number == 1;
        let determinism = Determinism {
            epoch: now + u64::from(number) * 86_400,
            seed: number.into(),
            cpus: if is_first { 1 } else { 3 },
            listing: if is_first { Listing::Reversed } else { Listing::Sorted },
        };
        let view = View {
            user: 1000 + u32::from(number),
            host: format!("machine-{number}").into(),
            umask: if is_first { 0o077 } else { 0o002 },
            first_process: 1000 * u32::from(number),
        };
        let language = if is_first { "C" } else { "tr_TR.UTF-8" };
        let zone = if is_first { "<-08>8" } else { "<+1345>-13:45" };
        let user = format!("user-{number}");
        let env = [("LANG", language), ("LC_ALL", language), ("TZ", zone), ("USER", &user)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { number, is_slow: is_first, sees: Anew { determinism, view, env } }
    }

    /// What differs from the user's own.
    fn description(&self) -> String {
        let Determinism { cpus, listing, .. } = self.sees.determinism;
        let folders = match listing {
            Listing::Sorted => "sorted",
            Listing::Reversed => "backwards",
        };
        let days = match self.number {
            1 => "1 day",
            _ => "2 days",
        };
        let jobs = if self.is_slow { ", one action at a time" } else { "" };
        format!(
            "build {} of 2: another path, user, host and locale, {days} ahead, other random numbers, \
             folders listed {folders}, {cpus} CPU{}{jobs}",
            self.number,
            if cpus == 1 { "" } else { "s" }
        )
    }

    /// Builds a copy of the project without any earlier result. Says also what actions looked for in
    /// vain that the project has.
    fn build(&self, workshop: &Workshop<'_>) -> Result<(Components, Vec<String>), CommandError> {
        let started = Instant::now();
        let Workshop { config, session, store, .. } = workshop;
        config.printer.status("Verifying", &self.description());
        let elsewhere = tempfile::tempdir().map_err(|error| cannot_copy(&error))?;
        let folder = elsewhere.path().join(format!("checkout-{}", self.number));
        let output = session.manifest.output_dir();
        copy(&session.folder, &folder, &output).map_err(|error| cannot_copy(&error))?;
        let overrides = Overrides::default();
        let (manifest, _) = Manifest::load(&folder, &overrides);
        let manifest = manifest.expect("it was read before");
        let mut state = State::open(store, &elsewhere.path().join("state"));
        let plan = workshop.plan(&folder, &manifest, state.sources())?;
        let options = workshop.options();
        let jobs = if self.is_slow { 1 } else { options.jobs };
        let options = Options { jobs, anew: Some(Arc::new(self.sees.clone())), ..options };
        let outcome = workshop.build(&plan, &mut state, &[], options)?;
        let isolation = Isolation::default();
        Report { config, session, plan: &plan, exports: &[], isolation, started }
            .finish(&outcome)?;
        let suspects = Suspects::new(&plan, &folder);
        let missed = outcome.missing.iter().flat_map(|(label, missing)| {
            let suspect = suspects.find(label);
            suspect.map(|suspect| diagnose::looked_for(missing, &suspect)).unwrap_or_default()
        });
        Ok((components(&plan, &outcome), missed.collect()))
    }
}

/// What came of a component.
struct Verdict {
    name: String,
    digest: Digest,
    /// Other bytes that it had.
    others: Vec<Digest>,
}

impl Verdict {
    fn new((name, digest): (String, Digest)) -> Self {
        Self { name, digest, others: Vec::new() }
    }

    /// Prints the differences, and keeps the files.
    fn print(&self, workshop: &Workshop<'_>) -> Result<(), CommandError> {
        let printer = &workshop.config.printer;
        let (mut found, mut kept) = (Vec::new(), Vec::new());
        if let Some(other) = self.others.first() {
            let one = bytes(workshop, &self.digest)?;
            let other = bytes(workshop, other)?;
            found = differences(&one, &other);
            let folder = workshop.session.private_folder().join("verify");
            for (which, bytes) in [("first", &one), ("again", &other)] {
                let path = folder.join(format!("{}.{which}.wasm", self.name));
                write(&path, bytes).map_err(|error| {
                    CommandError::environment(format!("cannot write `{}`", path.display()))
                        .caused_by(&error)
                })?;
                kept.push(shown(workshop, &path));
            }
        }
        if printer.json {
            ui::emit(&ui::verified(&self.name, &found, &kept));
        }
        if self.others.is_empty() {
            printer.status("Same", &format!("{} {}", self.name, self.digest));
            return Ok(());
        }
        printer.bad_status("Different", &self.name);
        // A text of another length moves everything behind it: the text itself says more.
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
}

fn bytes(workshop: &Workshop<'_>, digest: &Digest) -> Result<Vec<u8>, CommandError> {
    let read = workshop.store.get(digest);
    let bytes = read.map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    bytes.ok_or_else(|| {
        CommandError::environment(format!("the store has lost {digest} in the meantime"))
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, bytes)
}

fn shown(workshop: &Workshop<'_>, path: &Path) -> String {
    path.strip_prefix(&workshop.session.folder).unwrap_or(path).display().to_string()
}

fn cannot_copy(error: &io::Error) -> CommandError {
    CommandError::environment("cannot copy the project to another path").caused_by(error)
}

/// Copies a project without version control, results and the caches of tools.
fn copy(from: &Path, to: &Path, output: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name, kind) = (entry.path(), entry.file_name(), entry.file_type()?);
        let target = to.join(&name);
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path)?, target)?;
        } else if kind.is_file() {
            fs::copy(&path, target)?;
        } else if kind.is_dir() && !is_left_out(&path, output) {
            copy(&path, &target, output)?;
        }
    }
    Ok(())
}

fn is_left_out(folder: &Path, output: &Path) -> bool {
    let is_named = |name: &str| folder.file_name().is_some_and(|found| found == name);
    // The Cache Directory Tagging Specification: what can be made again.
    let is_cache = folder.join("CACHEDIR.TAG").exists();
    folder == output || is_named(".run") || is_named(".git") || is_cache
}
