//! `run release`: makes, checks and explains releases, and makes the keys for them.
//!
//! `make` makes one, of which `sources` says what is committed and `materials` what the components are made of. `check`
//! serves `run verify --release`, too.

mod check;
mod keygen;
mod make;
mod materials;
mod sources;

use std::process::ExitCode;

use crate::arguments::{Release, ReleaseVerb};
use crate::command_error::CommandError;
use crate::config::Config;

pub(super) use check::verify;

/// Runs `run release`.
pub(super) fn run(arguments: &Release, config: &Config) -> Result<ExitCode, CommandError> {
    match &arguments.verb {
        Some(ReleaseVerb::Keygen(keygen)) => keygen::run(keygen),
        Some(ReleaseVerb::Explain(explain)) => check::explain(explain, config),
        None => make::run(&arguments.make, config),
    }
}
