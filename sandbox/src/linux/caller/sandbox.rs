//! Offers [`Sandbox`], the handle that callers have. It starts the spawner, and turns
//! specifications into outcomes.
//!
//! For each run it lays out the command's file tree, prepares the folders that the command may
//! write to, has the spawner start the command, and makes the folders removable for the caller when
//! the command has ended. Process 1 mounts the file tree; without namespaces, the tree is made on
//! disk before. A scratch folder for which the kernel refuses an overlay becomes a copy, and the
//! command is started again. This file does not know how a command is set up: see `inside`.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::cancel::Cancel;
use super::capture::Capture;
use super::folders;
use super::groups::{Group, Groups};
use super::identity::{Identity, Slots};
use super::layout::{EntryKind, TreeEntry, lay_out};
use super::plan::plan;
use super::root::RootError;
use super::run::{self, CommandEnd, FinishedRun, RunError, StandardStreams};
use super::spawner_handle::{SpawnerHandle, trial};
use super::trees::Trees;
use crate::linux::wire::plan::{Account, Plan};
use crate::linux::wire::step::{Failure, Step};
use crate::{Cause, Isolation, Outcome, SandboxError, Spec, Status, Unsupported};

/// Runs commands hermetically. It is a cheap handle to the spawner process, which ends when the
/// last clone of the handle is dropped.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    isolation: Isolation,
    spawner: SpawnerHandle,
    identity: Identity,
    slots: Slots,
    /// The control groups of the commands, if the caller may create them.
    groups: OnceLock<Option<Groups>>,
    /// The folder for the file trees of commands, if these get no namespaces.
    trees: Option<Trees>,
    /// The pairs of devices, of a lower and an upper folder, between which overlays don't work.
    without_overlay: Mutex<BTreeSet<(u64, u64)>>,
    /// The number of processes that the machine had killed for lack of memory, when that was last
    /// read.
    oom_kills: AtomicU64,
}

impl Sandbox {
    /// Starts the spawner process, and tries once whether everything works that
    /// [`Isolation::Namespaces`] needs.
    pub fn start() -> Result<Self, Unsupported> {
        let identity = Identity::of_caller().map_err(|cause| Unsupported { cause })?;
        let spawner = SpawnerHandle::start(&identity, &trial(&identity))?;
        Ok(Self::new(Isolation::Namespaces, spawner, identity, None))
    }

    /// Starts the spawner process, and tries once whether everything works that this isolation
    /// needs. `folder` takes the file trees of commands without namespaces. It must belong to the
    /// caller, lie on a disk with room for everything that commands write to `/tmp`, and exist as
    /// long as the sandbox does. With [`Isolation::Namespaces`] it is not used.
    pub fn start_with(isolation: Isolation, folder: &Path) -> Result<Self, Unsupported> {
        let is_guarded = match isolation {
            Isolation::Namespaces => return Self::start(),
            Isolation::Weak => true,
            Isolation::None => false,
        };
        let unsupported = |cause| Unsupported { cause };
        if is_guarded && rustix::process::geteuid().is_root() {
            return Err(unsupported(Cause::WeakForRoot));
        }
        let folder_error = |source| {
            unsupported(Cause::Step {
                step: "making folders for the file trees of commands",
                source,
            })
        };
        let trees = Trees::new(folder, is_guarded).map_err(folder_error)?;
        let identity = Identity::without_namespaces();
        let mut trial = trial(&identity);
        let root = trees.show(&[], &mut trial);
        let _root = root.map_err(|error| folder_error(error.source))?;
        let spawner = SpawnerHandle::start(&identity, &trial)?;
        Ok(Self::new(isolation, spawner, identity, Some(trees)))
    }

    fn new(
        isolation: Isolation,
        spawner: SpawnerHandle,
        identity: Identity,
        trees: Option<Trees>,
    ) -> Self {
        Self(Arc::new(Inner {
            isolation,
            spawner,
            identity,
            slots: Slots::default(),
            groups: OnceLock::new(),
            trees,
            without_overlay: Mutex::default(),
            oom_kills: AtomicU64::new(oom_kills()),
        }))
    }

    /// Returns whether the kernel enforces [`Limits::memory`](crate::Limits::memory), by control
    /// groups. Otherwise the use is measured again and again.
    pub fn has_groups(&self) -> bool {
        self.0.groups().is_some()
    }

    /// Returns the means by which commands are kept apart from the machine.
    pub fn isolation(&self) -> Isolation {
        self.0.isolation
    }

    /// Runs a command and waits until every process of it is dead. Many threads may call this at
    /// the same time.
    pub fn run(&self, spec: &Spec, cancel: &Cancel) -> Result<Outcome, SandboxError> {
        self.run_with(spec, cancel, &StandardStreams::Capture(spec.output_cap))
    }

