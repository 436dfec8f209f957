//! Opens, plans, builds and compares a project, for every front end.
//!
//! - [`Project`] is a folder with a run.toml, its lock, and the private folder of `run`.
//! - [`Pinning`] gives the lock of a build, and completes it if that is allowed.
//! - [`Dependencies`] chooses, locks and fetches the packages of `[dependencies]`.
//! - [`Builder`] plans and builds the selected components under some [`Conditions`].
//! - [`Compare`] builds them twice more, as on two other machines, and says which of them are the same each
//!   time.
//!
//! A build command, a development server, release tools and a test runner talk to different users, and share
//! all of this. So nothing here prints, parses arguments, or reads the environment, the home folder or the
//! clock. What comes from outside is passed in as values, and what the user should know is returned as
//! values, events and [`Error`]s.

mod builder;
mod built;
mod cluster;
mod compare;
mod copy;
mod dependencies;
mod dependency_error;
mod error;
mod former;
mod machine;
mod open;
mod pinning;
mod planned;
mod shared;
mod suspects;
mod uploads;

pub use builder::{Builder, Conditions};
pub use built::Built;
pub use cluster::ExecutionCluster;
pub use compare::{Compare, Comparison, Observer, TwoBuilds, Verdict};
pub use dependencies::{Dependencies, Release, Scope};
pub use dependency_error::DependencyError;
pub use error::Error;
pub use machine::Machine;
pub use open::{LOCK_FILE, Project, StateAhead};
pub use pinning::{LockPolicy, Pinning, SyncRequest, images};
pub use planned::Planned;
pub use shared::SharedCache;
pub use suspects::Suspects;
pub use uploads::Uploads;
