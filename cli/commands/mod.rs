//! One file per command: validate, call the libraries, print.

mod build;
mod clean;
mod doctor;
mod info;
mod session;
mod toolchain;
mod verify;
mod workshop;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::command_error::CommandError;
use crate::config::Config;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode, CommandError> {
    match &arguments.command {
        Command::Build(build) => build::run(build, config),
        Command::Clean => clean::run(config),
        Command::Doctor => doctor::run(config),
        Command::Info(info) => info::run(info, config),
        Command::Verify(verify) => verify::run(verify, config),
        Command::Toolchain(verb) => toolchain::run(verb, config),
    }
}
