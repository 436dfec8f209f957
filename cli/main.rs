//! The command `run`: reads arguments and environment, calls the libraries, prints, and exits.
//!
//! One file per command lies in `commands/`. Only this crate prints, reads the environment, the
//! home folder or the clock, and only this file ends the process.

mod arguments;
mod checkout;
mod command_error;
mod commands;
mod completion;
mod config;
mod owner;
mod package_registries;
mod shared_cache;
mod signals;
mod template;
mod ui;

use std::process::ExitCode;

use arguments::EnterSandbox;
use command_error::CommandError;

fn main() -> ExitCode {
    // This comes first, because this process may have been started as the sandbox's spawner.
    sandbox::run_spawner_if_asked();
    // Or it may have been started as a worker, which reads input that may be hostile.
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
    // A shell may ask for completions.
    if let Some(shell) = config::completion_shell() {
        return ended(complete(&shell));
    }
    // The command line may be one that `--sandbox-debug` has printed.
    if let Some(parsed) = EnterSandbox::parse_if_asked(std::env::args_os()) {
        return match parsed {
            Ok(arguments) => ended(commands::enter_sandbox(arguments)),
            Err(error) => ui::usage(&error),
        };
    }
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return ui::usage(&error),
    };
    if let Some(result) = commands::run_anywhere(&arguments) {
        return ended(result);
    }
    let config = match config::Config::load(&arguments.global) {
        Ok(config) => config,
        Err(error) => return ui::Printer::plain().error(&error),
    };
    match commands::run(&arguments, &config) {
        Ok(code) => code,
        Err(error) => config.printer.error(&error),
    }
}

fn complete(shell: &str) -> Result<ExitCode, CommandError> {
    let directory = config::current_directory()?;
    let answer = completion::answer(shell, std::env::args_os(), &directory)?;
    ui::Printer::plain().verbatim(&answer);
    Ok(ExitCode::SUCCESS)
}

fn ended(result: Result<ExitCode, CommandError>) -> ExitCode {
    result.unwrap_or_else(|error| ui::Printer::plain().error(&error))
}
