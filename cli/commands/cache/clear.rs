//! `run cache clear`: removes everything in the store.

use std::process::ExitCode;
use std::time::SystemTime;

use super::{gc, of_store};
use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;

/// Runs `run cache clear`.
pub(super) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let store = start::store(config)?;
    match store.clear(SystemTime::now()).map_err(|error| of_store(&error))? {
        Some(collected) => gc::print(config, &collected),
        None => {
            return Err(CommandError::environment(format!(
                "{} is in use: a build or a server is running",
                store.root().display()
            ))
            .hint("wait until it has ended, or use `run cache gc`, which may run beside builds"));
        }
    }
    Ok(ExitCode::SUCCESS)
}
