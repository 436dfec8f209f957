//! Counts what went over the wire.

use std::sync::atomic::{AtomicU64, Ordering};

/// The amounts that went over the wire since a client was made. Only payload counts, as it was sent: compressed, if it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The bytes of blobs and results that were received.
    pub bytes_down: u64,
    /// The bytes of blobs and results that were sent.
    pub bytes_up: u64,
    /// The blobs that came into the store.
    pub blobs_down: u64,
    /// The blobs that the server took.
    pub blobs_up: u64,
    /// The calls, of which one may ask for many blobs.
    pub calls: u64,
    /// The requests, which are more than the calls if some were tried again.
    pub round_trips: u64,
}

/// The counters behind [`Traffic`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes_down: Counter,
    pub(crate) bytes_up: Counter,
    pub(crate) blobs_down: Counter,
    pub(crate) blobs_up: Counter,
    pub(crate) calls: Counter,
    pub(crate) round_trips: Counter,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to the counter.
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns the count.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    /// Returns all counts.
    pub(crate) fn read(&self) -> Traffic {
        Traffic {
            bytes_down: self.bytes_down.get(),
            bytes_up: self.bytes_up.get(),
            blobs_down: self.blobs_down.get(),
            blobs_up: self.blobs_up.get(),
            calls: self.calls.get(),
            round_trips: self.round_trips.get(),
        }
    }
}
