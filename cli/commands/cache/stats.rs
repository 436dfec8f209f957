//! `run cache stats`: shows what the store holds, and how often it was of use.

use std::process::ExitCode;

use cache::{Amount, Counts, Usage};
use serde_json::{Value, json};

use super::{gc, of_store, today};
use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// The number of days that are summed up.
const DAYS: u64 = 30;

/// Runs `run cache stats`.
pub(super) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let store = start::store(config)?;
    let usage = store.usage().map_err(|error| of_store(&error))?;
    let mut counts = Counts::default();
    let first = today().saturating_sub(DAYS - 1);
    store.counts().range(first..).for_each(|(_, day)| counts.add(day));
    let limit = gc::limit(config, &store);
    if config.printer.json {
        ui::emit(&json(&store, &usage, limit, &counts));
        return Ok(ExitCode::SUCCESS);
    }
    let limit = limit.map_or_else(|| "unknown".to_owned(), ui::size);
    let rows: Vec<Vec<String>> = kinds(&usage)
        .map(|(name, amount)| {
            vec![name.to_owned(), amount.count.to_string(), ui::size(amount.bytes)]
        })
        .into();
    let heading = ["KIND", "FILES", "SIZE"].map(str::to_owned).to_vec();
    let table: Vec<Vec<String>> = std::iter::once(heading).chain(rows).collect();
    config.printer.result(&format!(
        "{}\n{}\n{}: {} of at most {limit}\n",
        ui::table(&table),
        rates(&counts),
        store.root().display(),
        ui::size(usage.bytes()),
    ));
    Ok(ExitCode::SUCCESS)
}

const fn kinds(usage: &Usage) -> [(&'static str, Amount); 5] {
    [
        ("blobs", usage.blobs),
        ("results", usage.results),
        ("memos", usage.memos),
        ("trees", usage.trees),
        ("quarantine", usage.quarantine),
    ]
}

/// Says how often builds found something.
fn rates(counts: &Counts) -> String {
    let all = counts.hits + counts.ran;
    let share = |part: u64| (part * 100).checked_div(all).unwrap_or(0);
    format!(
        "the last {DAYS} days: {} builds, {all} actions, {} % known ({} % from a shared cache); {} downloaded, {} uploaded\n",
        counts.builds,
        share(counts.hits),
        share(counts.remote_hits),
        ui::size(counts.bytes_down),
        ui::size(counts.bytes_up)
    )
}

fn json(store: &cache::DiskStore, usage: &Usage, limit: Option<u64>, counts: &Counts) -> Value {
    let kinds = kinds(usage).map(|(name, Amount { count, bytes })| {
        (name.to_owned(), json!({"files": count, "bytes": bytes}))
    });
    json!({
        "event": "store",
        "path": store.root().display().to_string(),
        "bytes": usage.bytes(),
        "max_bytes": limit,
        "kinds": Value::Object(kinds.into_iter().collect()),
        "days": DAYS,
        "builds": counts.builds,
        "hits": counts.hits,
        "remote_hits": counts.remote_hits,
        "ran": counts.ran,
        "bytes_down": counts.bytes_down,
        "bytes_up": counts.bytes_up,
    })
}
