//! `run fetch`: downloads everything that the lock has, and copies the WIT of packages to where editors look for it.

use std::process::ExitCode;

use super::{Opened, editing};
use crate::arguments::Fetch;
use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;

/// Runs `run fetch`.
pub(crate) fn run(arguments: &Fetch, config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let opened = Opened::of(config, &project)?;
    let dependencies = opened.dependencies(&project);
    let before = project.lock()?;
    let lock = before.clone().unwrap_or_default();
    let after = dependencies.lock_all(&lock, start::lock_policy(config))?;
    if after != lock {
        editing::write_lock(config, &project, before.as_ref(), &after)?;
    }
    let packages = dependencies.fetch_all(&after)?;
    let count = packages.0.len();
    let noun = if count == 1 { "package" } else { "packages" };
    config.printer.status("Fetched", &format!("{count} {noun} into .run/cache"));
    if !arguments.no_wit {
        let written = dependencies.write_wit(&packages);
        let written = written.map_err(|error| start::explain(config, &opened.store, error))?;
        for folder in &written {
            config.printer.status("Wrote", &format!("{} for editors", folder.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}
