//! The commands, one file for each. A command validates, calls the libraries and prints.
//!
//! Three files serve several commands: `start` opens project and store, `prepare` makes a builder of the
//! arguments, and `report` prints the result of a build.

mod build;
mod clean;
mod doctor;
mod enter_sandbox;
mod info;
mod new;
mod prepare;
mod report;
mod shell;
mod start;
mod toolchain;
mod verify;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::command_error::CommandError;
use crate::config::Config;

pub(crate) use enter_sandbox::run as enter_sandbox;

/// Runs the given command.
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

/// Runs the given command if it needs neither a project nor a home folder. Returns `None` for all other
/// commands.
pub(crate) fn run_anywhere(arguments: &Arguments) -> Option<Result<ExitCode, CommandError>> {
    match &arguments.command {
        Command::Completions(completions) => Some(shell::completions(completions)),
        Command::Man(man) => Some(shell::man(arguments, man)),
        _ => None,
    }
}
