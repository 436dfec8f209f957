//! `run toolchain …`: what run.lock.toml pins.

mod add;
mod list;
mod sync;
mod verify;

use std::process::ExitCode;

use rules::toolchain::{Platform, host_platform};

pub(crate) use sync::lock_for_build;

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

/// The platform whose images are used.
pub(crate) fn platform() -> Result<Platform, CommandError> {
    host_platform().map_err(|error| CommandError::from_error(Kind::Environment, &error))
}

/// Stops what would write run.lock.toml where it may not be.
fn refuse_if_locked(config: &Config) -> Result<(), CommandError> {
    match (config.locked, config.ci) {
        (false, false) => Ok(()),
        (true, _) => Err(CommandError::usage("this would change run.lock.toml, and --locked forbids it")),
        (false, true) => {
            Err(CommandError::usage("this would change run.lock.toml, which is not done in CI (`CI` is set)")
                .hint("do it on a developer's machine and commit run.lock.toml; `CI=` before the command allows it here"))
        }
    }
}
