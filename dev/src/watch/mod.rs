//! Notices edits of the project, and says when it is time to build.
//!
//! [`Area`] decides which files matter, [`follow`](Follower) hears of changes from the operating system, and [`Changes`]
//! collects them until the user's editor is quiet. Nothing here reads a file: whether something has really changed is decided by
//! digests, in the build.

mod area;
mod changes;
mod follow;

pub(crate) use area::{Area, Urgency};
pub(crate) use changes::{Changed, Changes};
pub(crate) use follow::Follower;
pub use follow::WatchError;