    /// Runs a command with the standard input, output and error of this process. Everything else is
    /// like [`Sandbox::run`], except that the outcome holds no output.
    pub fn run_inherited(&self, spec: &Spec, cancel: &Cancel) -> Result<Outcome, SandboxError> {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        let io = StandardStreams::Inherit([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]);
        self.run_with(spec, cancel, &io)
    }

    fn run_with(
        &self,
        spec: &Spec,
        cancel: &Cancel,
        io: &StandardStreams<'_>,
    ) -> Result<Outcome, SandboxError> {
        spec.validate()?;
        let slot = self.0.slots.take();
        let account = self.0.identity.account(slot.number);
        let mut tree = FileTree { entries: lay_out(&spec.mounts)?, copied: Vec::new(), account };
        let written = tree.written();
        let (finished, group) = loop {
            self.0.prepare(&mut tree)?;
            let mut plan = plan(spec, &tree.entries, account, slot.number);
            let trees = self.0.trees.as_ref();
            let root = trees.map(|trees| trees.show(&tree.entries, &mut plan)).transpose();
            let _root = root.map_err(|error| not_made(error, &tree.entries))?;
            let group = self.0.group(&mut plan);
            let fd = group.as_ref().map(|group| group.fd.as_fd());
            match run::run(self.0.spawner.control(), &plan, fd, io, cancel) {
                Err(RunError::Failed(failure)) if tree.lacks_overlay(failure) => {
                    self.0.remember_overlay_fails(&tree.entries[failure.index as usize]);
                }
                finished => break (finished, group),
            }
        };
        // This is needed after a failure as well: the kernel may have created an overlay's private
        // folders.
        let reclaimed = reclaim_all(&written);
        let finished = finished.map_err(|error| named(error, spec, &tree.entries))?;
        let was_out_of_memory = group.is_some_and(|group| group.was_out_of_memory());
        reclaimed.map(|()| self.0.outcome(finished, was_out_of_memory, cancel, tree.copied))
    }
}

/// The file tree of one run.
struct FileTree {
    entries: Vec<TreeEntry>,
    /// The targets of scratch folders that were copied.
    copied: Vec<PathBuf>,
    account: Account,
}

impl FileTree {
    /// Returns whether a scratch folder can't be an overlay, for a reason that does not lie in the
    /// folders themselves.
    fn lacks_overlay(&self, failure: Failure) -> bool {
        let is_reason = matches!(failure.step, Step::Overlay | Step::MapOwner);
        let entry = self.entries.get(failure.index as usize);
        is_reason && entry.is_some_and(|entry| matches!(entry.kind, EntryKind::Scratch { .. }))
    }

    /// Returns the folders of the host that the command can write to.
    fn written(&self) -> Vec<PathBuf> {
        let folder = |entry: &TreeEntry| match &entry.kind {
            EntryKind::Writable(path) | EntryKind::Scratch { upper: path, .. } => {
                Some(path.clone())
            }
            _ => None,
        };
        self.entries.iter().filter_map(folder).collect()
    }
}

/// Makes what the command has written readable and removable for the caller.
fn reclaim_all(written: &[PathBuf]) -> Result<(), SandboxError> {
    let reclaim =
        |path: &PathBuf| folders::reclaim(path).map_err(|source| folder_error(path, source));
    written.iter().try_for_each(reclaim)
}

impl Inner {
    /// Gives writable folders to the command's user, and replaces overlays that are known not to
    /// work by copies.
    fn prepare(&self, tree: &mut FileTree) -> Result<(), SandboxError> {
        for entry in &mut tree.entries {
            match &entry.kind {
                EntryKind::Writable(path) => {
                    folders::hand_over(path, tree.account)
                        .map_err(|source| folder_error(path, source))?;
                }
                EntryKind::Scratch { lower, upper }
                    if self.trees.is_some()
                        || self.overlay_fails(lower, upper)
                        || !folders::takes_marks(upper) =>
                {
                    let copy = upper.join("copy");
                    folders::copy_lower(lower, &copy, tree.account)
                        .map_err(|source| folder_error(upper, source))?;
                    tree.copied.push(entry.target.clone());
                    entry.kind = EntryKind::Writable(copy);
                }
                EntryKind::Scratch { upper, .. } => {
                    folders::prepare_upper(upper, tree.account)
                        .map_err(|source| folder_error(upper, source))?;
                }
                EntryKind::Folder | EntryKind::ReadOnly(_) | EntryKind::Symlink(_) => {}
            }
        }
        Ok(())
    }

    fn groups(&self) -> Option<&Groups> {
        self.groups.get_or_init(Groups::create).as_ref()
    }

