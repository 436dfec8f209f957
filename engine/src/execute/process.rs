//! Runs a command in the sandbox.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache::{ScratchDir, StoreError};
use sandbox::{
    Determinism, Isolation, Limits, Mount, MountSource, Sandbox, SandboxError, Spec, Status, View,
};

use super::stage::{self, Haste, StageError, Staged, StagedTree};
use super::{Done, Executor, Job, Stop, Workplace, failed, infrastructure};
use crate::failure::{CommandReport, Failure, FailureKind, KeptSandbox, says_missing};
use crate::success::OUT;
use crate::terminal::plain;
use crate::{Artifact, Messages, Process, Report, Usage};

/// How much is kept of what a command writes to standard output, and as much of standard error.
const OUTPUT_CAP: usize = 1 << 20;

/// The same for standard output that is an output.
const STDOUT_CAP: usize = 256 << 20;

/// Trees that are exchanged again and again.
#[derive(Debug, thiserror::Error)]
#[error("somebody keeps changing the folders of the store while commands run in them")]
struct Unsteady;

/// A command that has come to its end, and where it ran.
struct Ended {
    spec: Spec,
    scratch: ScratchDir,
    outcome: sandbox::Outcome,
}

impl Executor {
    pub(super) fn process(&self, job: &Job, process: &Process) -> Result<Done, Stop> {
        // If a tree was touched, all are checked, and mended, before the command begins.
        let tries = [Haste::Ahead, Haste::None, Haste::None, Haste::None].into_iter();
        let mut ended = tries
            .map(|haste| self.run(job, process, haste))
            .find_map(Result::transpose)
            .unwrap_or_else(|| Err(infrastructure(&job.action, &Unsteady)))?;
        if let Some(kind) = complaint(process, ended.outcome.status)? {
            if is_worth_watching(process, &kind, &ended.outcome) {
                ended.outcome.missing = self.watch(job, process, ended.outcome.wall);
            }
            return Err(self.report(job, process, kind, ended));
        }
        match self.outputs(job, process, &mut ended) {
            Ok(outputs) => Ok(done(outputs, ended.outcome)),
            Err(Stop::Failed(failure)) => Err(self.report(job, process, failure.kind, ended)),
            Err(end) => Err(end),
        }
    }

    /// Runs the command, and checks meanwhile what was mounted unchecked. `None` if somebody has
    /// touched any of that, or has exchanged what was touched: then nothing of the run counts, not
    /// even its failure.
    fn run(&self, job: &Job, process: &Process, haste: Haste) -> Result<Option<Ended>, Stop> {
        let sandbox = self.sandbox(job, process.isolation)?;
        let scratch = self.store.scratch().map_err(|error| infrastructure(&job.action, &error))?;
        let (spec, trees) = self.spec(job, process, scratch.path(), haste)?;
        let check = || trees.iter().all(|tree| tree.is_intact(&self.store));
        let is_needed = trees.iter().any(|tree| !tree.is_checked());
        let (outcome, intact) = std::thread::scope(|scope| {
            let thread = || std::thread::Builder::new().spawn_scoped(scope, check);
            let beside = is_needed.then(thread).transpose()?;
            let outcome = sandbox.run(&spec, &self.cancel);
            io::Result::Ok((outcome, beside.is_none_or(|check| check.join().unwrap_or(false))))
        })
        .map_err(Stop::Threads)?;
        if !intact || !trees.iter().all(|tree| tree.is_the_same(&self.store)) {
            return Ok(None);
        }
        let outcome = outcome.map_err(|error| not_run(job, process, &error))?;
        Ok(Some(Ended { spec, scratch, outcome }))
    }

    /// Runs a failed command once more, to see what it looks for and does not find. Nothing else of
    /// that run counts. `took` is how long it ran.
    fn watch(&self, job: &Job, process: &Process, took: Duration) -> Vec<PathBuf> {
        let timeout = Some(5 * took + Duration::from_secs(2));
        let watched = Process {
            determinism: Some(Determinism::at(0)),
            limits: Limits { timeout, ..process.limits.clone() },
            ..process.clone()
        };
        match self.run(job, &watched, Haste::None) {
            Ok(Some(ended)) => ended.outcome.missing,
            _ => Vec::new(),
        }
    }

