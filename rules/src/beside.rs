//! Does a piece of work on a thread of its own, beside another one.

use std::panic::resume_unwind;
use std::thread;

/// Does `aside` on another thread while `here` is done on this one, and returns both results. If the system refuses to
/// start a thread, `aside` is done afterwards.
pub(crate) fn beside<A: Send, H>(aside: impl Fn() -> A + Sync, here: impl FnOnce() -> H) -> (A, H) {
    let aside = &aside;
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, aside);
        let here = here();
        let aside = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => aside(),
        };
        (aside, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_done() {
        let text = "text".to_owned();
        assert_eq!(beside(|| text.len(), || text.to_uppercase()), (4, "TEXT".to_owned()));
    }
}
