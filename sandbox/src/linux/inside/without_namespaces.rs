//! Runs a command without namespaces. Two processes are started for it: process 1, which traces the
//! command, and the program.
//!
//! Both are ordinary processes of the machine. Process 1 makes sure that all processes end: it is
//! the parent of every orphan, and traces every thread. If process 1 itself is killed, the kernel
//! kills what it traces.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use rustix::fs::Mode;
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    DumpableBehavior, Pid, Signal, chdir, geteuid, getpid, kill_process, set_child_subreaper,
    set_dumpable_behavior, setsid, umask,
};
use rustix::thread::set_no_new_privs;

use super::determinism::Layer;
use super::init::{self, CommandProcesses};
use super::limits::{cpu_set, resource_limits, set_limits};
use super::prepared::Inherited;
use super::program::{connect_stdio, die_with, execute, for_good, keep_only, report_end};
use super::tracer::Tracer;
use super::translation::{self, LastLink, LinkTarget, Path, ProcView, Translator};
use crate::linux::sys::limits::offer_to_oom_killer;
use crate::linux::sys::{self, StringList, trace};
use crate::linux::view::tree::Tree;
use crate::linux::wire::channel;
use crate::linux::wire::plan::{Plan, PlannedLimits, TranslationPlan};
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{AtStep, Failure, Step};

type Done = Result<(), Failure>;

/// A command that is to be started.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Command<'a> {
    pub plan: &'a Plan,
    pub translated: &'a TranslationPlan,
    pub inherited: Inherited<'a>,
}

impl Command<'_> {
    /// Becomes process 1: starts the program, waits for its end and reports it.
    pub(in crate::linux) fn become_process_one(self) {
        let Self { plan, inherited, .. } = self;
        match start(self) {
            Err(failure) => report_end(inherited.channel, Report::Failed(failure), &[]),
            Ok(Started { program, tracer, channel, from_program }) => {
                let (report, missing) =
                    init::wait(program, plan.bounds(), Some(tracer), CommandProcesses::Traced);
                // The program itself reports why it could not be started.
                let failure = channel::receive_report(from_program);
                match (failure, report) {
                    (Ok(Some((failure @ Report::Failed(_), _))), _) => {
                        report_end(channel, failure, &[]);
                    }
                    (_, Some(report)) => report_end(channel, report, &missing),
                    (_, None) => {}
                }
            }
        }
    }
}

struct Started {
    program: Pid,
    tracer: Tracer,
    channel: BorrowedFd<'static>,
    from_program: BorrowedFd<'static>,
}

fn start(command: Command<'_>) -> Result<Started, Failure> {
    let Command { plan, translated, inherited } = command;
    // Process 1 catches the signal that tells it to end, because it has to end the other processes
    // first.
    sys::set_blocked(&[libc::SIGCHLD, libc::SIGTERM]).at(Step::Limits)?;
    die_with(inherited.spawner)?;
    set_child_subreaper(Some(getpid())).at(Step::ParentDeath)?;
    let tree = tree(plan);
    let (from, to) = channel::pair().at(Step::Trace)?;
    let program = || {
        let begun = begin_program(inherited, &to);
        let kept = *begun.as_ref().unwrap_or(&to.as_fd());
        let ended = begun.and_then(|to| become_program(command, &tree, to));
        // This fails only if nobody waits any more.
        let _ = ended.map_err(|failure| channel::report(kept, Report::Failed(failure), &[]));
    };
    let (program, _) = sys::clone_into(0, None, program).at(Step::Fork)?;
    drop(to);
    // This waits before process 1 becomes undumpable, because the program would inherit that.
    let is_stopped = sys::wait4(Some(program), libc::__WALL).at(Step::Trace)?;
    if !is_stopped.is_some_and(|(_, status, _)| libc::WIFSTOPPED(status)) {
        return Err(reported(&from).unwrap_or(Failure::new(Step::Trace, Errno::SRCH)));
    }
    trace::trace_all_of(program).and_then(|()| trace::resume(program, 0)).at(Step::Trace)?;
    let listener = plan.determinism.map(|_| listener(&from)).transpose()?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Step::Privileges)?;
    let fds = [inherited.channel, for_good(from)].into_iter().chain(listener.map(for_good));
    let kept = keep_only(&fds.collect::<Vec<_>>());
    let layer = plan
        .determinism
        .zip(kept.get(2))
        .map(|(determinism, listener)| Layer::new(determinism, plan.limits.cpu_count(), *listener));
    let translator = Translator::new(program, tree, translated, layer.is_some());
    let tracer = Tracer::new(program, layer, Some(translator));
    Ok(Started { program, tracer, channel: kept[0], from_program: kept[1] })
}

