//! The sandbox on systems without namespaces: it says so.

use std::convert::Infallible;

use crate::{
    Cause, Isolation, Outcome, SandboxError, Spec, Unsupported, WorkerError, WorkerLimits,
};

/// Stops what runs with it. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Cancel {
    /// A fresh one, not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Kills every command that runs with it, and each that starts later.
    pub fn cancel(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// Runs commands hermetically; on this system there can be none.
#[derive(Clone, Debug)]
pub struct Sandbox(Infallible);

impl Sandbox {
    /// Says that this system is not supported.
    pub fn start() -> Result<Self, Unsupported> {
        Err(Unsupported { cause: Cause::OperatingSystem(std::env::consts::OS) })
    }

    /// Says that this system is not supported.
    pub fn start_with(_: Isolation, _folder: &std::path::Path) -> Result<Self, Unsupported> {
        Self::start()
    }

    /// Can't be called, since there is no value of this type.
    pub fn has_groups(&self) -> bool {
        match self.0 {}
    }

    /// Can't be called, since there is no value of this type.
    pub fn isolation(&self) -> Isolation {
        match self.0 {}
    }

    /// Can't be called, since there is no value of this type.
    pub fn shell_command(&self, _spec: &Spec) -> String {
        match self.0 {}
    }

    /// Can't be called, since there is no value of this type.
    pub fn run(&self, _spec: &Spec, _cancel: &Cancel) -> Result<Outcome, SandboxError> {
        match self.0 {}
    }
}

/// Does nothing on this system, where no command can have written to a folder.
pub fn reclaim(_folder: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// Does nothing on this system.
pub fn run_spawner_if_asked() {}

/// A running program that is killed when this value is dropped. What the program itself has started lives on
/// on this system.
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

    /// Gives the program's standard output away, if that is a pipe and was not taken before.
    pub fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    /// Gives the program's standard error away, if that is a pipe and was not taken before.
    pub fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.0.stderr.take()
    }

    /// Says how the program ended, or `None` if it still runs.
    ///
    /// # Errors
    /// The system refuses to tell.
    pub fn try_wait(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does nothing on this system.
pub fn run_worker_if_asked(_answer: fn(&[u8]) -> Vec<u8>) {}

/// Says that this system is not supported.
pub fn work(_: &[u8], _: &WorkerLimits, _: &Cancel) -> Result<Vec<u8>, WorkerError> {
    Err(WorkerError::Start(std::io::ErrorKind::Unsupported.into()))
}
