//! Becomes the spawner: a small process that starts commands for its parent, and whose death ends
//! them.
//!
//! The cost of a clone grows with the process that is cloned. Cloning a large process with many
//! threads takes a hundred times as long as cloning this one. So the caller starts its own binary
//! once more, before anything else happens in it, and sends requests to that process. The spawner
//! has one thread, one loop, and no state except the commands that run.
//!
//! Two things bind the spawner's life to its parent's: the kernel kills it when the thread ends
//! that started it, and it ends when the control socket is closed. Process 1 of every command is
//! bound to the spawner in the same way, and when process 1 ends, the kernel kills everything in
//! its namespaces.

use std::convert::Infallible;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::panic;
use std::process::abort;

use libc::sock_filter;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{AddressFamily, SocketType, sockopt};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getpid, getppid, getrlimit, pidfd_open,
    pidfd_send_signal, set_parent_process_death_signal, setrlimit, setsid, umask,
};
use rustix::stdio::dup2_stdin;

use super::launch::{launch, launch_without_namespaces};
use super::stage::Stage;
use crate::linux::inside::determinism::{NOTIFIED, RULES, TRACED};
use crate::linux::inside::prepared::{Inherited, Streams};
use crate::linux::inside::seccomp::{self, FilterInput};
use crate::linux::inside::translation::TRANSLATED;
use crate::linux::sys;
use crate::linux::sys::limits::CORE;
use crate::linux::wire::channel;
use crate::linux::wire::greeting::{NAME, Rights};
use crate::linux::wire::plan::Plan;
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{AtStep, Failure, Step};

/// Becomes the spawner process if this process was started as one, and never returns then.
/// Otherwise it does nothing.
///
/// This must be the first statement of `main` in every program that uses
/// [`Sandbox`](crate::Sandbox), because the spawner must not have started a thread.
pub fn run_spawner_if_asked() {
    let is_asked = env::args_os().next().is_some_and(|name| name == NAME);
    if is_asked && is_channel(io::stdin()) {
        // This returns only when there is nobody left to report to.
        let _ = serve();
        sys::exit(1);
    }
}

/// Returns whether this is the end of a channel, which nobody passes by accident.
fn is_channel(fd: impl AsFd) -> bool {
    sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET)
}

/// Prepares the spawner, and then serves requests. Fails only if there is nobody to report to.
fn serve() -> Result<Infallible> {
    let control = settle()?;
    match get_ready(&control) {
        Ok(stage) => {
            let spawner = pidfd_open(getpid(), PidfdFlags::empty())?;
            channel::report(&control, Report::Ready, &[])?;
            Spawner { control, spawner, stage, running: Vec::new() }.run()
        }
        Err(failure) => {
            channel::report(&control, Report::Failed(failure), &[])?;
            Err(Errno::CANCELED)
        }
    }
}

/// Gives up everything that this process has inherited, except the control socket.
fn settle() -> Result<OwnedFd> {
    panic::set_hook(Box::new(|_| abort()));
    sys::close_from(3)?;
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    dup2_stdin(open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)?;
    // The kernel would name the process after a link in `/proc`.
    rustix::thread::set_name(c"run-spawner")?;
    // The spawner leaves the terminal's session: Ctrl-C is for the parent, which ends the spawner
    // in good order.
    setsid()?;
    sys::reset_signals()?;
    umask(Mode::empty());
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    // A process that may not raise a limit of 0 keeps it.
    let _ = setrlimit(Resource::Core, Rlimit { current: CORE, maximum: CORE });
    Ok(control)
}

/// Gets the right to mount, and moves to a new stage. Without namespaces there is no stage.
fn get_ready(control: &OwnedFd) -> std::result::Result<Option<Stage>, Failure> {
    let mut greeting = [0];
    channel::receive(control, &mut greeting).at(Step::Request)?;
    let rights = Rights::from(greeting);
    if rights == Rights::UserNamespace {
        sys::unshare(libc::CLONE_NEWUSER).at(Step::UserNamespace)?;
        channel::report(control, Report::Unshared, &[]).at(Step::Request)?;
        channel::receive(control, &mut [0]).at(Step::Request)?;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).at(Step::ParentDeath)?;
    // The process that made the channel has started this one. If it is not the parent any more, the
    // signal at its death will not come.
    if getppid() != Some(sockopt::socket_peercred(control).at(Step::ParentDeath)?.pid) {
        sys::exit(1);
    }
    match rights {
        Rights::None => Ok(None),
        _ => Stage::enter_new(rights == Rights::Own).map(Some),
    }
}

struct Spawner {
    control: OwnedFd,
    /// The process descriptor of this process itself.
    spawner: OwnedFd,
    stage: Option<Stage>,
    running: Vec<Running>,
}

/// A command that runs.
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
    channel: OwnedFd,
    kill: Signal,
}

/// A reason for which the loop wakes up.
enum Event {
    Request,
    /// The command at this index has ended.
    Ended(usize),
    /// Nobody waits for the command at this index any more.
    Abandoned(usize),
}

