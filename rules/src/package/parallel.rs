//! Does work for many items on a few threads. It knows nothing of the work but whether it failed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Calls `work` for each item, for `at_once` items at a time, and returns the results in the order of the
/// items. Returns `None` if `cancelled` returned true before the end. After a failure no new item is begun,
/// `failed` is set so that running work can stop, and the first failure is returned.
pub(crate) fn parallel<T: Sync, R: Send, E: Send>(
    items: &[T],
    at_once: usize,
    failed: &AtomicBool,
    cancelled: &(dyn Fn() -> bool + Sync),
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Option<Vec<R>>, E> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let failure = Mutex::new(None);
    let worker = || {
        while !failed.load(Ordering::Relaxed) && !cancelled() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            match work(item) {
                Ok(result) => {
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
                Err(error) => {
                    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    failure.get_or_insert(error);
                    failed.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once.clamp(1, items.len().max(1)) {
            scope.spawn(worker);
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    let is_whole = results.len() == items.len();
    Ok(is_whole.then(|| results.into_iter().map(|(_, result)| result).collect()))
}
