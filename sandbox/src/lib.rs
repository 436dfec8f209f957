//! Runs one command hermetically.
//!
//! A [`Spec`] names a command, its environment, the folders it may see and its limits;
//! [`Sandbox::run`] runs it and returns an [`Outcome`]. The command sees what the specification
//! mounts, a fixed system view (see [`Isolation::view`]) and nothing else of the machine: no other
//! file, process, user, socket or network.
//!
//! It works on Linux, as root and as an ordinary user, with namespaces. Elsewhere
//! [`Sandbox::start`] says [`Unsupported`]. There are weaker means ([`Isolation`]) for machines without
//! namespaces; nothing falls back to them.
//!
//! [`Supervised`] is for the few programs of the host that a build needs, such as the clients of registries:
//! they are not kept apart from anything, but they end when their caller does.
//!
//! [`work`] has a child of this program do what this program could do itself, with limits, because it
//! works on hostile input. That is no sandbox.
//!
//! This crate knows no digest, no action graph, no store and no language.

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
