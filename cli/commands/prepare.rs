//! Makes the [`Builder`] of `run build` and `run verify` from arguments, environment and clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::DiskStore;
use engine::Download;
use project::{Builder, Conditions, Dependencies, Pinning, Project, Scope, images};
use rules::dependency::Packages;
use rules::manifest::{OptLevel, Test};
use rules::plan::Selection;
use rules::planner::DEFAULT_EPOCH;
use rules::toolchain::{DependencyChange, Lock};
use sandbox::{Cancel, Isolation};

use super::start;
use crate::arguments::{self, How, What};
use crate::checkout;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::package_registries;
use crate::shared_cache;
use crate::signals;
use crate::ui::SyncProgress;

/// Reads the project and its lock, completes the lock if necessary, and returns a builder.
pub(super) fn builder(
    config: &Config,
    what: &What,
    isolation: Isolation,
) -> Result<Builder, CommandError> {
    let cancel = signals::cancel_on_signal()?;
    builder_in(config, what, isolation, Project::find(&config.directory)?, cancel)
}

/// Reads the project in a folder and its lock, completes the lock if necessary, and returns a builder, whose work `cancel`
/// stops.
pub(super) fn builder_in(
    config: &Config,
    what: &What,
    isolation: Isolation,
    folder: PathBuf,
    cancel: Cancel,
) -> Result<Builder, CommandError> {
    let project = start::project_in(config, folder)?;
    let selection = start::selection(&project, &what.names)?;
    selection
        .refuse_tests(&project.manifest)
        .map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
    Order { what, isolation, selection, scope: Scope::Build }.builder(config, project, cancel)
}

/// Returns a builder for what these tests need. Packages for tests are locked and fetched if a test needs them.
pub(super) fn tester(
    config: &Config,
    how: &How,
    project: Project,
    tests: &[Test],
) -> Result<Builder, CommandError> {
    let needs_packages = |test: &Test| {
        let component = project.manifest.component(test.component.as_str());
        !test.with.is_empty() || component.is_some_and(|component| *component.test)
    };
    let scope = if tests.iter().any(needs_packages) { Scope::Tests } else { Scope::Build };
    let (what, selection) = (&how.for_all(), Selection::of_tests(tests));
    let order = Order { what, isolation: Isolation::default(), selection, scope };
    let mut builder = order.builder(config, project, signals::cancel_on_signal()?)?;
    if builder.conditions.download == Download::Minimal {
        // The results of tests are shown, so they have to be here.
        builder.conditions.download = Download::Toplevel;
    }
    Ok(builder)
}

/// The components to build, and the conditions under which they are built.
struct Order<'a> {
    what: &'a What,
    isolation: Isolation,
    selection: Selection,
    scope: Scope,
}

impl Order<'_> {
    /// Completes the lock of a project if necessary, and returns a builder.
    fn builder(
        self,
        config: &Config,
        project: Project,
        cancel: Cancel,
    ) -> Result<Builder, CommandError> {
        let Self { what, isolation, selection, scope } = self;
        let connected = shared_cache::connect(config, what, &project, &cancel)?;
        let store = start::store_of(config, connected.function)?;
        let registries = Arc::new(start::registries(config, &project));
        let progress = SyncProgress::new(config.printer, cancel.clone());
        let pinning = Pinning {
            project: &project,
            store: &store,
            registries: &registries,
            events: &progress,
        };
        let lock = pinning.lock_for_build(&selection, start::lock_policy(config));
        progress.clear();
        let needs = Needs { scope, clients: &registries, cancel: &cancel };
        let (lock, packages) = packages(config, &project, &store, &needs, lock?)?;
        let images = images(lock, registries, &store);
        let conditions = Conditions {
            download: connected.download,
            ..conditions(config, &project, what, isolation)?
        };
        let (shared, cluster) = (connected.cache, connected.cluster);
        Ok(Builder {
            project,
            store,
            selection,
            images,
            packages,
            conditions,
            shared,
            cluster,
            cancel,
        })
    }
}

/// The purpose for which packages are needed, and the means to fetch them.
struct Needs<'a> {
    scope: Scope,
    clients: &'a rules::package::Registries,
    cancel: &'a Cancel,
}

/// Returns the packages of `[dependencies]`, and the lock that pins them. The lock is completed if that is allowed.
fn packages(
    config: &Config,
    project: &Project,
    store: &DiskStore,
    &Needs { scope, clients, cancel }: &Needs<'_>,
    lock: Lock,
) -> Result<(Lock, Packages), CommandError> {
    if !Dependencies::has_any(project, &lock, scope) {
        return Ok((lock, Packages::default()));
    }
    let packages = package_registries::of_project(config, project, cancel)?;
    let cancel = cancel.clone();
    let dependencies = Dependencies { project, store, packages: &packages, clients, cancel };
    let policy = start::lock_policy(config);
    let after = match scope {
        Scope::Build => dependencies.lock_for_build(&lock, policy)?,
        Scope::Tests => dependencies.lock_all(&lock, policy)?,
    };
    if after != lock {
        project.write_lock(Some(&lock), &after)?;
        for change in DependencyChange::between(&lock, &after) {
            config.printer.status(change.verb(), &change.to_string());
        }
    }
    let fetched = dependencies.fetch(&after, scope)?;
    Ok((after, fetched))
}

fn conditions(
    config: &Config,
    project: &Project,
    what: &What,
    isolation: Isolation,
) -> Result<Conditions, CommandError> {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Conditions {
        release: is_release(what, project),
        epoch: match *project.manifest.build.reproducible {
            true => Some(epoch(config, &project.folder)?),
            false => None,
        },
        isolation,
        jobs: what.how.jobs.map_or_else(processors, usize::from),
        offline: config.offline,
        keep_going: false,
        keep_sandbox: false,
        download: Download::default(),
    })
}

/// Returns the time that reproducible builds see: `SOURCE_DATE_EPOCH` if it is set, else the time of the last
/// commit, else a fixed time (see <https://reproducible-builds.org/specs/source-date-epoch/>).
fn epoch(config: &Config, folder: &Path) -> Result<u64, CommandError> {
    if let Some(text) = config.variable("SOURCE_DATE_EPOCH") {
        return text.parse().map_err(|_| {
            CommandError::usage(format!("`SOURCE_DATE_EPOCH` is `{text}`"))
                .hint("it has to be a time in seconds since 1970, such as the output of: date +%s")
        });
    }
    Ok(checkout::last_commit(config, folder)?.unwrap_or(DEFAULT_EPOCH))
}

fn is_release(what: &What, project: &Project) -> bool {
    match what.how.opt_level {
        Some(level) => level == arguments::OptLevel::Release,
        None => what.how.release || *project.manifest.build.opt_level == OptLevel::Release,
    }
}
