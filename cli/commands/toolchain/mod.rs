//! `run toolchain …`: lists, checks and changes what run.lock.toml pins.

mod add;
mod list;
mod sync;
mod verify;

use std::process::ExitCode;

use rules::platform::{Platform, host_platform};

use crate::arguments::Toolchain;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;

/// Runs `run toolchain …`.
pub(crate) fn run(verb: &Toolchain, config: &Config) -> Result<ExitCode, CommandError> {
    match verb {
        Toolchain::Sync(arguments) => sync::run(arguments, config),
        Toolchain::List => list::run(config),
        Toolchain::Verify(arguments) => verify::run(arguments, config),
        Toolchain::Add(arguments) => add::run(arguments, config),
        Toolchain::Remove(arguments) => add::remove(arguments, config),
    }
}

/// Returns the platform of this machine, whose images are used.
fn platform() -> Result<Platform, CommandError> {
    host_platform().map_err(|error| CommandError::from_error(Kind::Environment, &error))
}

/// Returns an error if run.lock.toml must not be changed.
fn refuse_if_locked(config: &Config) -> Result<(), CommandError> {
    match (config.locked, config.ci) {
        (false, false) => Ok(()),
        (true, _) => Err(CommandError::usage("this would change run.lock.toml, and --locked forbids it")),
        (false, true) => {
            Err(CommandError::usage("this would change run.lock.toml, which is not allowed in CI (`CI` is set)")
                .hint("do it on a developer's machine and commit run.lock.toml, or write `CI=` before the command to allow it here"))
        }
    }
}