/// Returns the program's own report of why it could not be started.
fn reported(from: &OwnedFd) -> Option<Failure> {
    match channel::receive_report(from) {
        Ok(Some((Report::Failed(failure), _))) => Some(failure),
        _ => None,
    }
}

/// Receives the descriptor at which the program's calls arrive.
fn listener(from: &OwnedFd) -> Result<OwnedFd, Failure> {
    match channel::receive_report(from).at(Step::Trace)? {
        Some((Report::Started, fds)) => {
            fds.into_iter().next().ok_or(Failure::new(Step::Trace, Errno::BADF))
        }
        Some((Report::Failed(failure), _)) => Err(failure),
        _ => Err(Failure::new(Step::Trace, Errno::SRCH)),
    }
}

fn tree(plan: &Plan) -> Tree {
    let mut tree = Tree::default();
    for mount in &plan.mounts {
        if let Some((host, is_writable)) = mount.kind.shown() {
            tree.add(mount.target.to_bytes(), host.to_bytes(), is_writable);
        }
    }
    tree
}

/// Closes every descriptor except the standard streams and the channel to process 1, which is
/// closed when the program begins.
fn begin_program(inherited: Inherited<'_>, to: &OwnedFd) -> Result<BorrowedFd<'static>, Failure> {
    setsid().at(Step::Stdio)?;
    connect_stdio(inherited.streams).at(Step::Stdio)?;
    let kept = keep_only(&[to.as_fd()])[0];
    fcntl_setfd(kept, FdFlags::CLOEXEC).at(Step::Stdio)?;
    sys::reset_signals().at(Step::Stdio)?;
    Ok(kept)
}

/// Stands for a process that is not a thread of the command yet, and sees no processes.
struct Nobody;

impl ProcView for Nobody {
    fn may_see(&self, _: i32) -> bool {
        false
    }

    fn link(&self, _: &[u8]) -> Result<LinkTarget, Errno> {
        Err(Errno::NOENT)
    }
}

/// Becomes the program. Returns only after a failure or in a trial.
fn become_program(command: Command<'_>, tree: &Tree, to: BorrowedFd<'static>) -> Done {
    let Command { plan, translated, inherited: Inherited { filter, .. } } = command;
    offer_to_oom_killer().at(Step::Limits)?;
    let cpus = plan.limits.cpus.map(cpu_set).transpose().at(Step::Cpus)?;
    set_limits(&resource_limits(&beside_others(&plan.limits)), cpus.as_ref())?;
    umask(Mode::from_raw_mode(plan.view.umask));
    let cwd = Path { begin: b"/", text: plan.cwd.to_bytes(), last: LastLink::Followed };
    let cwd = translation::walk(tree, cwd, &Nobody);
    cwd.and_then(|place| chdir(place.host.as_slice())).at(Step::WorkingDirectory)?;
    set_no_new_privs(true).at(Step::Privileges)?;
    if translated.is_guarded {
        translation::restrict(&plan.mounts, &translated.copies).at(Step::Guard)?;
    }
    if plan.determinism.is_some() {
        trace::fix_addresses().at(Step::Trace)?;
    }
    trace::trace_me().at(Step::Trace)?;
    // The process stays stopped until the tracer knows it.
    kill_process(getpid(), Signal::STOP).at(Step::Trace)?;
    if plan.trial {
        return Ok(());
    }
    let (argv, env) = (StringList::new(plan.argv.clone()), StringList::new(plan.env.clone()));
    if plan.determinism.is_some() {
        let listener = sys::notify::set_filter_with_listener(filter).at(Step::Filter)?;
        channel::report(to, Report::Started, &[listener.as_fd()]).at(Step::Trace)?;
    } else {
        sys::set_seccomp_filter(filter).at(Step::Filter)?;
    }
    Err(Failure::new(Step::Execute, execute(&plan.programs, &argv, &env)))
}

/// Returns limits for a kernel that counts all processes of the user. This process and process 1
/// are in both numbers.
fn beside_others(limits: &PlannedLimits) -> PlannedLimits {
    let others = threads_of_user().saturating_sub(2);
    PlannedLimits { processes: limits.processes.saturating_add(others), ..limits.clone() }
}

fn threads_of_user() -> u64 {
    let user = geteuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = |folder: std::path::PathBuf| {
        let is_own = fs::metadata(&folder).is_ok_and(|data| data.uid() == user);
        let status = is_own.then(|| fs::read_to_string(folder.join("status")).ok())??;
        status.lines().find_map(|line| line.strip_prefix("Threads:"))?.trim().parse::<u64>().ok()
    };
    entries.filter_map(|entry| threads(entry.path())).sum()
}
