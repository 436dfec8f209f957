//! Runs a command in the sandbox, and takes its outputs into the store.
//!
//! The command starts before the trees that it sees are checked, because checking takes as long as many commands do. If
//! a tree turns out to be changed, neither the command's result nor its failure counts, and it runs again on checked
//! trees. A failed command whose message does not say which file it misses runs once more and is watched. This file
//! does not decide if a command has to run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cache::{ScratchDir, StoreError};
use sandbox::{
    Determinism, Isolation, Limits, Mount, MountSource, Sandbox, SandboxError, Spec, Status, View,
};

use super::stage::{self, StageError, Staged, StagedTree, TreeChecks};
use super::{Executor, Job, RunningSandbox, Unfinished, WorkOutput, failed, infrastructure};
use crate::failure::{CommandReport, Failure, FailureKind, KeptSandbox};
use crate::success::OUT;
use crate::terminal::plain;
use crate::{Artifact, Messages, Process, Report, Usage};

/// The number of bytes that are kept of a command's standard output, and the same number of its standard error.
const OUTPUT_CAP: usize = 1 << 20;

/// The number of bytes that are kept of standard output if it is a declared output of the action.
const STDOUT_CAP: usize = 256 << 20;

/// The error that no run counted, because a tree of the command was changed during each of them.
#[derive(Debug, thiserror::Error)]
#[error("another process keeps changing the folders of the store while commands use them")]
struct Unsteady;

/// A command that has ended, and the folder in which it ran.
struct EndedCommand {
    spec: Spec,
    scratch: ScratchDir,
    outcome: sandbox::Outcome,
}

impl Executor {
    pub(super) fn process(&self, job: &Job, process: &Process) -> Result<WorkOutput, Unfinished> {
        // If a tree was found changed, the command runs again, after all trees were checked and repaired.
        let tries =
            [TreeChecks::Meanwhile, TreeChecks::First, TreeChecks::First, TreeChecks::First]
                .into_iter();
        let mut ended = tries
            .map(|tree_checks| self.run(job, process, tree_checks))
            .find_map(Result::transpose)
            .unwrap_or_else(|| Err(infrastructure(&job.action, &Unsteady)))?;
        if let Some(kind) = complaint(process, ended.outcome.status)? {
            if is_worth_watching(process, &kind, &ended.outcome, self.says_missing) {
                ended.outcome.missing = self.watch(job, process, ended.outcome.wall);
            }
            return Err(self.report(job, process, kind, ended));
        }
        match self.outputs(job, process, &mut ended) {
            Ok(outputs) => Ok(done(outputs, ended.outcome)),
            Err(Unfinished::Failed(failure)) => Err(self.report(job, process, failure.kind, ended)),
            Err(end) => Err(end),
        }
    }

    /// Runs the command, and meanwhile checks the trees that were mounted unchecked. Returns `None` if an
    /// unchecked tree turns out to be damaged, or if another process replaced any of the trees during the run. Such a run
    /// does not count, even if the command failed.
    fn run(
        &self,
        job: &Job,
        process: &Process,
        tree_checks: TreeChecks,
    ) -> Result<Option<EndedCommand>, Unfinished> {
        let sandbox = self.sandbox(job, process.isolation)?;
        let scratch = self.store.scratch().map_err(|error| infrastructure(&job.action, &error))?;
        let (spec, trees) = self.spec(job, process, scratch.path(), tree_checks)?;
        let check = || trees.iter().all(|tree| tree.is_intact(&self.store));
        let is_needed = trees.iter().any(|tree| !tree.is_checked());
        let (outcome, intact) = std::thread::scope(|scope| {
            let thread = || std::thread::Builder::new().spawn_scoped(scope, check);
            let beside = is_needed.then(thread).transpose()?;
            let outcome = sandbox.run(&spec, &self.cancel);
            io::Result::Ok((outcome, beside.is_none_or(|check| check.join().unwrap_or(false))))
        })
        .map_err(Unfinished::Threads)?;
        if !intact || !trees.iter().all(|tree| tree.is_the_same(&self.store)) {
            return Ok(None);
        }
        let outcome = outcome.map_err(|error| not_run(job, process, &error))?;
        Ok(Some(EndedCommand { spec, scratch, outcome }))
    }

