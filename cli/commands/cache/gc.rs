//! `run cache gc`: removes from the store what was not used for the longest time. Builds do that by themselves, now and
//! then, to keep the store to its limit.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use cache::{Collected, DiskStore, StoreLimits};
use serde_json::json;

use super::{default_limit, of_store, size, time};
use crate::arguments::CacheGc;
use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// The time after which a build looks again if the store keeps to its limit.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Runs `run cache gc`.
pub(super) fn run(arguments: &CacheGc, config: &Config) -> Result<ExitCode, CommandError> {
    let max_size =
        arguments.max_size.as_deref().map(|text| size("--max-size", text)).transpose()?;
    let max_age = arguments.max_age.as_deref().map(|text| time("--max-age", text)).transpose()?;
    let store = start::store(config)?;
    let limits = match (max_size, max_age) {
        (None, None) => StoreLimits { max_size: limit(config, &store), max_age: None },
        (max_size, max_age) => StoreLimits { max_size, max_age },
    };
    let collected = store.collect(&limits, SystemTime::now()).map_err(|error| of_store(&error))?;
    print(config, &collected);
    if let Some(limit) = limits.max_size.filter(|limit| collected.kept.bytes > *limit) {
        config.printer.warning(&format!(
            "the store still has {}, more than {}: what was used within the last minutes, or may be in use, stays",
            ui::size(collected.kept.bytes),
            ui::size(limit)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what was removed.
pub(super) fn print(config: &Config, collected: &Collected) {
    let Collected { removed, trees, kept } = collected;
    if config.printer.json {
        ui::emit(&json!({
            "event": "collected",
            "removed_files": removed.count,
            "removed_bytes": removed.bytes,
            "removed_trees": trees.count,
            "kept_files": kept.count,
            "kept_bytes": kept.bytes,
        }));
    }
    config.printer.status(
        "Removed",
        &format!(
            "{} files ({}) and {} trees; {} files ({}) are left",
            removed.count,
            ui::size(removed.bytes),
            trees.count,
            kept.count,
            ui::size(kept.bytes)
        ),
    );
}

/// Returns the size that the store may have.
pub(in crate::commands) fn limit(config: &Config, store: &DiskStore) -> Option<u64> {
    config.shared_cache.max_size.or_else(|| default_limit(store))
}

/// Keeps the store to its limit after a build that ran something. This looks at each file of the store, so it is done once a
/// day.
pub(in crate::commands) fn tidy_up(config: &Config, store: &DiskStore) {
    let mark = store.root().join("tmp/collected");
    let is_recent = |time: SystemTime| time.elapsed().is_ok_and(|age| age < PAUSE);
    if fs::metadata(&mark).and_then(|mark| mark.modified()).is_ok_and(is_recent) {
        return;
    }
    // If the mark can't be written, the next build looks again.
    _ = fs::write(&mark, "");
    let limits = StoreLimits { max_size: limit(config, store), max_age: None };
    match store.collect(&limits, SystemTime::now()) {
        Ok(collected) if collected.removed.count > 0 => print(config, &collected),
        Ok(_) => {}
        Err(error) => {
            config.printer.warning(&format!("the store can't be kept to its limit: {error}"));
        }
    }
}