    /// Creates a control group for a command that needs one, if the caller may: one with a memory
    /// limit, or one without namespaces, for which the kernel would otherwise count all processes
    /// of the user.
    fn group(&self, plan: &mut Plan) -> Option<Group> {
        if plan.limits.bounds.memory.is_none() && plan.translated.is_none() {
            return None;
        }
        // If the caller has lost the right to create groups in the meantime, process 1 enforces the
        // limits.
        let group = self.groups()?.group(&plan.limits).ok()?;
        plan.has_group = true;
        Some(group)
    }

    fn overlay_fails(&self, lower: &Path, upper: &Path) -> bool {
        let known = self.without_overlay.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(device(lower), device(upper)))
    }

    fn remember_overlay_fails(&self, entry: &TreeEntry) {
        if let EntryKind::Scratch { lower, upper } = &entry.kind {
            let mut known = self.without_overlay.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert((device(lower), device(upper)));
        }
    }

    fn outcome(
        &self,
        finished: FinishedRun,
        was_out_of_memory: bool,
        cancel: &Cancel,
        copied_scratch: Vec<PathBuf>,
    ) -> Outcome {
        let status = match self.status(finished.end, cancel) {
            Status::Signalled(libc::SIGKILL) if was_out_of_memory => Status::OutOfMemory,
            status => status,
        };
        let finish = Capture::finish;
        let ((stdout, stdout_truncated), (stderr, stderr_truncated)) =
            (finish(finished.stdout), finish(finished.stderr));
        Outcome {
            status,
            stdout,
            stderr,
            stdout_truncated,
            stderr_truncated,
            wall: finished.wall,
            user: finished.usage.user,
            system: finished.usage.system,
            max_rss: finished.usage.max_rss,
            copied_scratch,
            missing: finished.missing,
        }
    }

    fn status(&self, end: CommandEnd, cancel: &Cancel) -> Status {
        match end {
            CommandEnd::Program(status) if libc::WIFEXITED(status) => {
                Status::Exited(libc::WEXITSTATUS(status))
            }
            CommandEnd::Program(status) => self.signalled(libc::WTERMSIG(status)),
            CommandEnd::OutOfMemory => Status::OutOfMemory,
            CommandEnd::TimedOut => Status::TimedOut,
            CommandEnd::Killed if cancel.is_cancelled() => Status::Cancelled,
            CommandEnd::Killed => self.signalled(libc::SIGKILL),
        }
    }

    /// Returns the status of a program that a signal has killed. If the machine was killing
    /// processes for lack of memory, that was the reason.
    fn signalled(&self, signal: i32) -> Status {
        let was_out_of_memory = || {
            let now = oom_kills();
            now > self.oom_kills.swap(now, Ordering::SeqCst)
        };
        match signal == libc::SIGKILL && was_out_of_memory() {
            true => Status::OutOfMemory,
            false => Status::Signalled(signal),
        }
    }
}

/// Returns how many processes the machine has killed for lack of memory since it was started.
fn oom_kills() -> u64 {
    let statistics = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = statistics.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn device(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.dev())
}

fn folder_error(path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Folder { path: path.to_owned(), source }
}

/// Describes the error in the words of the specification.
fn named(error: RunError, spec: &Spec, entries: &[TreeEntry]) -> SandboxError {
    let failure = match error {
        RunError::Failed(failure) => failure,
        RunError::SpawnerDied => return SandboxError::SpawnerDied,
        RunError::Caller(errno) => {
            return SandboxError::Setup { step: "sending the request", source: errno.into() };
        }
    };
    let (step, source) = (failure.step.text(), failure.source());
    match failure.step {
        Step::Execute => SandboxError::Program { program: spec.argv[0].clone(), source },
        Step::WorkingDirectory => SandboxError::WorkingDirectory { cwd: spec.cwd.clone(), source },
        Step::Open
        | Step::MakeReadOnly
        | Step::MapOwner
        | Step::MountPoint
        | Step::Attach
        | Step::Overlay
        | Step::Symlink => mount_error(&entries[failure.index as usize], failure.step, source),
        _ => SandboxError::Setup { step, source },
    }
}

/// Describes why the file tree of a command without namespaces could not be made.
fn not_made(error: RootError, entries: &[TreeEntry]) -> SandboxError {
    let RootError { folder, entry, source } = error;
    match entry {
        Some((index, step)) => mount_error(&entries[index], step, source),
        None => folder_error(&folder, source),
    }
}

fn mount_error(entry: &TreeEntry, step: Step, source: io::Error) -> SandboxError {
    let (target, host) = (entry.target.clone(), host(&entry.kind));
    SandboxError::Mount { target, host, step: step.text(), source }
}

fn host(kind: &EntryKind) -> Option<PathBuf> {
    match kind {
        EntryKind::Folder | EntryKind::Symlink(_) => None,
        EntryKind::ReadOnly(path)
        | EntryKind::Writable(path)
        | EntryKind::Scratch { lower: path, .. } => Some(path.clone()),
    }
}
