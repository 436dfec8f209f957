//! The command `run`: reads arguments and environment, calls the libraries, prints, and exits.
//!
//! One file per command lies in `commands/`. Only this crate prints, reads the environment, the
//! home folder or the clock, and only this file ends the process.

mod arguments;
mod checkout;
mod command_error;
mod commands;
mod config;
mod owner;
mod signals;
mod ui;

use std::process::ExitCode;

use command_error::CommandError;

fn main() -> ExitCode {
    // First of all: this process may have been started as the sandbox's spawner.
    sandbox::run_spawner_if_asked();
    // Or as a worker, for what reads input that may be hostile.
    rules::run_worker_if_asked();
    let code = run();
    match ui::take_error() {
        Some(error) => {
            let lost = CommandError::environment("cannot write to standard output");
            ui::Printer::plain().error(&lost.caused_by(&error))
        }
        None => code,
    }
}

fn run() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return ui::usage(&error),
    };
    let config = match config::Config::load(&arguments.global) {
        Ok(config) => config,
        Err(error) => return ui::Printer::plain().error(&error),
    };
    match commands::run(&arguments, &config) {
        Ok(code) => code,
        Err(error) => config.printer.error(&error),
    }
}
