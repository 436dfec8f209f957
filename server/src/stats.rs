//! Keeps what the page shows about the past: clients, recent results, the size of the store. All of it is bounded, and lost when the
//! server ends.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::client::Client;
use crate::exchange::{Access, Protocol};

/// The number of recent results that are remembered.
const RECENT: usize = 50;
/// The largest number of clients that are remembered.
const CLIENTS: usize = 200;
/// The number of uploaded bytes after which the store is tidied up without waiting for the next minute.
const TIDY_AFTER: u64 = 256 << 20;

/// The numbers of a server since it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The time since the server was made.
    pub uptime: Duration,
    /// The number of requests that were answered.
    pub requests: u64,
    /// The number of requests for a result of an action that was there.
    pub hits: u64,
    /// The number of requests for a result of an action that was missing.
    pub misses: u64,
    /// The number of bytes of bodies that arrived.
    pub received_bytes: u64,
    /// The number of bytes of bodies that were sent.
    pub sent_bytes: u64,
    /// The size of the store in bytes, as far as it is known.
    pub store_bytes: Option<u64>,
}

/// The event that a result was part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happened {
    Got,
    Put,
}

/// A result that was got or put.
#[derive(Debug, Clone)]
pub(crate) struct Recent {
    pub(crate) key: String,
    pub(crate) happened: Happened,
    pub(crate) when: Instant,
    pub(crate) client: Client,
    pub(crate) size: u64,
}

/// The figures of a client.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) last: Instant,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

/// The outcome of the last time that the store was tidied up.
#[derive(Debug, Clone)]
pub(crate) struct Tidied {
    pub(crate) when: Instant,
    pub(crate) outcome: Result<u64, String>,
}

/// Everything that is remembered.
pub(crate) struct Stats {
    memory: Mutex<Memory>,
    /// Wakes what tidies up the store.
    pub(crate) many_uploads: Notify,
}

/// A copy of what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    started: Instant,
    requests: u64,
    pub(crate) total: Seen,
    pub(crate) clients: BTreeMap<Client, Seen>,
    pub(crate) recent: VecDeque<Recent>,
    pub(crate) size: Option<u64>,
    pub(crate) tidied: Option<Tidied>,
    uploaded: u64,
}

impl Default for Stats {
    fn default() -> Self {
        let started = Instant::now();
        let memory = Memory {
            started,
            requests: 0,
            total: Seen { last: started, hits: 0, misses: 0, received: 0, sent: 0 },
            clients: BTreeMap::new(),
            recent: VecDeque::new(),
            size: None,
            tidied: None,
            uploaded: 0,
        };
        Self { memory: Mutex::new(memory), many_uploads: Notify::new() }
    }
}

impl Stats {
    /// Counts a request that is over.
    pub(crate) fn record(&self, access: &Access) {
        let mut memory = self.lock();
        memory.requests += 1;
        memory.total.add(access);
        if is_cache(access) {
            let client = Client { address: access.address, name: access.client.clone() };
            memory.seen(client).add(access);
        }
    }

    /// Remembers a result that was got or put.
    pub(crate) fn action(&self, client: &Client, happened: Happened, key: &str, size: u64) {
        let (when, client) = (Instant::now(), client.clone());
        let recent = Recent { key: key.to_owned(), happened, when, client, size };
        let mut memory = self.lock();
        memory.recent.truncate(RECENT - 1);
        memory.recent.push_front(recent);
    }

    /// Counts the bytes of a blob that was uploaded.
    pub(crate) fn stored(&self, bytes: u64) {
        let mut memory = self.lock();
        memory.uploaded = memory.uploaded.saturating_add(bytes);
        if memory.uploaded >= TIDY_AFTER {
            memory.uploaded = 0;
            self.many_uploads.notify_one();
        }
    }

    /// Remembers the size of the store.
    pub(crate) fn measured(&self, size: u64) {
        self.lock().size = Some(size);
    }

    /// Remembers the outcome of tidying up: the number of bytes that were removed, or an error.
    pub(crate) fn tidied(&self, outcome: Result<u64, String>) {
        self.lock().tidied = Some(Tidied { when: Instant::now(), outcome });
    }

    /// Returns a copy of everything.
    pub(crate) fn snapshot(&self) -> Memory {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            uptime: self.started.elapsed(),
            requests: self.requests,
            hits: self.total.hits,
            misses: self.total.misses,
            received_bytes: self.total.received,
            sent_bytes: self.total.sent,
            store_bytes: self.size,
        }
    }

    fn seen(&mut self, client: Client) -> &mut Seen {
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&client) {
            let oldest = self.clients.iter().min_by_key(|(_, seen)| seen.last);
            if let Some(oldest) = oldest.map(|(client, _)| client.clone()) {
                self.clients.remove(&oldest);
            }
        }
        let last = Instant::now();
        let new = Seen { last, hits: 0, misses: 0, received: 0, sent: 0 };
        self.clients.entry(client).or_insert(new)
    }
}

impl Seen {
    fn add(&mut self, access: &Access) {
        self.last = Instant::now();
        self.received += access.received_bytes;
        self.sent += access.sent_bytes;
        match action_hit(access) {
            Some(true) => self.hits += 1,
            Some(false) => self.misses += 1,
            None => {}
        }
    }
}

/// Tells if a result of an action was asked for, and if it was there.
pub(crate) fn action_hit(access: &Access) -> Option<bool> {
    let is_action = match access.protocol {
        Protocol::Grpc => access.method == "GetActionResult",
        Protocol::Http => access.path.rsplit('/').nth(1) == Some("ac"),
    };
    access.hit.filter(|_| is_action)
}

/// Tells if the request was for the cache and not for a page.
fn is_cache(access: &Access) -> bool {
    access.protocol == Protocol::Grpc
        || matches!(access.path.rsplit('/').nth(1), Some("ac" | "cas"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(number: u16, hit: bool) -> Access {
        Access {
            protocol: Protocol::Grpc,
            method: "GetActionResult".to_owned(),
            path: String::new(),
            status: "OK".to_owned(),
            received_bytes: 1,
            sent_bytes: 2,
            duration: Duration::ZERO,
            address: [127, 0, 0, 1].into(),
            client: format!("client {number}"),
            hit: Some(hit),
            error: None,
        }
    }

    #[test]
    fn memory_is_bounded() {
        let stats = Stats::default();
        for number in 0..1000 {
            stats.record(&access(number, number % 4 == 0));
            let client = Client { address: [127, 0, 0, 1].into(), name: String::new() };
            stats.action(&client, Happened::Put, &number.to_string(), 1);
        }
        let memory = stats.snapshot();
        assert_eq!((memory.clients.len(), memory.recent.len()), (CLIENTS, RECENT));
        assert_eq!(memory.recent[0].key, "999");
        let totals = memory.totals();
        assert_eq!((totals.hits, totals.misses, totals.requests), (250, 750, 1000));
        assert_eq!((totals.received_bytes, totals.sent_bytes), (1000, 2000));
    }

    #[test]
    fn only_results_count_as_hits() {
        let check = |protocol, method: &str, path: &str, expect: Option<bool>| {
            let (method, path) = (method.to_owned(), path.to_owned());
            let access = Access { protocol, method, path, ..access(0, true) };
            assert_eq!(action_hit(&access), expect, "{access:?}");
        };
        check(Protocol::Grpc, "GetActionResult", "/x", Some(true));
        check(Protocol::Grpc, "Read", "/x", None);
        check(Protocol::Http, "GET", "/prefix/ac/00", Some(true));
        check(Protocol::Http, "GET", "/ac/cas/00", None);
    }
}
