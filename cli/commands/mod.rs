//! One file per command: validate, call the libraries, print.

mod build;
mod clean;
mod doctor;
mod info;
mod new;
mod session;
mod shell;
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
        Command::Init(init) => new::init(init, config),
        Command::New(new) => new::run(new, config),
        Command::Verify(verify) => verify::run(verify, config),
        Command::Toolchain(verb) => toolchain::run(verb, config),
        Command::Completions(_) | Command::Man(_) => {
            unreachable!("BUG: these run without a configuration")
        }
    }
}

/// Runs the command that was asked for, if it is one that needs nothing of the user's.
pub(crate) fn run_anywhere(arguments: &Arguments) -> Option<Result<ExitCode, CommandError>> {
    match &arguments.command {
        Command::Completions(completions) => Some(shell::completions(completions)),
        Command::Man(man) => Some(shell::man(arguments, man)),
        _ => None,
    }
}