impl Spawner {
    fn run(mut self) -> Result<Infallible> {
        loop {
            // This begins at the end, because commands that have ended are removed.
            for event in self.wait()?.into_iter().rev() {
                match event {
                    Event::Request => self.start()?,
                    Event::Ended(index) => self.running.swap_remove(index).bury(),
                    Event::Abandoned(index) => self.running[index].kill(),
                }
            }
        }
    }

    fn wait(&self) -> Result<Vec<Event>> {
        let mut fds = vec![PollFd::new(&self.control, PollFlags::IN)];
        for command in &self.running {
            fds.push(PollFd::new(&command.pidfd, PollFlags::IN));
            fds.push(PollFd::new(&command.channel, PollFlags::empty()));
        }
        retry_on_intr(|| poll(&mut fds, None))?;
        let is_ready = |fd: &PollFd| !fd.revents().is_empty();
        let of_command =
            |(index, pair): (usize, &[PollFd])| match (is_ready(&pair[0]), is_ready(&pair[1])) {
                (true, _) => Some(Event::Ended(index)),
                (false, true) => Some(Event::Abandoned(index)),
                (false, false) => None,
            };
        let request = is_ready(&fds[0]).then_some(Event::Request);
        let commands = fds[1..].chunks_exact(2).enumerate().filter_map(of_command);
        Ok(request.into_iter().chain(commands).collect())
    }

    fn start(&mut self) -> Result<()> {
        let (length, fds) = channel::receive(&self.control, &mut [0])?;
        if length == 0 {
            self.end();
        }
        let mut fds = fds.into_iter();
        // The kernel drops descriptors for which this process has no room. Without a channel there
        // is nobody to report to.
        let Some(channel) = fds.next() else { return Ok(()) };
        let launched = request(fds)
            .ok_or(Failure::new(Step::Request, Errno::MFILE))
            .and_then(|request| self.launch(&channel, request));
        // If a report can't be sent, nobody waits for it any more. The loop notices that.
        match launched {
            Ok((pid, pidfd, kill)) => {
                let _ = channel::report(&channel, Report::Started, &[pidfd.as_fd()]);
                self.running.push(Running { pid, pidfd, channel, kill });
            }
            Err(failure) => drop(channel::report(&channel, Report::Failed(failure), &[])),
        }
        Ok(())
    }

    /// Starts a command, and returns its process 1 and the signal that ends it.
    fn launch(
        &mut self,
        channel: &OwnedFd,
        request: Request,
    ) -> std::result::Result<(Pid, OwnedFd, Signal), Failure> {
        let Request { plan, streams, group } = request;
        let (filter, kill) = (&filter(&plan), plan.deadly_signal());
        let (channel, streams) = (channel.as_fd(), &streams);
        let (spawner, group) = (self.spawner.as_fd(), group.as_ref().map(AsFd::as_fd));
        let inherited = Inherited { channel, streams, filter, spawner, group };
        let (pid, pidfd) = match (&mut self.stage, &plan.translated) {
            (None, Some(translated)) => launch_without_namespaces(&plan, translated, inherited),
            (Some(stage), None) => launch(stage, plan, inherited),
            _ => Err(Failure::new(Step::Request, Errno::INVAL)),
        }?;
        Ok((pid, pidfd, kill))
    }

    /// Ends all commands and this process, because the parent is gone or wants no more.
    fn end(&mut self) -> ! {
        self.running.iter().for_each(Running::kill);
        self.running.drain(..).for_each(Running::bury);
        sys::exit(0)
    }
}

/// Assembles the system call filter of a command.
fn filter(plan: &Plan) -> Vec<sock_filter> {
    let (notified, traced, rules) = match plan.determinism {
        Some(_) => (NOTIFIED, TRACED, RULES),
        None => Default::default(),
    };
    let translated = plan.translated.as_ref();
    seccomp::filter(FilterInput {
        notified,
        traced,
        translated: translated.map_or(&[], |_| TRANSLATED),
        rules,
        is_sole_guard: translated.is_some_and(|translated| translated.is_guarded),
    })
}

impl Running {
    fn kill(&self) {
        // This fails only if the process is already dead.
        let _ = pidfd_send_signal(&self.pidfd, self.kill);
    }

    fn bury(self) {
        if let Ok(Some((_, _, usage))) = sys::wait4(Some(self.pid), 0) {
            let _ = channel::report(&self.channel, Report::Reaped(usage), &[]);
        }
    }
}

/// A request as it was received.
struct Request {
    plan: Plan,
    streams: Streams,
    group: Option<OwnedFd>,
}

/// Reads the descriptors of a request that follow the channel: the encoded plan as a file, the
/// control group if the plan has one, standard output and error, and perhaps standard input.
fn request(mut fds: impl Iterator<Item = OwnedFd>) -> Option<Request> {
    let mut plan = Vec::new();
    File::from(fds.next()?).read_to_end(&mut plan).ok()?;
    let plan = Plan::decode(&plan)?;
    let group = if plan.has_group { Some(fds.next()?) } else { None };
    let (stdout, stderr) = (fds.next()?, fds.next()?);
    Some(Request { plan, streams: Streams { stdin: fds.next(), stdout, stderr }, group })
}