    /// The sandbox, started if this is the first to ask for it.
    fn sandbox(&self, job: &Job, isolation: Isolation) -> Result<&Sandbox, Stop> {
        let place = &self.sandboxes[isolation as usize];
        if place.get().is_none() {
            let folder = self.store.scratch();
            let folder = folder.map_err(|error| infrastructure(&job.action, &error))?;
            let sandbox = Sandbox::start_with(isolation, folder.path());
            let sandbox = sandbox.map_err(Stop::Unsupported)?;
            // Two threads may both get here; the second sandbox ends when it is dropped.
            let _ = place.set(Workplace { sandbox, _folder: folder });
        }
        Ok(&place.get().expect("was just set").sandbox)
    }

    /// What to run, and the trees in it.
    fn spec(
        &self,
        job: &Job,
        process: &Process,
        scratch: &Path,
        haste: Haste,
    ) -> Result<(Spec, Vec<StagedTree>), Stop> {
        let Staged { mut mounts, trees } =
            stage::stage(&self.store, &job.action, &job.inputs, scratch, haste)
                .map_err(|error| self.not_staged(job, error))?;
        let out =
            prepare(job, scratch, &mounts).map_err(|error| infrastructure(&job.action, &error))?;
        mounts.push(Mount { target: Path::new("/").join(OUT), source: MountSource::Writable(out) });
        // What has a layer sees the same of every machine.
        let anew = self.anew.as_deref().filter(|_| process.determinism.is_none());
        let mut env = process.env.clone();
        env.extend(anew.into_iter().flat_map(|anew| anew.env.clone()));
        let variable = |(name, value): (String, String)| (name.into(), value.into());
        let spec = Spec {
            argv: process.argv.iter().map(Into::into).collect(),
            env: env.into_iter().map(variable).collect(),
            cwd: Path::new("/").join(&process.cwd),
            mounts,
            limits: process.limits.clone(),
            view: anew.map_or(View::STANDARD, |anew| anew.view.clone()),
            determinism: process.determinism.or(anew.map(|anew| anew.determinism)),
            output_cap: if process.stdout.is_some() { STDOUT_CAP } else { OUTPUT_CAP },
        };
        Ok((spec, trees))
    }

    fn not_staged(&self, job: &Job, error: StageError) -> Stop {
        match error {
            StageError::Missing(digest) => self.missing(job, digest),
            StageError::Store(error) => infrastructure(&job.action, &error),
            error => failed(&job.action, FailureKind::Inputs(Report::of(&error))),
        }
    }

    fn outputs(
        &self,
        job: &Job,
        process: &Process,
        ended: &mut Ended,
    ) -> Result<Vec<(String, Artifact)>, Stop> {
        let out = ended.scratch.path().join(OUT);
        let mut outputs = Vec::new();
        for path in &job.action.outputs {
            let output = if process.stdout.as_ref() == Some(path) {
                self.stdout(job, &mut ended.outcome)?
            } else {
                self.collect(job, &out, path)?
            };
            outputs.push((path.clone(), output));
        }
        Ok(outputs)
    }

    /// Makes an output of what the command wrote to standard output.
    fn stdout(&self, job: &Job, outcome: &mut sandbox::Outcome) -> Result<Artifact, Stop> {
        if outcome.stdout_truncated {
            let complaint = format!("it is more than {} MiB of standard output", STDOUT_CAP >> 20);
            return Err(failed(&job.action, FailureKind::BadOutput(Report::text(complaint))));
        }
        let digest = self.store.put(&std::mem::take(&mut outcome.stdout));
        let digest = digest.map_err(|error| infrastructure(&job.action, &error))?;
        Ok(Artifact::File { digest, executable: false })
    }

    /// The report on a command that ran and failed.
    fn report(&self, job: &Job, process: &Process, kind: FailureKind, ended: Ended) -> Stop {
        let Ended { spec, scratch, outcome } = ended;
        // Asked while what it wrote is still there.
        let kind = kind.or_no_room_for_command(&self.store);
        // A folder that can't be kept is no reason to hide why the command failed.
        let sandbox = self.sandboxes[process.isolation as usize].get();
        let sandbox = sandbox.filter(|_| self.keep_sandbox);
        let kept = sandbox.and_then(|place| keep(&place.sandbox, spec, scratch).ok());
        Stop::Failed(Box::new(Failure {
            label: job.action.label.clone(),
            kind,
            command: Some(command(process)),
            truncated: outcome.stdout_truncated || outcome.stderr_truncated,
            missing: outcome.missing,
            // It is an output, and not a message for a person.
            stdout: if process.stdout.is_some() { Vec::new() } else { outcome.stdout },
            stderr: outcome.stderr,
            kept,
        }))
    }
}

