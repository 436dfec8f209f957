//! Implements the sandbox on Linux, by a spawner process and namespaces for each command.
//!
//! There is a folder for each process in which code runs, and one for each thing that several of
//! them share. A folder uses only those below it:
//! - [`children`] holds other child processes of the caller, which are not isolated;
//! - [`caller`] runs in the process that asks for a command: it checks the specification, lays the
//!   mounts out, sends a plan to the spawner and waits for the reports;
//! - [`spawner`] runs in the spawner, which opens the sources of the mounts and clones itself for
//!   each command;
//! - [`inside`] runs in the clone, which is process 1 of the command. It sets the sandbox up,
//!   starts the program, enforces limits, and traces the program if that is wanted;
//! - [`view`] defines what every command sees, and [`wire`] what the processes send each other;
//! - [`sys`] wraps system calls, and holds all `unsafe` code.

mod caller;
mod children;
mod inside;
mod spawner;
mod sys;
mod view;
mod wire;

pub use caller::cancel::Cancel;
pub use caller::folders::reclaim;
pub use caller::sandbox::Sandbox;
pub use children::supervised::Supervised;
pub use children::worker::{run_worker_if_asked, work};
pub use spawner::serve::run_spawner_if_asked;
