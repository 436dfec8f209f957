//! The handle that callers have: starts the spawner, and turns a specification into an outcome.

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
use super::identity::{Account, Identity, Slots};
use super::keeper::{Keeper, trial};
use super::layout::{Entry, Kind, lay_out};
use super::plan::Plan;
use super::session::{self, Broken, End, Finished, Io};
use super::step::{Failure, Step};
use super::translation::{NotMade, Trees};
use crate::{Cause, Isolation, Outcome, SandboxError, Spec, Status, Unsupported};

/// Runs commands hermetically; a cheap handle to the spawner process, which ends with the last
/// clone of this.
#[derive(Clone, Debug)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    isolation: Isolation,
    keeper: Keeper,
    identity: Identity,
    slots: Slots,
    /// Where the kernel can limit what commands use together.
    groups: OnceLock<Option<Groups>>,
    /// The file trees of commands, where there are no mounts.
    trees: Option<Trees>,
    /// Devices of lower and upper folders between which overlays don't work.
    without_overlay: Mutex<BTreeSet<(u64, u64)>>,
    /// Processes that the system had killed for want of memory when that was last looked up.
    oom_kills: AtomicU64,
}

impl Sandbox {
    /// Starts the spawner process and tries out, once, all that a command's isolation needs:
    /// [`Isolation::Namespaces`].
    pub fn start() -> Result<Self, Unsupported> {
        let identity = Identity::of_caller().map_err(|cause| Unsupported { cause })?;
        let keeper = Keeper::start(&identity, &trial(&identity))?;
        Ok(Self::new(Isolation::Namespaces, keeper, identity, None))
    }

    /// The same by other means. `folder` is one of the caller's own on a disk with room for what
    /// commands write to `/tmp`; it has to stay for as long as the sandbox does. With [`Isolation::Namespaces`] it is not used.
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
        let keeper = Keeper::start(&identity, &trial)?;
        Ok(Self::new(isolation, keeper, identity, Some(trees)))
    }

    fn new(isolation: Isolation, keeper: Keeper, identity: Identity, trees: Option<Trees>) -> Self {
        Self(Arc::new(Inner {
            isolation,
            keeper,
            identity,
            slots: Slots::default(),
            groups: OnceLock::new(),
            trees,
            without_overlay: Mutex::default(),
            oom_kills: AtomicU64::new(oom_kills()),
        }))
    }

    /// Whether the kernel enforces [`Limits::memory`](crate::Limits::memory), by control groups.
    /// Otherwise use is sampled.
    pub fn has_groups(&self) -> bool {
        self.0.groups().is_some()
    }

    /// By which means it keeps commands apart.
    pub fn isolation(&self) -> Isolation {
        self.0.isolation
    }

    /// Runs a command and waits until every process of it is dead. May be called from many threads
    /// at once.
    pub fn run(&self, spec: &Spec, cancel: &Cancel) -> Result<Outcome, SandboxError> {
        self.run_with(spec, cancel, &Io::Capture(spec.output_cap))
    }

    pub(super) fn run_with(
        &self,
        spec: &Spec,
        cancel: &Cancel,
        io: &Io<'_>,
    ) -> Result<Outcome, SandboxError> {
        spec.validate()?;
        let slot = self.0.slots.take();
        let account = self.0.identity.account(slot.number);
        let mut view = View { entries: lay_out(&spec.mounts)?, copied: Vec::new(), account };
        let written = view.written();
        let (finished, group) = loop {
            self.0.prepare(&mut view)?;
            let mut plan = Plan::new(spec, &view.entries, account, slot.number);
            let trees = self.0.trees.as_ref();
            let root = trees.map(|trees| trees.show(&view.entries, &mut plan)).transpose();
            let _root = root.map_err(|error| not_made(error, &view.entries))?;
            let group = self.0.group(&mut plan);
            let fd = group.as_ref().map(|group| group.fd.as_fd());
            match session::run(self.0.keeper.control(), &plan, fd, io, cancel) {
                Err(Broken::Failed(failure)) if view.lacks_overlay(failure) => {
                    self.0.remember_overlay_fails(&view.entries[failure.index as usize]);
                }
                finished => break (finished, group),
            }
        };
        // Also after a failure: the kernel may have made an overlay's private folders by then.
        let taken_back = take_back(&written);
        let finished = finished.map_err(|broken| error(broken, spec, &view.entries))?;
        let was_short = group.is_some_and(|group| group.was_short());
        taken_back.map(|()| self.0.outcome(finished, was_short, cancel, view.copied))
    }
}

/// The file tree of one run.
struct View {
    entries: Vec<Entry>,
    /// Targets of scratch folders that are copies.
    copied: Vec<PathBuf>,
    account: Account,
}

impl View {
    /// Whether a scratch folder can't be an overlay, for a reason that doesn't lie in the folders
    /// themselves.
    fn lacks_overlay(&self, failure: Failure) -> bool {
        let is_reason = matches!(failure.step, Step::Overlay | Step::MapOwner);
        let entry = self.entries.get(failure.index as usize);
        is_reason && entry.is_some_and(|entry| matches!(entry.kind, Kind::Scratch { .. }))
    }

