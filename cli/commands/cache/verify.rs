//! `run cache verify`: reads everything in the store, and sets aside what is damaged.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cache::StoreHealth;
use serde_json::json;

use super::of_store;
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::signals;
use crate::ui;

/// The number of damaged blobs that are named.
const SHOWN: usize = 20;

/// Runs `run cache verify`.
pub(super) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let store = start::store(config)?;
    let cancel = signals::cancel_on_signal()?;
    let begin = Instant::now();
    let total = store.usage().map_err(|error| of_store(&error))?.blobs.count;
    let progress = ui::Counting::new(config.printer, "blobs read", total);
    let read = AtomicU64::new(0);
    let health = store.verify_all(&|_| {
        progress.set(read.fetch_add(1, Ordering::Relaxed) + 1);
        !cancel.is_cancelled()
    });
    progress.clear();
    let health = health.map_err(|error| of_store(&error))?;
    if health.is_partial {
        return Err(CommandError::silent(Kind::Interrupted));
    }
    // What was set aside is told here, and not as a warning about a build.
    store.take_quarantined();
    print(config, &health, begin);
    if health.damaged.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let blobs = if health.damaged.len() == 1 { "blob was" } else { "blobs were" };
    let message = format!("{} {blobs} damaged", health.damaged.len());
    Err(CommandError::new(Kind::ChecksumMismatch, message)
        .hint("they were set aside; what needs them fetches or makes them again")
        .hint("if this happens again, check the disk and the memory of this machine"))
}

fn print(config: &Config, health: &StoreHealth, begin: Instant) {
    let StoreHealth { blobs, damaged, trees, removed_trees, .. } = health;
    if config.printer.json {
        ui::emit(&json!({
            "event": "store_verified",
            "blobs": blobs.count,
            "bytes": blobs.bytes,
            "damaged": damaged.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "trees": trees,
            "removed_trees": removed_trees,
        }));
    }
    for digest in damaged.iter().take(SHOWN) {
        config.printer.bad_status("Damaged", &digest.to_string());
    }
    let rebuilt = match removed_trees {
        0 => String::new(),
        count => format!("; {count} trees were not as they should be, and were removed"),
    };
    config.printer.status(
        "Verified",
        &format!(
            "{} blobs ({}) and {trees} trees in {}{rebuilt}",
            blobs.count,
            ui::size(blobs.bytes),
            ui::duration(begin.elapsed())
        ),
    );
}
