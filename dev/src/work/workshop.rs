//! The thread that builds: it waits for changes, and does a round of work for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use cache::Digest;
use runtime::Grants;
use sandbox::Cancel;

use super::commands::Commands;
use super::load::{Loader, Runnable};
use super::opened::{Configuration, Opened};
use crate::board::{BuildCard, BuildOutcome};
use crate::front::{Complaint, Message};
use crate::http::App;
use crate::log::ComponentLog;
use crate::watch::{Changed, Changes, Follower};

/// Everything that the workshop works with.
pub(crate) struct Parts {
    pub(crate) app: Arc<App>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) follower: Follower,
    pub(crate) loader: Loader,
    pub(crate) commands: Commands,
    pub(crate) folder: PathBuf,
    /// The address that the server is reached at, such as `http://127.0.0.1:3000`.
    pub(crate) url: String,
}

/// Builds the project again and again.
pub(crate) struct Workshop {
    pub(super) parts: Parts,
    pub(super) opened: Option<Opened>,
    /// The components that run now, by their names.
    pub(super) held: BTreeMap<String, Held>,
    /// The digests of all components of the last build that made them.
    pub(super) digests: BTreeMap<String, Digest>,
    /// The logs of the components, which outlive their versions.
    pub(super) logs: BTreeMap<String, Arc<ComponentLog>>,
    /// The number of changes of files that components may read.
    pub(super) touches: usize,
    /// True if the last build failed.
    pub(super) has_failed: bool,
}

/// A component that runs.
pub(crate) struct Held {
    pub(super) digest: Digest,
    /// The things that it was granted.
    pub(super) grants: Grants,
    pub(super) runnable: Runnable,
}

/// The end of a round.
pub(super) enum Ended {
    /// It was cancelled, and what it was for is still to be done.
    Interrupted,
    /// It is over. `is_idle` is true if it found nothing to do.
    Done { is_idle: bool },
}

impl Workshop {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            parts,
            opened: None,
            held: BTreeMap::new(),
            digests: BTreeMap::new(),
            logs: BTreeMap::new(),
            touches: 0,
            has_failed: false,
        }
    }

    /// Works until [`Changes::stop`] is called.
    pub(crate) fn run(mut self) {
        let changes = Arc::clone(&self.parts.changes);
        changes.put_back(Changed::everything(Instant::now()));
        while let Some((changed, cancel)) = changes.wait() {
            match self.round(&changed, &cancel) {
                Ended::Interrupted => changes.put_back(changed),
                Ended::Done { is_idle } => {
                    let idle = is_idle.then(|| self.without_inputs(&changed)).flatten();
                    changes.built(idle.as_ref());
                }
            }
        }
        self.parts.commands.keep(|_| false);
    }

    /// Returns the changed files if none of them is an input of the build.
    fn without_inputs(&mut self, changed: &Changed) -> Option<Changed> {
        let inputs = self.opened.as_mut()?.inputs();
        let is_idle = !changed.paths.is_empty() && changed.paths.is_disjoint(&inputs);
        is_idle.then(|| changed.clone())
    }

    fn round(&mut self, changed: &Changed, cancel: &Cancel) -> Ended {
        let is_current = self.opened.as_ref().is_some_and(Opened::is_current);
        if !is_current && let Err(complaint) = self.open(cancel) {
            if cancel.is_cancelled() {
                return Ended::Interrupted;
            }
            self.fail(changed, vec![complaint]);
            return Ended::Done { is_idle: false };
        }
        self.build(changed, cancel)
    }

    /// Opens the project, for the first time or because run.toml or the lock has changed.
    fn open(&mut self, cancel: &Cancel) -> Result<(), Complaint> {
        // If this fails, the next change of any file is a reason to try again.
        self.opened = None;
        let before = Configuration::of(&self.parts.folder);
        let front = Arc::clone(&self.parts.app.front);
        let builder = front.open(cancel)?;
        let state = builder.project.state(&builder.store);
        let state = state.map_err(|error| front.failed(&builder, error))?;
        self.parts.app.knobs.follow(&builder.project.manifest.dev);
        let configuration = before.with_lock_of(&self.parts.folder);
        let opened = Opened::new(builder, state, configuration);
        let is_live = self.parts.app.knobs.is_live();
        let project = opened.builder.project.manifest.project.name.to_string();
        self.parts.app.board.change(|news| (news.is_live, news.project) = (is_live, project));
        self.opened = Some(opened);
        Ok(())
    }

    /// Tells the watcher what the last plan depended on.
    pub(super) fn learn(&mut self) {
        if let Some(opened) = &mut self.opened {
            let inputs: BTreeSet<PathBuf> = opened.inputs();
            let outputs = opened.builder.project.manifest.output_dir();
            self.parts.follower.learn(outputs, Arc::new(inputs));
        }
    }

    /// Takes note of a build that could not be done at all.
    pub(super) fn fail(&mut self, changed: &Changed, complaints: Vec<Complaint>) {
        self.has_failed = true;
        let build = BuildCard {
            ended: Instant::now(),
            took: changed.first.elapsed(),
            outcome: BuildOutcome::Failed,
            actions: Vec::new(),
            hits: 0,
        };
        self.parts.app.board.change(|news| {
            news.components.iter_mut().for_each(|component| component.is_stale = true);
            news.add_build(build, complaints);
        });
    }

    /// Returns the log of a component.
    pub(super) fn log(&mut self, name: &str) -> Arc<ComponentLog> {
        let app = &self.parts.app;
        let make = || {
            let (front, board) = (Arc::clone(&app.front), Arc::clone(&app.board));
            Arc::new(ComponentLog::new(name, front, board, Arc::clone(&app.knobs)))
        };
        Arc::clone(self.logs.entry(name.to_owned()).or_insert_with(make))
    }

    pub(super) fn tell(&self, message: &Message<'_>) {
        self.parts.app.front.tell(message);
    }
}
