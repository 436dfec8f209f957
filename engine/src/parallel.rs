//! Maps many items by a short piece of work, on several threads if that is worth it.
//!
//! Waking the threads takes as long as a few hundred short system calls, so the caller says from how many items on it
//! pays. The results come in the order of the items, whatever the order in which the threads end.

use rayon::prelude::*;

/// The number of files from which on several threads read their stats.
pub(crate) const STATS: usize = 256;

/// The number of actions from which on several threads compute their keys.
pub(crate) const KEYS: usize = 256;

/// Maps every item, on several threads if there are at least `parallel` items.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    parallel: usize,
    map: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    if items.len() < parallel {
        return items.iter().map(map).collect();
    }
    items.par_iter().map(&map).collect()
}