    /// Runs a failed command once more, and returns the files that it looks for and does not find. Nothing else of
    /// that run counts. `took` is the time that the first run took.
    fn watch(&self, job: &Job, process: &Process, took: Duration) -> Vec<PathBuf> {
        let timeout = Some(5 * took + Duration::from_secs(2));
        let watched = Process {
            determinism: Some(Determinism::at(0)),
            limits: Limits { timeout, ..process.limits.clone() },
            ..process.clone()
        };
        match self.run(job, &watched, TreeChecks::First) {
            Ok(Some(ended)) => ended.outcome.missing,
            _ => Vec::new(),
        }
    }

    /// Returns the sandbox of this isolation. The first call starts it.
    fn sandbox(&self, job: &Job, isolation: Isolation) -> Result<&Sandbox, Unfinished> {
        let place = &self.sandboxes[isolation as usize];
        if place.get().is_none() {
            let folder = self.store.scratch();
            let folder = folder.map_err(|error| infrastructure(&job.action, &error))?;
            let sandbox = Sandbox::start_with(isolation, folder.path());
            let sandbox = sandbox.map_err(Unfinished::Unsupported)?;
            // If two threads get here, the second sandbox ends when it is dropped.
            let _ = place.set(RunningSandbox { sandbox, _folder: folder });
        }
        Ok(&place.get().expect("was just set").sandbox)
    }

