//! The spawner: a small process that starts commands for its parent, and takes them along when it
//! dies.
//!
//! To clone a process costs by its size, and from a large one with many threads a hundred times
//! more than from this. So the caller starts its own binary once more, before anything else happens
//! in it, and asks that process. It has one thread, one loop, and no state but the commands that
//! run.
//!
//! Its life is bound to its parent's twice: the kernel kills it when its parent's thread ends, and
//! it ends when the control socket does. Every command's first process is bound to it in the same
//! way, and the kernel kills what is in that process's namespaces.

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

use super::channel;
use super::determinism::{NOTIFIED, RULES, TRACED};
use super::launch::{CORE, Inherited, Streams, launch};
use super::plan::Plan;
use super::seccomp::{self, Watched};
use super::stage::Stage;
use super::step::{At, Failure, Step};
use super::sys;
use super::translation::{self, TRANSLATED};
use super::wire::Report;

/// The name under which this binary is the spawner.
pub(super) const NAME: &str = "run-spawner";

/// Becomes the spawner process if this process was started as one, and never returns then.
///
/// Must be the first statement of `main` in every program that uses [`Sandbox`](crate::Sandbox):
/// the spawner must not have started a thread. It also serves the line that
/// [`shell_command`](crate::shell_command) makes, and never returns then either. Otherwise it does
/// nothing.
pub fn run_spawner_if_asked() {
    super::debug::enter_if_asked();
    let is_asked = env::args_os().next().is_some_and(|name| name == NAME);
    if is_asked && is_channel(io::stdin()) {
        // Returns only when there is nobody left to tell.
        let _ = serve();
        sys::exit(1);
    }
}

/// Whether this is the end of a channel, as nobody passes by accident.
fn is_channel(fd: impl AsFd) -> bool {
    sockopt::socket_domain(&fd) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(&fd) == Ok(SocketType::SEQPACKET)
}

/// Gets ready and then starts what it is asked to. Fails only if there is nobody to tell.
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

/// Leaves behind what this process has inherited, but for the control socket.
fn settle() -> Result<OwnedFd> {
    panic::set_hook(Box::new(|_| abort()));
    sys::close_from(3)?;
    let control = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
    dup2_stdin(open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)?;
    // The name of the file would be that of a link in `/proc`.
    rustix::thread::set_name(c"run-spawner")?;
    // Not in the terminal's session: Ctrl-C is for the parent, which ends us in good order.
    setsid()?;
    sys::reset_signals()?;
    umask(Mode::empty());
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    // Whoever may not raise a limit of 0 keeps that.
    let _ = setrlimit(Resource::Core, Rlimit { current: CORE, maximum: CORE });
    Ok(control)
}

/// Gets the right to mount, and moves to where it is needed. There is no stage without namespaces.
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
    // Whoever made the channel started us; if that is no longer our parent, no signal will come.
    if getppid() != Some(sockopt::socket_peercred(control).at(Step::ParentDeath)?.pid) {
        sys::exit(1);
    }
    match rights {
        Rights::None => Ok(None),
        _ => Stage::enter_new(rights == Rights::Own).map(Some),
    }
}

/// Where the spawner has the right to mount from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// Its caller has it.
    Own,
    /// It creates a user namespace.
    UserNamespace,
    /// It has none.
    None,
}

impl Rights {
    /// What the spawner is told first.
    pub(super) fn greeting(self) -> [u8; 1] {
        [self as u8]
    }
}

impl From<[u8; 1]> for Rights {
    fn from(greeting: [u8; 1]) -> Self {
        let all = [Self::Own, Self::UserNamespace];
        all.into_iter().find(|rights| rights.greeting() == greeting).unwrap_or(Self::None)
    }
}

struct Spawner {
    control: OwnedFd,
    /// This process itself.
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

/// What the loop wakes up for.
enum Event {
    Request,
    /// The command at this index ended.
    Ended(usize),
    /// Nobody waits for the command at this index any more.
    Abandoned(usize),
}

impl Spawner {
    fn run(mut self) -> Result<Infallible> {
        loop {
            // From the back, as commands that ended are removed.
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
        // The kernel drops what we have no room for. Without a channel there is nobody to tell.
        let Some(channel) = fds.next() else { return Ok(()) };
        let launched = request(fds).ok_or(Failure::new(Step::Request, Errno::MFILE)).and_then(
            |Request { plan, streams, group }| {
                let filter = &filter(&plan);
                let spawner = self.spawner.as_fd();
                let (channel, streams) = (channel.as_fd(), &streams);
                let group = group.as_ref().map(AsFd::as_fd);
                let inherited = Inherited { channel, streams, filter, spawner, group };
                match (&mut self.stage, &plan.translated) {
                    (None, Some(translated)) => translation::launch(&plan, translated, inherited),
                    (Some(stage), None) => launch(stage, plan, inherited),
                    _ => Err(Failure::new(Step::Request, Errno::INVAL)),
                }
            },
        );
        let kill = deadly_signal(self.stage.is_some());
        // A report that can't be sent has nobody who waits for it; the loop notices that.
        match launched {
            Ok((pid, pidfd)) => {
                let _ = channel::report(&channel, Report::Started, &[pidfd.as_fd()]);
                self.running.push(Running { pid, pidfd, channel, kill });
            }
            Err(failure) => drop(channel::report(&channel, Report::Failed(failure), &[])),
        }
        Ok(())
    }

    /// The parent is gone or wants no more.
    fn end(&mut self) -> ! {
        self.running.iter().for_each(Running::kill);
        self.running.drain(..).for_each(Running::bury);
        sys::exit(0)
    }
}

/// The system call filter of a command.
fn filter(plan: &Plan) -> Vec<sock_filter> {
    let (notified, traced, rules) = match plan.determinism {
        Some(_) => (NOTIFIED, TRACED, RULES),
        None => Default::default(),
    };
    let translated = plan.translated.as_ref();
    seccomp::filter(Watched {
        notified,
        traced,
        translated: translated.map_or(&[], |_| TRANSLATED),
        rules,
        is_alone: translated.is_some_and(|translated| translated.is_guarded),
    })
}

/// What ends process 1 of a command. Where that has no namespace that ends with it, it has to end the
/// others first.
pub(super) fn deadly_signal(has_namespaces: bool) -> Signal {
    if has_namespaces { Signal::KILL } else { Signal::TERM }
}

impl Running {
    fn kill(&self) {
        // In vain only if it is dead already.
        let _ = pidfd_send_signal(&self.pidfd, self.kill);
    }

    fn bury(self) {
        if let Ok(Some((_, _, usage))) = sys::wait4(Some(self.pid), 0) {
            let _ = channel::report(&self.channel, Report::Reaped(usage), &[]);
        }
    }
}

/// What is asked for.
struct Request {
    plan: Plan,
    streams: Streams,
    group: Option<OwnedFd>,
}

/// A request's parts after the channel: the encoded plan as a file, the control group if the plan has
/// one, where to write, and perhaps where to read.
fn request(mut fds: impl Iterator<Item = OwnedFd>) -> Option<Request> {
    let mut plan = Vec::new();
    File::from(fds.next()?).read_to_end(&mut plan).ok()?;
    let plan = Plan::decode(&plan)?;
    let group = if plan.has_group { Some(fds.next()?) } else { None };
    let (stdout, stderr) = (fds.next()?, fds.next()?);
    Some(Request { plan, streams: Streams { stdin: fds.next(), stdout, stderr }, group })
}
