//! `run cache`: commands about the store of this machine, which is a cache, and about serving it to others.

mod clear;
mod gc;
mod keygen;
mod serve;
mod stats;
mod verify;

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use cache::DiskStore;
use rules::manifest::{Size, Time};

use crate::arguments::Cache;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;

pub(super) use gc::{limit, tidy_up};

/// Runs one of the commands.
pub(super) fn run(verb: &Cache, config: &Config) -> Result<ExitCode, CommandError> {
    match verb {
        Cache::Serve(serve) => serve::run(serve, config),
        Cache::Stats => stats::run(config),
        Cache::Verify => verify::run(config),
        Cache::Gc(gc) => gc::run(gc, config),
        Cache::Clear => clear::run(config),
        Cache::Keygen(keygen) => keygen::run(keygen),
    }
}

/// Parses the size of a flag.
fn size(flag: &str, text: &str) -> Result<u64, CommandError> {
    text.parse().map(|Size(size)| size).map_err(|invalid: rules::manifest::Invalid| {
        CommandError::usage(format!("{flag}: {}", invalid.message)).hint(invalid.expected)
    })
}

/// Parses the time of a flag, which may be in days.
fn time(flag: &str, text: &str) -> Result<Duration, CommandError> {
    let days = text.strip_suffix('d').and_then(|days| days.trim_end().parse::<u64>().ok());
    if let Some(days) = days.filter(|days| *days > 0) {
        return Ok(Duration::from_secs(days.saturating_mul(24 * 60 * 60)));
    }
    text.parse().map(|Time(time)| time).map_err(|invalid: rules::manifest::Invalid| {
        CommandError::usage(format!("{flag}: {}", invalid.message))
            .hint("expected a time like `30d` or `12h`")
    })
}

/// Returns the number of days since 1970.
pub(super) fn today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() / (24 * 60 * 60)
}

/// Returns the size that the store may have if the user has not said one: half of the file system that it lies on.
pub(super) fn default_limit(store: &DiskStore) -> Option<u64> {
    let disk = rustix::fs::statvfs(store.root()).ok()?;
    disk.f_blocks.checked_mul(disk.f_frsize).map(|size| size / 2)
}

/// Makes the error for a store that can't be read or written.
fn of_store(error: &cache::StoreError) -> CommandError {
    CommandError::from_error(Kind::Environment, error)
}
