//! The commands, one file for each. A command validates, calls the libraries and prints.
//!
//! Five files serve several commands: `start` opens project and store, `prepare` makes a builder of the arguments, `built`
//! builds one component for a command that goes on with it, `report` prints the result of a build, and `given` has the
//! variables, values and network that components run with.

mod build;
mod built;
mod cache;
mod clean;
mod dev;
mod doctor;
mod enter_sandbox;
mod exec;
mod given;
mod info;
mod new;
mod packages;
mod prepare;
mod report;
mod shell;
mod start;
mod test;
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
        Command::Add(add) => packages::add(add, config),
        Command::Build(build) => build::run(build, config),
        Command::Cache(verb) => cache::run(verb, config),
        Command::Clean => clean::run(config),
        Command::Dev(dev) => dev::run(dev, config),
        Command::Doctor => doctor::run(config),
        Command::Exec(exec) => exec::run(exec, config),
        Command::Fetch(fetch) => packages::fetch(fetch, config),
        Command::Info(info) => info::run(info, config),
        Command::Init(init) => new::init(init, config),
        Command::Login(login) => packages::login(login, config),
        Command::Logout(logout) => packages::logout(logout, config),
        Command::New(new) => new::run(new, config),
        Command::Publish(publish) => packages::publish(publish, config),
        Command::Remove(remove) => packages::remove(remove, config),
        Command::Search(search) => packages::search(search, config),
        Command::Test(test) => test::run(test, config),
        Command::Tree => packages::tree(config),
        Command::Update(update) => packages::update(update, config),
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