/// Moves the folder of a sandbox to where it stays, and says how to enter the sandbox again.
fn keep(sandbox: &Sandbox, mut spec: Spec, scratch: ScratchDir) -> Result<KeptSandbox, StoreError> {
    let old = scratch.path().to_owned();
    let folder = scratch.keep()?;
    for mount in &mut spec.mounts {
        if let MountSource::Writable(path) | MountSource::Scratch { upper: path, .. } =
            &mut mount.source
            && let Ok(below) = path.strip_prefix(&old)
        {
            *path = folder.join(below);
        }
    }
    let again = sandbox.shell_command(&spec);
    let shell = has_shell(&spec).then(|| {
        spec.argv = vec![SHELL.into()];
        sandbox.shell_command(&spec)
    });
    Ok(KeptSandbox { folder, again, shell })
}

/// The shell that an image with a shell has.
const SHELL: &str = "/usr/bin/sh";

/// Whether [`SHELL`] is in one of the trees that the command sees.
fn has_shell(spec: &Spec) -> bool {
    spec.mounts.iter().any(|mount| match &mount.source {
        MountSource::ReadOnly(source) => Path::new(SHELL)
            .strip_prefix(&mount.target)
            .is_ok_and(|below| fs::symlink_metadata(source.join(below)).is_ok()),
        _ => false,
    })
}

/// Makes the folders that the command may write to, and those its outputs go into.
fn prepare(job: &Job, scratch: &Path, mounts: &[Mount]) -> io::Result<PathBuf> {
    let out = scratch.join(OUT);
    fs::create_dir(&out)?;
    for path in &job.action.outputs {
        if let Some(parent) = Path::new(path).parent() {
            fs::create_dir_all(out.join(parent))?;
        }
    }
    for mount in mounts {
        if let MountSource::Scratch { upper, .. } = &mount.source {
            fs::create_dir(upper)?;
        }
    }
    Ok(out)
}

/// What there is to say against the way a command ended.
fn complaint(process: &Process, status: Status) -> Result<Option<FailureKind>, Stop> {
    match status {
        Status::Exited(0) => Ok(None),
        Status::Exited(code) => Ok(Some(FailureKind::Exited(code))),
        Status::Signalled(signal) => Ok(Some(FailureKind::Signalled(signal))),
        Status::TimedOut => {
            Ok(Some(FailureKind::TimedOut(process.limits.timeout.unwrap_or_default())))
        }
        Status::OutOfMemory => Ok(Some(FailureKind::OutOfMemory(process.limits.memory))),
        Status::Cancelled => Err(Stop::Cancelled),
    }
}

/// Whether a failed command is to be run once more and watched: if a file may be missing, nobody has
/// watched it, and it does not take long.
fn is_worth_watching(process: &Process, kind: &FailureKind, outcome: &sandbox::Outcome) -> bool {
    const LONG: Duration = Duration::from_secs(60);
    let says = |text: &[u8]| says_missing(&plain(&String::from_utf8_lossy(text)));
    matches!(kind, FailureKind::Exited(_))
        && process.determinism.is_none()
        && outcome.wall < LONG
        && (says(&outcome.stderr) || says(&outcome.stdout))
}

/// The end of a command that never started. What the action asks for is its own fault; whatever the
/// machine could not do is not.
fn not_run(job: &Job, process: &Process, error: &SandboxError) -> Stop {
    let report = Report::of(error);
    let kind = match error {
        SandboxError::Invalid(_)
        | SandboxError::WorkingDirectory { .. }
        | SandboxError::Program { .. } => FailureKind::NotRun(report),
        _ => FailureKind::Infrastructure(report),
    };
    let failure = Failure::new(job.action.label.clone(), kind);
    Stop::Failed(Box::new(Failure { command: Some(command(process)), ..failure }))
}

fn done(outputs: Vec<(String, Artifact)>, outcome: sandbox::Outcome) -> Done {
    let messages = Messages { stdout: outcome.stdout, stderr: outcome.stderr };
    let cpu = outcome.user + outcome.system;
    let usage = Usage { wall: outcome.wall, cpu, max_rss: outcome.max_rss };
    Done { outputs, messages, usage, missing: outcome.missing }
}

fn command(process: &Process) -> CommandReport {
    let (argv, env) = (process.argv.clone(), process.env.clone());
    CommandReport { argv, env, cwd: format!("/{}", process.cwd) }
}
