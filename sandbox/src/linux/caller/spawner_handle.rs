//! Starts the spawner, keeps it alive and ends it.
//!
//! The kernel kills the spawner when the *thread* that started it ends. So a thread of its own
//! starts the spawner, and then waits for its end as long as the handle exists.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel as queue};
use std::thread::{self, JoinHandle};

use rustix::net::{Shutdown, shutdown};

use super::diagnosis::{diagnose, not_started};
use super::identity::Identity;
use super::run::{self, RunError, StandardStreams};
use crate::linux::wire::channel;
use crate::linux::wire::greeting::NAME;
use crate::linux::wire::plan::{InitLimits, Plan, PlannedLimits};
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{Failure, Step};
use crate::{Cause, Unsupported, View};

/// The handle of a running spawner.
#[derive(Debug)]
pub(super) struct SpawnerHandle {
    control: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl SpawnerHandle {
    /// Starts a spawner and has it run the trial, which sets up one empty sandbox.
    pub(super) fn start(identity: &Identity, trial: &Plan) -> Result<Self, Unsupported> {
        let started = Self::launch().map_err(not_started);
        let (spawner, pid) = started.map_err(|cause| Unsupported { cause })?;
        let ready = spawner.greet(pid, identity).and_then(|()| spawner.try_out(trial));
        ready.map_err(|cause| Unsupported { cause })?;
        Ok(spawner)
    }

    /// Returns the socket to which requests are sent.
    pub(super) fn control(&self) -> &OwnedFd {
        &self.control
    }

    fn launch() -> io::Result<(Self, u32)> {
        let (control, theirs) = channel::pair()?;
        let (started, wait) = queue();
        let thread = thread::Builder::new()
            .name("spawner-keeper".into())
            .spawn(move || keep(theirs, &started))?;
        let spawner = Self { control, thread: Some(thread) };
        let pid = wait.recv().map_err(io::Error::other)??;
        Ok((spawner, pid))
    }

    /// Tells the spawner its rights and waits until it is ready. Only the caller can map the users
    /// of the spawner's user namespace.
    fn greet(&self, pid: u32, identity: &Identity) -> Result<(), Cause> {
        channel::send(&self.control, &identity.rights.greeting(), &[])
            .map_err(|errno| not_started(errno.into()))?;
        loop {
            match channel::receive_report(&self.control) {
                Ok(Some((Report::Unshared, _))) => {
                    map(pid, identity)
                        .map_err(|error| diagnose(Failure::from_io(Step::IdMap, &error)))?;
                    channel::send(&self.control, &[1], &[])
                        .map_err(|errno| not_started(errno.into()))?;
                }
                Ok(Some((Report::Ready, _))) => return Ok(()),
                Ok(Some((Report::Failed(failure), _))) => return Err(diagnose(failure)),
                Ok(_) => return Err(not_started(io::ErrorKind::UnexpectedEof.into())),
                Err(errno) => return Err(not_started(errno.into())),
            }
        }
    }

    fn try_out(&self, trial: &Plan) -> Result<(), Cause> {
        let null = std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(not_started)?;
        let io = StandardStreams::Inherit([null.as_fd(), null.as_fd(), null.as_fd()]);
        match run::run(&self.control, trial, None, &io, &Default::default()) {
            Ok(_) => Ok(()),
            Err(RunError::Failed(failure)) => Err(diagnose(failure)),
            Err(RunError::SpawnerDied) => Err(not_started(io::ErrorKind::UnexpectedEof.into())),
            Err(RunError::Caller(errno)) => Err(not_started(errno.into())),
        }
    }
}

impl Drop for SpawnerHandle {
    /// Ends the spawner, and with it every command that still runs.
    fn drop(&mut self) {
        // This fails only if the spawner is already gone.
        let _ = shutdown(&self.control, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts the spawner, and returns when the spawner has ended. The thread of its own runs this.
fn keep(theirs: OwnedFd, started: &Sender<io::Result<u32>>) {
    match spawn(theirs) {
        Ok(mut spawner) => {
            // Nobody receives this if the start was given up. Then the control socket is closed,
            // and the spawner ends as well; its exit status does not matter.
            let _ = started.send(Ok(spawner.id()));
            let _ = spawner.wait();
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

fn spawn(theirs: OwnedFd) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg0(NAME)
        .env_clear()
        .current_dir("/")
        .stdin(theirs)
        .stdout(Stdio::null())
        .spawn()
}

fn map(pid: u32, identity: &Identity) -> io::Result<()> {
    let (uids, gids) = identity.spawner_maps();
    let write = |file: &str, text: &str| std::fs::write(format!("/proc/{pid}/{file}"), text);
    if identity.account(0).is_caller {
        write("setgroups", "deny")?;
    }
    write("uid_map", &uids)?;
    write("gid_map", &gids)
}

/// Returns the plan of a trial, which does everything except running a program.
pub(super) fn trial(identity: &Identity) -> Plan {
    Plan {
        account: identity.account(0),
        programs: Vec::new(),
        argv: Vec::new(),
        env: Vec::new(),
        cwd: c"/".into(),
        mounts: Vec::new(),
        limits: PlannedLimits {
            bounds: InitLimits { memory: None, timeout: None },
            processes: 1,
            tmp_bytes: 1 << 20,
            file_size: None,
            open_files: 64,
            cpus: None,
        },
        view: View::STANDARD,
        determinism: None,
        translated: None,
        has_group: false,
        trial: true,
    }
}
