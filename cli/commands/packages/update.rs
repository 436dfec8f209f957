//! `run update`: moves locked versions.

use std::process::ExitCode;

use project::{LockPolicy, Release};

use super::{Opened, editing};
use crate::arguments::Update;
use crate::command_error::{CommandError, LOCK_STAYS};
use crate::commands::start;
use crate::config::Config;

/// Runs `run update`.
pub(crate) fn run(arguments: &Update, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    if start::lock_policy(config) == LockPolicy::Keep && !arguments.dry_run {
        return Err(CommandError::usage("the command changes run.lock.toml").hint(LOCK_STAYS));
    }
    let opened = Opened::of(config, &project)?;
    let before = project.lock()?;
    let release = match arguments.packages.is_empty() {
        true => Release::Everything,
        false => Release::Named(arguments.packages.iter().cloned().collect()),
    };
    let lock = before.clone().unwrap_or_default();
    let after = opened.dependencies(&project).update(&lock, &release)?;
    let changes = match arguments.dry_run {
        true => editing::say(config, &lock, &after),
        false => {
            editing::write_lock(config, &project, before.as_ref(), &after)?;
            usize::from(lock.dependencies != after.dependencies)
        }
    };
    if changes == 0 {
        let count = after.dependencies.len();
        let packages = if count == 1 { "package" } else { "packages" };
        config.printer.status("Locked", &format!("{count} {packages}, nothing to change"));
    } else if arguments.dry_run {
        config.printer.status("Kept", "run.lock.toml, because of --dry-run");
    }
    Ok(ExitCode::SUCCESS)
}
