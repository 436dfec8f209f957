//! Stands in for the sandbox on systems other than Linux. No command can be run there, and no
//! worker can be started: both give an error. Programs of the host can be run ([`Supervised`]).

use std::convert::Infallible;

use crate::{
    Cause, Isolation, Outcome, SandboxError, Spec, Unsupported, WorkerError, WorkerLimits,
};

/// Stops all commands that were started with it. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Cancel {
    /// Creates one that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every command that runs with it, and each that starts later.
    pub fn cancel(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Returns whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Would run commands hermetically; on this system no value of this type exists.
#[derive(Clone, Debug)]
pub struct Sandbox(Infallible);

impl Sandbox {
    /// Returns the error that says that this system is not supported.
    pub fn start() -> Result<Self, Unsupported> {
        Err(Unsupported { cause: Cause::OperatingSystem(std::env::consts::OS) })
    }

    /// Returns the error that says that this system is not supported.
    pub fn start_with(_: Isolation, _folder: &std::path::Path) -> Result<Self, Unsupported> {
        Self::start()
    }

    /// Can't be called, since no value of this type exists.
    pub fn has_groups(&self) -> bool {
        match self.0 {}
    }

    /// Can't be called, since no value of this type exists.
    pub fn isolation(&self) -> Isolation {
        match self.0 {}
    }

    /// Can't be called, since no value of this type exists.
    pub fn run(&self, _spec: &Spec, _cancel: &Cancel) -> Result<Outcome, SandboxError> {
        match self.0 {}
    }

    /// Can't be called, since no value of this type exists.
    pub fn run_inherited(&self, _spec: &Spec, _cancel: &Cancel) -> Result<Outcome, SandboxError> {
        match self.0 {}
    }
}

/// Does nothing on this system, where no command can have written to a folder.
pub fn reclaim(_folder: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// Does nothing on this system.
pub fn run_spawner_if_asked() {}

/// Runs a program that is killed when this value is dropped. On this system, the processes that the
/// program has started go on.
#[derive(Debug)]
pub struct Supervised(std::process::Child);

impl Supervised {
    /// Starts the program.
    ///
    /// # Errors
    /// It can't be started, for the reasons of [`spawn`](std::process::Command::spawn).
    pub fn spawn(command: &mut std::process::Command) -> std::io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Takes the pipe of the program's standard output, if there is one and nobody has taken it
    /// before.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    /// Takes the pipe of the program's standard error, if there is one and nobody has taken it
    /// before.
    pub fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.0.stderr.take()
    }

    /// Returns how the program ended, or `None` while it runs.
    ///
    /// # Errors
    /// The system can't tell.
    pub fn try_wait(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // This fails if the program has already ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does nothing on this system.
pub fn run_worker_if_asked(_answer: fn(&[u8]) -> Vec<u8>) {}

/// Returns the error that says that this system is not supported.
pub fn work(_: &[u8], _: &WorkerLimits, _: &Cancel) -> Result<Vec<u8>, WorkerError> {
    Err(WorkerError::Start(std::io::ErrorKind::Unsupported.into()))
}
