//! The sandbox on Linux: a spawner process, and namespaces for each command.
//!
//! The way of one command: [`sandbox`] validates the specification and lays its mounts out
//! ([`layout`]), [`session`] sends the [`plan`] to the [`spawner`], which opens the sources on its
//! [`stage`] and clones ([`launch`]); the clone sets the sandbox up ([`child`]) and waits in it
//! ([`init`]), and if that is wanted traces it ([`tracer`]) for the sake of [`determinism`]. Where there
//! are no namespaces, commands see their mounts by [`translation`]. All that is unsafe is in [`sys`].
//! Programs of the host that are not commands of a build are [`supervised`].

mod cancel;
mod capture;
mod channel;
mod child;
mod debug;
mod determinism;
mod diagnosis;
mod folders;
mod groups;
mod hide;
mod identity;
mod init;
mod keeper;
mod launch;
mod layout;
mod memory;
mod plan;
mod sandbox;
mod seccomp;
mod session;
mod spawner;
mod stage;
mod step;
mod supervised;
mod sys;
mod tracer;
mod translation;
mod walk;
mod wire;
mod worker;

pub use cancel::Cancel;
pub use folders::reclaim;
pub use sandbox::Sandbox;
pub use spawner::run_spawner_if_asked;
pub use supervised::Supervised;
pub use worker::{run_worker_if_asked, work};
