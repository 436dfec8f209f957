//! `run toolchain sync`, and the lock that a build needs.

use std::process::ExitCode;

use cache::DiskStore;
use rules::plan::{self, Selection};
use rules::toolchain::{Catalogue, Lock, Platform, Sync, Toolchains, host_platform};
use sandbox::Cancel;

use super::session::{self, Session};
use crate::arguments::Toolchain;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::signals;
use crate::ui::SyncProgress;

/// Runs `run toolchain …`.
pub(crate) fn run(verb: Toolchain, config: &Config) -> Result<ExitCode, CommandError> {
    match verb {
        Toolchain::Sync => sync(config),
    }
}

fn sync(config: &Config) -> Result<ExitCode, CommandError> {
    let session = Session::open(config)?;
    let store = session::store(config)?;
    let needed = needed(&session, &Selection::default())?;
    if config.locked {
        check(&session.lock()?.unwrap_or_default(), &needed, platform()?)?;
        config.printer.status("Locked", "run.lock.toml serves this project");
        return Ok(ExitCode::SUCCESS);
    }
    let lock = resolve(config, &session, &store, &needed, &signals::cancel_on_signal()?)?;
    for (name, version) in &lock.toolchains {
        config.printer.status("Pinned", &format!("{name} {version}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lock that serves the selected components; made or completed if it may be.
pub(crate) fn lock_for_build(
    config: &Config,
    session: &Session,
    store: &DiskStore,
    selection: &Selection,
    cancel: &Cancel,
) -> Result<Lock, CommandError> {
    let needed = needed(session, selection)?;
    let lock = session.lock()?.unwrap_or_default();
    if needed.is_empty() {
        return Ok(lock);
    }
    match check(&lock, &needed, platform()?) {
        Ok(()) => Ok(lock),
        Err(stale) if config.locked || config.ci => Err(stale),
        Err(_) => {
            // All that the project needs, so that the lock does not depend on a selection.
            let all = self::needed(session, &Selection::default())?;
            resolve(config, session, store, &all, cancel)
        }
    }
}

fn needed(session: &Session, selection: &Selection) -> Result<Toolchains, CommandError> {
    plan::toolchains(&session.folder, &session.manifest, selection)
        .map_err(|error| CommandError::from_error(Kind::Internal, &error))
}

/// The platform whose images are used.
fn platform() -> Result<Platform, CommandError> {
    host_platform().map_err(|error| CommandError::from_error(Kind::Environment, &error))
}

fn check(lock: &Lock, needed: &Toolchains, platform: Platform) -> Result<(), CommandError> {
    lock.check(needed, platform).map_err(|stale| {
        CommandError::usage("run.lock.toml does not pin what this project needs")
            .caused_by(&stale)
            .hint("run `run toolchain sync` and commit run.lock.toml")
    })
}

/// Resolves what is not pinned and writes the lock.
fn resolve(
    config: &Config,
    session: &Session,
    store: &DiskStore,
    needed: &Toolchains,
    cancel: &Cancel,
) -> Result<Lock, CommandError> {
    let progress = SyncProgress::new(config.printer, cancel.clone());
    let sync = Sync {
        store,
        catalogue: Catalogue::builtin(),
        needed,
        platform: platform()?,
        refresh: false,
        registries: &session::registries(config, session),
        events: &progress,
    };
    let synced = sync.update(&session.lock_path());
    progress.clear();
    synced.map_err(CommandError::from)
}
