//! Runs what was built: the development server, which watches a project, builds it and serves what was built; and the tests of a
//! project.
//!
//! [`Server`] is the whole of the server. The program that it is a part of supplies a [`Front`], which makes builders and talks to the
//! user; this crate prints nothing.
//!
//! - `watch` notices edits, and says when it is time to build.
//! - `work` builds, loads what was built, and puts it into service.
//! - `http` answers requests, and `page` has the pages of the server itself.
//! - `site` is what is in service, and `board` is what the pages show.
//! - [`compiled`] has the machine code of components made by cached actions, so that starting again compiles nothing.
//! - [`trial`] runs the tests of the project.
//! - [`grants()`] turns the capabilities of run.toml into what a component may do at run time.

mod board;
pub mod compiled;
mod front;
mod grants;
mod http;
mod knobs;
mod log;
mod page;
mod route;
mod seal;
mod server;
mod site;
pub mod trial;
mod watch;
mod work;

pub use compiled::{CodeError, Compiler};
pub use front::{Complaint, Front, Message, RequestLine};
pub use grants::{Offer, grant, grants};
pub use seal::{Seal, SealError};
pub use server::{ServeError, Server, Settings, Stop};
pub use watch::WatchError;
