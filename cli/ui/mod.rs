//! Prints everything that the user sees: status and errors on standard error, results on standard output.
//!
//! No information is in colours alone, and only a terminal gets lines that move.

mod bars;
mod counting;
mod failure;
mod json;
pub(crate) mod mask;
mod overall;
mod printer;
mod program;
mod progress;
mod stdout;
mod sync;
mod table;
pub(crate) mod test_results;

use std::process::ExitCode;

pub(crate) use counting::Counting;
pub(crate) use failure::failure;
pub(crate) use json::{build_finished, diagnostic, emit, looked_for, removed, verified};
pub(crate) use printer::{Printer, Style, duration};
pub(crate) use program::ProgramLog;
pub(crate) use progress::{Progress, Traffic};
pub(crate) use stdout::take_error;
pub(crate) use sync::SyncProgress;
pub(crate) use table::{size, table};

/// Prints a message of clap: help on standard output with exit code 0, or an error with exit code 2.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    // The message may quote an argument that is an address with a token.
    let shown = error.to_string();
    if mask::text(&shown) != shown {
        Printer::plain().line(shown.trim_end());
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let printed = error.print();
    // If standard error can't be written, nobody can be told.
    if !error.use_stderr() {
        stdout::note(printed);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
