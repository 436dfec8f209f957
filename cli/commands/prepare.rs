//! Makes the [`Builder`] of `run build` and `run verify` from arguments, environment and clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use project::{Builder, Conditions, Pinning, Project, images};
use rules::manifest::OptLevel;
use rules::planner::DEFAULT_EPOCH;
use sandbox::Isolation;

use super::start;
use crate::arguments::{self, What};
use crate::checkout;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::signals;
use crate::ui::SyncProgress;

/// Reads the project and its lock, completes the lock if necessary, and returns a builder.
pub(super) fn builder(
    config: &Config,
    what: &What,
    isolation: Isolation,
) -> Result<Builder, CommandError> {
    builder_in(config, what, isolation, Project::find(&config.directory)?)
}

/// Reads the project in a folder and its lock, completes the lock if necessary, and returns a builder.
pub(super) fn builder_in(
    config: &Config,
    what: &What,
    isolation: Isolation,
    folder: PathBuf,
) -> Result<Builder, CommandError> {
    let project = start::project_in(config, folder)?;
    let selection = start::selection(&project, &what.names)?;
    let store = start::store(config)?;
    let cancel = signals::cancel_on_signal()?;
    let registries = Arc::new(start::registries(config, &project));
    let progress = SyncProgress::new(config.printer, cancel.clone());
    let pinning =
        Pinning { project: &project, store: &store, registries: &registries, events: &progress };
    let lock = pinning.lock_for_build(&selection, start::lock_policy(config));
    progress.clear();
    let images = images(lock?, registries, &store);
    let conditions = conditions(config, &project, what, isolation)?;
    Ok(Builder { project, store, selection, images, conditions, cancel })
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
        jobs: what.jobs.map_or_else(processors, usize::from),
        offline: config.offline,
        keep_going: false,
        keep_sandbox: false,
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
    match what.opt_level {
        Some(level) => level == arguments::OptLevel::Release,
        None => what.release || *project.manifest.build.opt_level == OptLevel::Release,
    }
}