    /// Builds the specification for the sandbox, and lists the trees that it mounts.
    fn spec(
        &self,
        job: &Job,
        process: &Process,
        scratch: &Path,
        tree_checks: TreeChecks,
    ) -> Result<(Spec, Vec<StagedTree>), Unfinished> {
        let Staged { mut mounts, trees } =
            stage::stage(&self.store, &job.action, &job.inputs, scratch, tree_checks)
                .map_err(|error| self.not_staged(job, error))?;
        let out =
            prepare(job, scratch, &mounts).map_err(|error| infrastructure(&job.action, &error))?;
        mounts.push(Mount { target: Path::new("/").join(OUT), source: MountSource::Writable(out) });
        // A command under the determinism layer sees the same of every machine anyway.
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

    fn not_staged(&self, job: &Job, error: StageError) -> Unfinished {
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
        ended: &mut EndedCommand,
    ) -> Result<Vec<(String, Artifact)>, Unfinished> {
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

    /// Stores the command's standard output as a declared output.
    fn stdout(&self, job: &Job, outcome: &mut sandbox::Outcome) -> Result<Artifact, Unfinished> {
        if outcome.stdout_truncated {
            let complaint = format!("it is more than {} MiB of standard output", STDOUT_CAP >> 20);
            return Err(failed(&job.action, FailureKind::BadOutput(Report::text(complaint))));
        }
        let digest = self.store.put(&std::mem::take(&mut outcome.stdout));
        let digest = digest.map_err(|error| infrastructure(&job.action, &error))?;
        Ok(Artifact::File { digest, executable: false })
    }

    /// Reports a command that ran and failed.
    fn report(
        &self,
        job: &Job,
        process: &Process,
        kind: FailureKind,
        ended: EndedCommand,
    ) -> Unfinished {
        let EndedCommand { spec, scratch, outcome } = ended;
        // The free space is checked while the files that the command wrote still exist.
        let kind = kind.or_no_room_for_command(&self.store);
        // A folder that can't be kept is no reason to hide why the command failed.
        let keep = || keep(process.isolation, spec, scratch).ok();
        let kept = self.keep_sandbox.then(keep).flatten();
        Unfinished::Failed(Box::new(Failure {
            label: job.action.label.clone(),
            kind,
            command: Some(command(process)),
            truncated: outcome.stdout_truncated || outcome.stderr_truncated,
            missing: outcome.missing,
            // Here standard output is a declared output, and not a message for a person.
            stdout: if process.stdout.is_some() { Vec::new() } else { outcome.stdout },
            stderr: outcome.stderr,
            kept,
        }))
    }
}

/// Moves the folder of a sandbox to where it stays, and has the command find its places there.
fn keep(
    isolation: Isolation,
    mut spec: Spec,
    scratch: ScratchDir,
) -> Result<KeptSandbox, StoreError> {
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
    let shell = has_shell(&spec).then_some(SHELL);
    Ok(KeptSandbox { folder, spec, isolation, shell })
}

/// The path at which an image has its shell, if it has one.
const SHELL: &str = "/usr/bin/sh";

/// Tells if [`SHELL`] is in one of the trees that the command sees.
fn has_shell(spec: &Spec) -> bool {
    spec.mounts.iter().any(|mount| match &mount.source {
        MountSource::ReadOnly(source) => Path::new(SHELL)
            .strip_prefix(&mount.target)
            .is_ok_and(|below| fs::symlink_metadata(source.join(below)).is_ok()),
        _ => false,
    })
}

/// Makes the folders that the command may write to, and the folders of its outputs. Returns the output folder.
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

/// Returns the failure that a command's status means, or `None` if the command succeeded.
fn complaint(process: &Process, status: Status) -> Result<Option<FailureKind>, Unfinished> {
    match status {
        Status::Exited(0) => Ok(None),
        Status::Exited(code) => Ok(Some(FailureKind::Exited(code))),
        Status::Signalled(signal) => Ok(Some(FailureKind::Signalled(signal))),
        Status::TimedOut => {
            Ok(Some(FailureKind::TimedOut(process.limits.timeout.unwrap_or_default())))
        }
        Status::OutOfMemory => Ok(Some(FailureKind::OutOfMemory(process.limits.memory))),
        Status::Cancelled => Err(Unfinished::Cancelled),
    }
}

/// Tells if a failed command should be run once more under the determinism layer, which sees all look-ups of files: if
/// its message says that a file is missing, it did not run under that layer, and it does not take long.
fn is_worth_watching(
    process: &Process,
    kind: &FailureKind,
    outcome: &sandbox::Outcome,
    says_missing: fn(&str) -> bool,
) -> bool {
    const LONG: Duration = Duration::from_secs(60);
    let says = |text: &[u8]| says_missing(&plain(&String::from_utf8_lossy(text)));
    matches!(kind, FailureKind::Exited(_))
        && process.determinism.is_none()
        && outcome.wall < LONG
        && (says(&outcome.stderr) || says(&outcome.stdout))
}

/// Reports a command that could not be started. If the action asks for something impossible, the action is at fault; in
/// all other cases the machine is.
fn not_run(job: &Job, process: &Process, error: &SandboxError) -> Unfinished {
    let report = Report::of(error);
    let kind = match error {
        SandboxError::Invalid(_)
        | SandboxError::WorkingDirectory { .. }
        | SandboxError::Program { .. } => FailureKind::NotRun(report),
        _ => FailureKind::Infrastructure(report),
    };
    let failure = Failure::new(job.action.label.clone(), kind);
    Unfinished::Failed(Box::new(Failure { command: Some(command(process)), ..failure }))
}

fn done(outputs: Vec<(String, Artifact)>, outcome: sandbox::Outcome) -> WorkOutput {
    let messages = Messages { stdout: outcome.stdout, stderr: outcome.stderr };
    let cpu = outcome.user + outcome.system;
    let usage = Usage { wall: outcome.wall, cpu, max_rss: outcome.max_rss };
    WorkOutput { outputs, messages, usage, missing: outcome.missing, for_once: false }
}

pub(super) fn command(process: &Process) -> CommandReport {
    let (argv, env) = (process.argv.clone(), process.env.clone());
    CommandReport { argv, env, cwd: format!("/{}", process.cwd) }
}
