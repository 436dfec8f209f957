//! Runs one command hermetically.
//!
//! A [`Spec`] names a command, its environment, the folders that it may see and its limits.
//! [`Sandbox::run`] runs it and returns an [`Outcome`]. The command sees what the specification
//! mounts and a fixed view of a system (see [`Isolation::view`]). It sees nothing else of the
//! machine: no other file, process, user, socket or network.
//!
//! This works on Linux with namespaces, for root and for ordinary users. On other systems
//! [`Sandbox::start`] returns [`Unsupported`]. Machines without namespaces have weaker means
//! ([`Isolation`]), which are used only if the caller asks for them.
//!
//! [`Supervised`] runs the few programs of the host that a build needs, such as the clients of
//! registries. They are not isolated, but they end when their caller ends.
//!
//! [`work`] does a piece of work in a child process of the same program, with limits on its time
//! and memory, because its input may be hostile. It does not isolate that process.
//!
//! This crate knows nothing about digests, action graphs, stores or languages.

mod determinism;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod isolation;
#[cfg(target_os = "linux")]
mod linux;
mod outcome;
mod spec;
mod unsupported;
mod view;
mod worker;

pub use determinism::{Determinism, Listing};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{
    Cancel, Sandbox, Supervised, reclaim, run_spawner_if_asked, run_worker_if_asked, work,
};
pub use isolation::Isolation;
#[cfg(target_os = "linux")]
pub use linux::{
    Cancel, Sandbox, Supervised, reclaim, run_spawner_if_asked, run_worker_if_asked, work,
};
pub use outcome::{Outcome, SandboxError, Status};
pub use spec::{InvalidSpec, Limits, Mount, MountSource, Spec};
pub use unsupported::{Cause, Unsupported};
pub use view::View;
pub use worker::{WorkerError, WorkerLimits};
