//! The sandbox on Linux.

use crate::{Cause, Outcome, SandboxError, Spec, Unsupported};

/// Stops what runs with it. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Cancel;
impl Cancel {
    /// A fresh one, not cancelled.
    pub fn new() -> Self {
        Self
    }
    /// Kills every command that runs with it, and each that starts later.
    pub fn cancel(&self) {}
    /// Whether `cancel` was called.
    pub fn is_cancelled(&self) -> bool {
        false
    }
}

/// Runs commands hermetically; a cheap handle to the spawner process.
#[derive(Clone, Debug)]
pub struct Sandbox;
impl Sandbox {
    /// Starts the spawner process and tries out, once, all that a command's isolation needs.
    pub fn start() -> Result<Self, Unsupported> {
        Err(Unsupported { cause: Cause::OperatingSystem("unfinished Linux support") })
    }
    /// Runs a command and waits until every process of it is dead. May be called from many threads at once.
    pub fn run(&self, _spec: &Spec, _cancel: &Cancel) -> Result<Outcome, SandboxError> {
        Err(SandboxError::SpawnerDied)
    }
}

/// Becomes the spawner process if this process was started as one, and never returns then.
///
/// Must be the first statement of `main` in every program that uses [`Sandbox`].
pub fn run_spawner_if_asked() {}

/// A line for `sh` that runs the command of `spec` in the same sandbox, on the caller's terminal.
pub fn shell_command(_spec: &Spec) -> String {
    String::new()
}
