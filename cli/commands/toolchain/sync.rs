//! `run toolchain sync`: completes the lock, or only checks if it is complete.

use std::process::ExitCode;

use project::{LockPolicy, Pinning, Project, SyncRequest};
use rules::plan::Selection;
use rules::toolchain::{Catalogue, Change, Lock, Toolchains, Upgrade};
use serde_json::json;

use super::platform;
use crate::arguments::ToolchainSync;
use crate::command_error::{CommandError, LOCK_STAYS};
use crate::commands::start;
use crate::config::Config;
use crate::signals;
use crate::ui::{self, SyncProgress};

/// Runs `run toolchain sync`.
pub(super) fn run(arguments: &ToolchainSync, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let needed = project.toolchains(&Selection::with_tests())?;
    let before = project.lock()?.unwrap_or_default();
    let request = SyncRequest {
        upgrade: upgrade(arguments),
        prune: arguments.prune,
        platforms: arguments.platforms.clone(),
    };
    let after = match start::lock_policy(config) {
        LockPolicy::Keep => {
            refuse_changes(&request, &before, &needed)?;
            before.clone()
        }
        LockPolicy::Complete => sync(config, &project, &needed, &request)?,
    };
    say(config, &before, &after);
    for idle in after.idle(&needed, Catalogue::builtin()) {
        config.printer.status("Kept", &idle.to_string());
    }
    Ok(ExitCode::SUCCESS)
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

/// Checks if the lock is complete. With --locked and in CI a sync does nothing else.
fn refuse_changes(
    request: &SyncRequest,
    lock: &Lock,
    needed: &Toolchains,
) -> Result<(), CommandError> {
    if request.upgrade != Upgrade::Nothing || request.prune {
        let error = "--upgrade and --prune change run.lock.toml, which --locked and CI forbid";
        return Err(CommandError::usage(error).hint(LOCK_STAYS));
    }
    let check = |platform| lock.check(needed, platform).map_err(project::Error::from);
    check(platform()?)?;
    Ok(request.platforms.iter().copied().try_for_each(check)?)
}

/// Resolves what is not pinned, writes the lock, and shows the progress.
fn sync(
    config: &Config,
    project: &Project,
    needed: &Toolchains,
    request: &SyncRequest,
) -> Result<Lock, CommandError> {
    let store = start::store(config)?;
    let progress = SyncProgress::new(config.printer, signals::cancel_on_signal()?);
    let registries = start::registries(config, project);
    let pinning = Pinning { project, store: &store, registries: &registries, events: &progress };
    let synced = pinning.sync(needed, request);
    progress.clear();
    Ok(synced?)
}

fn say(config: &Config, before: &Lock, after: &Lock) {
    let changes = Change::between(before, after);
    for change in &changes {
        // New pins have been printed already, with their origin.
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
