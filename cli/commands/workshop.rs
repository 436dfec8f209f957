//! What the commands that build have in common: the project with everything that it is built with.

use std::path::Path;
use std::sync::Arc;

use cache::DiskStore;
use engine::{Build, Export, Options, Outcome, Sources, State, Target};
use rules::manifest::{Diagnostics, Manifest, OptLevel};
use rules::plan::{self, Plan, PlannedComponent, Problems, Project, Selection};
use rules::toolchain::{Images, host_platform};
use sandbox::{Cancel, Isolation};

use super::session::{self, Session};
use super::toolchain;
use crate::arguments::{self, What};
use crate::checkout;
use crate::command_error::{self, CommandError, Kind};
use crate::config::Config;
use crate::owner;
use crate::signals;
use crate::ui::Progress;

/// How many downloads run at once.
const DOWNLOADS: usize = 4;

/// A project, its pinned toolchains and the store, and what of it is to be built.
pub(super) struct Workshop<'a> {
    pub(super) config: &'a Config,
    pub(super) session: Session,
    pub(super) store: DiskStore,
    pub(super) cancel: Cancel,
    selection: Selection,
    images: Arc<Images>,
    release: bool,
    jobs: usize,
    epoch: Option<u64>,
    isolation: Isolation,
}

impl<'a> Workshop<'a> {
    /// Reads the project and its lock, which is completed if need be.
    pub(super) fn open(
        config: &'a Config,
        what: &What,
        isolation: Isolation,
    ) -> Result<Self, CommandError> {
        let session = Session::open(config)?;
        let selection = session::selection(&session, &what.names)?;
        let store = session::store(config)?;
        let cancel = signals::cancel_on_signal()?;
        let lock = toolchain::lock_for_build(config, &session, &store, &selection, &cancel)?;
        let images = Arc::new(Images {
            lock,
            platform: host_platform(),
            function: store.function(),
            registries: session::registries(config, &session),
        });
        let release = is_release(what, &session);
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = what.jobs.map_or_else(processors, usize::from);
        let epoch = match *session.manifest.build.reproducible {
            true => Some(epoch(config, &session.folder)?),
            false => None,
        };
        Ok(Self {
            config,
            session,
            store,
            cancel,
            selection,
            images,
            release,
            jobs,
            epoch,
            isolation,
        })
    }

    /// Whether this is about all that the project makes.
    pub(super) fn builds_everything(&self) -> bool {
        self.selection.is_everything()
    }

    /// Plans the build of the project as it lies in a folder.
    pub(super) fn plan(
        &self,
        folder: &Path,
        manifest: &Manifest,
        sources: &mut Sources,
    ) -> Result<Plan, CommandError> {
        let project = Project { folder, manifest, images: &self.images };
        let options = plan::Options {
            selection: &self.selection,
            release: self.release,
            clients: session::clients(self.config, &self.session),
            epoch: self.epoch,
            isolation: self.isolation,
        };
        let plan = plan::plan(project, &self.store, sources, &options);
        let plan = plan.map_err(|problems| self.unplannable(manifest, problems))?;
        match plan.unpromised.first() {
            None => Ok(plan),
            Some(name) => Err(self.unpromised(name)),
        }
    }

    /// The end of a build that can't be planned.
    fn unplannable(&self, manifest: &Manifest, problems: Problems) -> CommandError {
        let mut diagnostics = Diagnostics::new(manifest.source());
        problems.findings.into_iter().for_each(|problem| diagnostics.push(problem));
        session::report(self.config, &diagnostics);
        session::tell_unusable(self.config, &self.store);
        let lost = CommandError::environment("the sources can't be put into the store");
        match () {
            () if problems.no_room => lost.hint(command_error::NO_ROOM),
            () if problems.is_closed => lost.hint(owner::hint_about_the_inside(&self.config.store)),
            () => CommandError::silent(Kind::Usage),
        }
    }

    /// The end of a build that was to be reproducible, with a toolchain that may not be.
    fn unpromised(&self, name: &str) -> CommandError {
        let version = self.images.lock.version(name).unwrap_or_default();
        let message = format!(
            "`[build] reproducible = true` can't be promised with {name} {version}: it was added to \
             run.lock.toml by hand, so nobody has found out whether it gives the same bytes each time"
        );
        CommandError::new(Kind::NotReproducible, message).hint(
            "build without `reproducible = true` and see what `run verify` finds, or take the \
             toolchain out of the lock",
        )
    }

    /// The conditions of a build, but for what its own flags say.
    pub(super) fn options(&self) -> Options {
        Options {
            jobs: self.jobs,
            downloads: DOWNLOADS,
            keep_going: false,
            offline: self.config.offline,
            keep_sandbox: false,
            anew: None,
        }
    }

    /// Builds, with progress.
    pub(super) fn build(
        &self,
        plan: &Plan,
        state: &mut State,
        exports: &[Export],
        options: Options,
    ) -> Result<Outcome, CommandError> {
        let progress = Arc::new(Progress::new(self.config.printer));
        let build = Build {
            graph: &plan.graph,
            targets: &targets(plan),
            exports,
            options,
            store: &self.store,
            state,
            events: progress.clone(),
            cancel: self.cancel.clone(),
        };
        let outcome = build.run();
        progress.clear();
        session::tell_unusable(self.config, &self.store);
        let outcome = outcome.map_err(CommandError::from)?;
        self.sweep(&outcome);
        Ok(outcome)
    }

    /// Removes what killed builds left in the store, unless there was nothing to do.
    fn sweep(&self, outcome: &Outcome) {
        if outcome.summary.ran > 0
            && let Err(error) = self.store.sweep()
        {
            self.config.printer.warning(&format!("cannot tidy up the store: {error}"));
        }
    }

    /// Where the components are written to.
    pub(super) fn exports(&self, plan: &Plan) -> Vec<Export> {
        let folder = self.session.manifest.output_dir();
        let export = |component: &PlannedComponent| Export {
            action: component.action,
            output: component.output.clone(),
            to: folder.join(format!("{}.wasm", component.name)),
        };
        plan.components.iter().map(export).collect()
    }
}

/// The time that reproducible builds see: `SOURCE_DATE_EPOCH` if that is set, or else that of the last
/// commit, or else a fixed one (see <https://reproducible-builds.org/specs/source-date-epoch/>).
fn epoch(config: &Config, folder: &Path) -> Result<u64, CommandError> {
    if let Some(text) = config.variable("SOURCE_DATE_EPOCH") {
        return text.parse().map_err(|_| {
            CommandError::usage(format!("`SOURCE_DATE_EPOCH` is `{text}`"))
                .hint("it has to be a time in seconds since 1970, such as the output of: date +%s")
        });
    }
    Ok(checkout::last_commit(config, folder)?.unwrap_or(plan::DEFAULT_EPOCH))
}

fn is_release(what: &What, session: &Session) -> bool {
    match what.opt_level {
        Some(level) => level == arguments::OptLevel::Release,
        None => what.release || *session.manifest.build.opt_level == OptLevel::Release,
    }
}

fn targets(plan: &Plan) -> Vec<Target> {
    let last = |component: &PlannedComponent| {
        std::iter::once(component.action).chain(component.checks.clone())
    };
    plan.components.iter().flat_map(last).map(Target::known).collect()
}
