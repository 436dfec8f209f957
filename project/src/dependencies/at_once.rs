//! Does several pieces of work at once that wait for a network.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The highest number of pieces that are done at once. A registry of a team has to bear that.
const AT_ONCE: usize = 16;

/// Does the work for each item, and returns the results in the order of the items.
pub(super) fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..items.len().min(AT_ONCE) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    let result = work(item);
                    *results[index].lock().expect("nothing panics while it is locked") =
                        Some(result);
                }
            });
        }
    });
    let done = results.into_iter().map(|result| result.into_inner());
    done.map(|result| result.ok().flatten().expect("each item was worked on")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn work_is_done_at_once_and_in_order() {
        let numbers: Vec<usize> = (0..100).collect();
        assert_eq!(at_once(&numbers, |number| number * 2), Vec::from_iter((0..200).step_by(2)));
        // It would wait forever if they came one after the other.
        let all = Barrier::new(AT_ONCE);
        assert_eq!(at_once(&numbers[..AT_ONCE], |_| all.wait()).len(), AT_ONCE);
        assert_eq!(at_once(&[] as &[u8], |_| ()), Vec::<()>::new());
    }
}
