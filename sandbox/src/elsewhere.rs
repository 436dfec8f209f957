//! The sandbox on systems without namespaces: it says so.

use std::convert::Infallible;

use crate::{Cause, Isolation, Outcome, SandboxError, Spec, Unsupported};

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