    /// The folders of the host that the command can write to.
    fn written(&self) -> Vec<PathBuf> {
        let folder = |entry: &Entry| match &entry.kind {
            Kind::Writable(path) | Kind::Scratch { upper: path, .. } => Some(path.clone()),
            _ => None,
        };
        self.entries.iter().filter_map(folder).collect()
    }
}

/// Makes what the command has written readable and removable.
fn take_back(written: &[PathBuf]) -> Result<(), SandboxError> {
    let take_back =
        |path: &PathBuf| folders::reclaim(path).map_err(|source| folder_error(path, source));
    written.iter().try_for_each(take_back)
}

impl Inner {
    /// Hands writable folders over, and replaces overlays that are known not to work by copies.
    fn prepare(&self, view: &mut View) -> Result<(), SandboxError> {
        for entry in &mut view.entries {
            match &entry.kind {
                Kind::Writable(path) => {
                    folders::hand_over(path, view.account)
                        .map_err(|source| folder_error(path, source))?;
                }
                Kind::Scratch { lower, upper }
                    if self.trees.is_some()
                        || self.overlay_fails(lower, upper)
                        || !folders::takes_marks(upper) =>
                {
                    let copy = upper.join("copy");
                    folders::copy_lower(lower, &copy, view.account)
                        .map_err(|source| folder_error(upper, source))?;
                    view.copied.push(entry.target.clone());
                    entry.kind = Kind::Writable(copy);
                }
                Kind::Scratch { upper, .. } => {
                    folders::prepare_upper(upper, view.account)
                        .map_err(|source| folder_error(upper, source))?;
                }
                Kind::Folder | Kind::ReadOnly(_) | Kind::Symlink(_) => {}
            }
        }
        Ok(())
    }

    fn groups(&self) -> Option<&Groups> {
        self.groups.get_or_init(Groups::create).as_ref()
    }

    /// A control group for a command that has use for one, if there can be one: to limit its memory, and
    /// where the kernel would count other processes as its own.
    fn group(&self, plan: &mut Plan) -> Option<Group> {
        if plan.limits.bounds.memory.is_none() && plan.translated.is_none() {
            return None;
        }
        // Whoever has taken the right to make them away meanwhile leaves us to do without.
        let group = self.groups()?.group(&plan.limits).ok()?;
        plan.has_group = true;
        Some(group)
    }

    fn overlay_fails(&self, lower: &Path, upper: &Path) -> bool {
        let known = self.without_overlay.lock().unwrap_or_else(PoisonError::into_inner);
        known.contains(&(device(lower), device(upper)))
    }

    fn remember_overlay_fails(&self, entry: &Entry) {
        if let Kind::Scratch { lower, upper } = &entry.kind {
            let mut known = self.without_overlay.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert((device(lower), device(upper)));
        }
    }

    fn outcome(
        &self,
        finished: Finished,
        was_short: bool,
        cancel: &Cancel,
        copied_scratch: Vec<PathBuf>,
    ) -> Outcome {
        let status = match self.status(finished.end, cancel) {
            Status::Signalled(libc::SIGKILL) if was_short => Status::OutOfMemory,
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

    fn status(&self, end: End, cancel: &Cancel) -> Status {
        match end {
            End::Program(status) if libc::WIFEXITED(status) => {
                Status::Exited(libc::WEXITSTATUS(status))
            }
            End::Program(status) => self.signalled(libc::WTERMSIG(status)),
            End::OutOfMemory => Status::OutOfMemory,
            End::TimedOut => Status::TimedOut,
            End::Killed if cancel.is_cancelled() => Status::Cancelled,
            End::Killed => self.signalled(libc::SIGKILL),
        }
    }

    /// A program that was killed while the system was killing for want of memory was killed for
    /// that.
    fn signalled(&self, signal: i32) -> Status {
        let was_short = || {
            let now = oom_kills();
            now > self.oom_kills.swap(now, Ordering::SeqCst)
        };
        match signal == libc::SIGKILL && was_short() {
            true => Status::OutOfMemory,
            false => Status::Signalled(signal),
        }
    }
}

/// How many processes the system has killed for want of memory since it was started.
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

/// Names what went wrong in the words of the specification.
fn error(broken: Broken, spec: &Spec, entries: &[Entry]) -> SandboxError {
    let failure = match broken {
        Broken::Failed(failure) => failure,
        Broken::SpawnerDied => return SandboxError::SpawnerDied,
        Broken::Caller(errno) => {
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

/// Names what could not be shown of a file tree without mounts.
fn not_made(error: NotMade, entries: &[Entry]) -> SandboxError {
    let NotMade { folder, entry, source } = error;
    match entry {
        Some((index, step)) => mount_error(&entries[index], step, source),
        None => folder_error(&folder, source),
    }
}

fn mount_error(entry: &Entry, step: Step, source: io::Error) -> SandboxError {
    let (target, host) = (entry.target.clone(), host(&entry.kind));
    SandboxError::Mount { target, host, step: step.text(), source }
}

fn host(kind: &Kind) -> Option<PathBuf> {
    match kind {
        Kind::Folder | Kind::Symlink(_) => None,
        Kind::ReadOnly(path) | Kind::Writable(path) | Kind::Scratch { lower: path, .. } => {
            Some(path.clone())
        }
    }
}
