//! Does the work beside the requests: the store is made smaller if it is too large, measured, and cleaned of what was left over.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cache::DiskStore;

use crate::app::App;
use crate::blocking::blocking;
use crate::settings::{Collect, Collected};

/// The time between two rounds.
const EVERY: Duration = Duration::from_secs(60);

/// Without a [`Collect`], which tells the size, the store is measured once in so many rounds, because that reads all folders.
const MEASURE_EVERY: u32 = 15;

/// Looks after the store for ever.
pub(crate) async fn look_after(app: Arc<App>, collect: Option<Collect>) {
    let store = app.store.clone();
    // Leftovers that can't be removed are no reason not to serve.
    _ = blocking(move || Ok(store.sweep()?)).await;
    for round in 0_u32.. {
        match &collect {
            Some(collect) => make_room(&app, collect).await,
            None if round % MEASURE_EVERY == 0 => measure(&app).await,
            None => {}
        }
        app.uploads.drop_old();
        app.metrics.damaged.inc_by(app.store.take_quarantined().len() as u64);
        let unusable = app.store.take_unusable();
        app.metrics.unusable.inc_by(unusable.iter().map(|entry| 1 + entry.more as u64).sum());
        // The timer is a guard: `notified` comes earlier after many uploads.
        _ = tokio::time::timeout(EVERY, app.stats.many_uploads.notified()).await;
    }
}

async fn make_room(app: &App, collect: &Collect) {
    let collect = Arc::clone(collect);
    let collected = tokio::task::spawn_blocking(move || collect()).await;
    match collected.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Collected { removed_bytes, kept_bytes }) => {
            app.metrics.removed.inc_by(removed_bytes);
            app.metrics.store.set(kept_bytes);
            app.stats.measured(kept_bytes);
            app.stats.tidied(Ok(removed_bytes));
        }
        Err(error) => {
            app.metrics.failed_collections.inc();
            app.stats.tidied(Err(error));
        }
    }
}

async fn measure(app: &App) {
    let store = app.store.clone();
    if let Ok(size) = blocking(move || Ok(size_of(&store))).await {
        app.metrics.store.set(size);
        app.stats.measured(size);
    }
}

/// Adds up the sizes of blobs and results. What changes or can't be read meanwhile is left out.
fn size_of(store: &DiskStore) -> u64 {
    let folders = ["cas", "ac"].map(|name| store.root().join(name));
    folders.iter().map(|folder| size_below(folder).unwrap_or(0)).sum()
}

fn size_below(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        size += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_below(&entry.path()).unwrap_or(0),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
    }
    Ok(size)
}
