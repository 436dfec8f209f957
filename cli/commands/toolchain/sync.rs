//! `run toolchain sync`, and the lock that a build needs.

use std::process::ExitCode;

use cache::DiskStore;
use rules::plan::{self, Selection};
use rules::toolchain::{Catalogue, Change, Lock, Platform, Sync, Toolchains, Upgrade};
use sandbox::Cancel;
use serde_json::json;

use super::platform;
use crate::arguments::ToolchainSync;
use crate::command_error::{CommandError, Kind};
use crate::commands::session::{self, Session};
use crate::config::Config;
use crate::signals;
use crate::ui::{self, SyncProgress};

/// What a sync is asked for beyond completing the lock.
#[derive(Default)]
struct Request {
    upgrade: Upgrade,
    prune: bool,
    /// Platforms besides this machine's.
    platforms: Vec<Platform>,
}

/// Runs `run toolchain sync`.
pub(super) fn run(arguments: &ToolchainSync, config: &Config) -> Result<ExitCode, CommandError> {
    let session = Session::open(config)?;
    let needed = needed(&session, &Selection::default())?;
    let before = session.lock()?.unwrap_or_default();
    let request = Request {
        upgrade: upgrade(arguments),
        prune: arguments.prune,
        platforms: arguments.platforms.clone(),
    };
    let after = if config.locked || config.ci {
        refuse_changes(&request, &before, &needed)?;
        before.clone()
    } else {
        let store = session::store(config)?;
        resolve(config, &session, &store, &needed, request, &signals::cancel_on_signal()?)?
    };
    say(config, &before, &after);
    for idle in after.idle(&needed, Catalogue::builtin()) {
        config.printer.status("Kept", &idle.to_string());
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
            resolve(config, session, store, &all, Request::default(), cancel)
        }
    }
}

/// The toolchains that the selected components need.
pub(super) fn needed(session: &Session, selection: &Selection) -> Result<Toolchains, CommandError> {
    plan::toolchains(&session.folder, &session.manifest, selection)
        .map_err(|error| CommandError::from_error(Kind::Internal, &error))
}

fn upgrade(arguments: &ToolchainSync) -> Upgrade {
    match &arguments.upgrade {
        None => Upgrade::Nothing,
        Some(names) if names.is_empty() => Upgrade::All,
        Some(names) => Upgrade::Named(
            names.iter().map(|named| (named.name.clone(), named.version.clone())).collect(),
        ),
    }
}

/// With --locked and in CI, a sync only says whether the lock serves.
fn refuse_changes(request: &Request, lock: &Lock, needed: &Toolchains) -> Result<(), CommandError> {
    if request.upgrade != Upgrade::Nothing || request.prune {
        let error = "--upgrade and --prune change run.lock.toml, which --locked and CI forbid";
        return Err(CommandError::usage(error)
            .hint("run it on a developer's machine and commit run.lock.toml; or clear the variable CI for it"));
    }
    check(lock, needed, platform()?)?;
    request.platforms.iter().try_for_each(|&platform| check(lock, needed, platform))
}

fn check(lock: &Lock, needed: &Toolchains, platform: Platform) -> Result<(), CommandError> {
    lock.check(needed, platform).map_err(|stale| {
        CommandError::usage("run.lock.toml does not pin what this project needs")
            .caused_by(&stale)
            .hint(stale.hint())
    })
}

/// Resolves what is not pinned and writes the lock.
fn resolve(
    config: &Config,
    session: &Session,
    store: &DiskStore,
    needed: &Toolchains,
    request: Request,
    cancel: &Cancel,
) -> Result<Lock, CommandError> {
    let progress = SyncProgress::new(config.printer, cancel.clone());
    let mut platforms = vec![platform()?];
    platforms.extend(request.platforms);
    platforms.dedup();
    let sync = Sync {
        store,
        catalogue: Catalogue::builtin(),
        needed,
        platforms: &platforms,
        upgrade: &request.upgrade,
        prune: request.prune,
        registries: &session::registries(config, session),
        events: &progress,
    };
    let synced = sync.update(&session.lock_path());
    progress.clear();
    synced.map_err(CommandError::from)
}

fn say(config: &Config, before: &Lock, after: &Lock) {
    let changes = Change::between(before, after);
    for change in &changes {
        // What was pinned has been told, with where it came from.
        if !matches!(change, Change::Pinned { .. }) {
            config.printer.status(change.verb(), &change.to_string());
        }
        if config.printer.json {
            let mut value = json!({"event": "lock_changed"});
            let fields = serde_json::to_value(change).expect("texts can be written as JSON");
            value.as_object_mut().into_iter().zip(fields.as_object()).for_each(
                |(value, fields)| {
                    value.extend(fields.clone());
                },
            );
            ui::emit(&value);
        }
    }
    if changes.is_empty() {
        config.printer.status("Locked", "run.lock.toml serves this project, nothing to change");
    }
}
