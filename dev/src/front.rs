//! The part of the development server that its program has to supply: it makes builders and talks to the user.
//!
//! This crate prints nothing, and reads neither the environment nor the user's configuration.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Events;
use project::{Builder, Built};
use rules::plan::Plan;
use runtime::{Level, Stream};
use sandbox::Cancel;

/// The program that the development server is a part of.
pub trait Front: Send + Sync + 'static {
    /// Reads run.toml and the lock, completes the lock if that is allowed, and makes a builder, whose work stops with
    /// `cancel`. It is called at the start, and again whenever run.toml or the lock has changed.
    ///
    /// # Errors
    /// If the project can't be built. The user was told by then.
    fn open(&self, cancel: &Cancel) -> Result<Builder, Complaint>;

    /// Returns a receiver of the events of one build.
    fn events(&self, builder: &Builder) -> Arc<dyn Events>;

    /// Tells the user how a build has ended that ran something, failed, or changed what is served. Returns a complaint for
    /// each failure.
    fn built(
        &self,
        builder: &Builder,
        plan: &Plan,
        built: &Built,
        began: Instant,
    ) -> Vec<Complaint>;

    /// Tells the user that a build could not be done. Returns the same as a complaint.
    fn failed(&self, builder: &Builder, error: project::Error) -> Complaint;

    /// Tells the user something.
    fn tell(&self, message: &Message<'_>);

    /// Returns a text without the secrets that this program knows.
    fn mask(&self, text: &str) -> String;
}

/// Something that is wrong, for the pages in the browser. The user's terminal has it already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The component that it is about, if it is about one alone.
    pub component: Option<String>,
    /// A short text, such as `api:compile exited with status 1`.
    pub title: String,
    /// The whole message. It may have the colours of terminals, and has no secrets.
    pub text: String,
}

/// Something that the user is told.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// A component is served for the first time, or at another route.
    Serving {
        /// Its name.
        component: &'a str,
        /// The address at which it answers.
        url: String,
    },
    /// Other versions of components are in service.
    Reloaded {
        /// Their names.
        components: &'a [String],
        /// The time from the first edit until now.
        took: Duration,
        /// The number of components of the project that are the same as before.
        unchanged: usize,
        /// The number of components of the project.
        all: usize,
    },
    /// A build has succeeded, but other versions of components are not put into service, because run.toml says so.
    NotReloaded {
        /// Their names.
        components: &'a [String],
    },
    /// A file that matches `[dev].watch` and that no component is built from has changed.
    Touched {
        /// The path of the file, relative to the project.
        path: String,
        /// The number of further such files.
        more: usize,
    },
    /// The last build had failed, and everything is in order again.
    Mended,
    /// A request was answered.
    Request(&'a RequestLine),
    /// A component has written a line.
    Output {
        /// Its name.
        component: &'a str,
        /// The stream that it has written to.
        stream: Stream,
        /// The line, without its end.
        line: &'a str,
    },
    /// A component has written a log entry.
    Entry {
        /// Its name.
        component: &'a str,
        /// The severity.
        level: Level,
        /// The context that it names.
        context: &'a str,
        /// The text.
        message: &'a str,
    },
    /// A component was refused something that its capabilities do not grant.
    Denied {
        /// Its name.
        component: &'a str,
        /// A sentence that says what was refused and which line to add.
        text: String,
    },
    /// A command has begun.
    Started {
        /// The component's name.
        component: &'a str,
    },
    /// A command has ended.
    Ended {
        /// The component's name.
        component: &'a str,
        /// Its exit status; `None` if it trapped.
        status: Option<i32>,
        /// The time that it took.
        took: Duration,
        /// The message of a trap.
        trap: Option<String>,
    },
    /// A component can't be run.
    Broken {
        /// Its name.
        component: &'a str,
        /// The reason.
        reason: String,
    },
    /// Something is not as it should be.
    Warning(&'a str),
}

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    /// The method.
    pub method: String,
    /// The path with the query, as it was asked for.
    pub path: String,
    /// The status of the response.
    pub status: u16,
    /// The time until the response began.
    pub took: Duration,
    /// The name of the component that answered; `None` if there was none.
    pub component: Option<String>,
    /// The beginning of the digest of the version that answered.
    pub version: Option<String>,
    /// The reason for which the component failed, if it did.
    pub failure: Option<String>,
}
