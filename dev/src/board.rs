//! Everything that the pages show: what is served, how the last build went, and what happened lately.
//!
//! It knows nothing of builds and requests themselves: others pin their news to it. Pages that are open hear of each change.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::front::{Complaint, RequestLine};

/// The number of requests and of errors that are remembered.
const MOST: usize = 50;

/// Everything that the pages show.
#[derive(Debug)]
pub(crate) struct Board {
    news: Mutex<News>,
    tick: watch::Sender<u64>,
}

/// The content of the board.
#[derive(Clone, Debug)]
pub(crate) struct News {
    /// The name of the project.
    pub(crate) project: String,
    /// The time at which the server was started.
    pub(crate) started: Instant,
    /// The components in the order of run.toml.
    pub(crate) components: Vec<ComponentCard>,
    /// The beginning of the build in flight.
    pub(crate) building: Option<Instant>,
    /// The last build that is over.
    pub(crate) build: Option<BuildCard>,
    /// The number of builds so far.
    pub(crate) builds: usize,
    /// The things that are wrong now.
    pub(crate) complaints: Vec<Complaint>,
    /// The components whose last build is not in service, because run.toml says so.
    pub(crate) behind: Vec<String>,
    /// True if pages in the browser are kept up to date.
    pub(crate) is_live: bool,
    /// The errors lately, the newest first.
    pub(crate) errors: VecDeque<ErrorCard>,
    /// The requests lately, the newest first.
    pub(crate) requests: VecDeque<RequestCard>,
    /// The number of requests so far, and of those whose component failed.
    pub(crate) requested: usize,
    pub(crate) failed: usize,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComponentCard {
    pub(crate) name: String,
    /// The language, or `ready-made`.
    pub(crate) language: String,
    pub(crate) role: Role,
    /// The beginning of the digest of the version that runs, if one does.
    pub(crate) version: Option<String>,
    /// The whole digest.
    pub(crate) digest: Option<String>,
    pub(crate) capabilities: Vec<String>,
    /// The names of the components that it is composed with.
    pub(crate) dependencies: Vec<String>,
    /// True if the last build did not make it, so that an older version runs, or none.
    pub(crate) is_stale: bool,
}

/// The part that a component has in the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It answers requests at a route.
    Handler { route: String },
    /// It handles requests, but another component has its route.
    NoRoute,
    /// It is a command, which is run again when it changes.
    Command { state: String },
    /// Others use it.
    Library,
    /// It was not built yet.
    Unknown,
}

/// A build that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildCard {
    pub(crate) ended: Instant,
    pub(crate) took: Duration,
    pub(crate) outcome: BuildOutcome,
    /// The actions that ran, in the order in which they ended, with their times.
    pub(crate) actions: Vec<ActionCard>,
    /// The number of results that were known.
    pub(crate) hits: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuildOutcome {
    Succeeded,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActionCard {
    pub(crate) label: String,
    pub(crate) took: Duration,
    pub(crate) has_failed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorCard {
    pub(crate) when: Instant,
    pub(crate) complaint: Complaint,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestCard {
    pub(crate) when: Instant,
    pub(crate) line: RequestLine,
}

impl Board {
    pub(crate) fn new(project: String) -> Self {
        let news = News {
            project,
            started: Instant::now(),
            components: Vec::new(),
            building: None,
            build: None,
            builds: 0,
            complaints: Vec::new(),
            behind: Vec::new(),
            is_live: true,
            errors: VecDeque::new(),
            requests: VecDeque::new(),
            requested: 0,
            failed: 0,
        };
        Self { news: Mutex::new(news), tick: watch::Sender::new(0) }
    }

    /// Returns the content.
    pub(crate) fn read(&self) -> News {
        self.news().clone()
    }

    /// Returns what `look` returns of the content, without a copy of all of it.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&News) -> T) -> T {
        look(&self.news())
    }

    /// Changes the content.
    pub(crate) fn change(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.news());
        self.tick.send_modify(|tick| *tick += 1);
    }

    /// Returns a receiver that hears of each change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.tick.subscribe()
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl News {
    /// Adds an error.
    pub(crate) fn add_error(&mut self, complaint: Complaint) {
        push(&mut self.errors, ErrorCard { when: Instant::now(), complaint });
    }

    /// Adds a request.
    pub(crate) fn add_request(&mut self, line: RequestLine) {
        self.requested += 1;
        if let Some(failure) = &line.failure {
            self.failed += 1;
            let title = format!("{} {} failed", line.method, line.path);
            let component = line.component.clone();
            self.add_error(Complaint { component, title, text: failure.clone() });
        }
        push(&mut self.requests, RequestCard { when: Instant::now(), line });
    }

    /// Takes note of a build that is over, and of what is wrong now.
    pub(crate) fn add_build(&mut self, build: BuildCard, complaints: Vec<Complaint>) {
        self.building = None;
        self.builds += 1;
        // The newest is added last, and the first complaint is to stand on top.
        complaints.iter().rev().for_each(|complaint| self.add_error(complaint.clone()));
        self.complaints = complaints;
        self.build = Some(build);
    }
}

fn push<T>(list: &mut VecDeque<T>, item: T) {
    list.push_front(item);
    list.truncate(MOST);
}
