//! The numbers of `/metrics`, in the OpenMetrics text format.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::exchange::{Access, Protocol};
use crate::failure::Failure;
use crate::stats::action_hit;

/// Every label has few values, whatever clients send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    protocol: &'static str,
    method: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    protocol: &'static str,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// All numbers of one server.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<MethodLabels, Histogram, fn() -> Histogram>,
    received: Counter,
    sent: Counter,
    hits: Counter,
    misses: Counter,
    rejected: Family<ReasonLabels, Counter>,
    pub(crate) store: Gauge<u64, AtomicU64>,
    pub(crate) removed: Counter,
    pub(crate) failed_collections: Counter,
    pub(crate) damaged: Counter,
    pub(crate) unusable: Counter,
}

impl Metrics {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("run_cache"),
            requests: Family::default(),
            // From half a millisecond to about half a minute.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.0005, 4.0, 9))
            }),
            received: Counter::default(),
            sent: Counter::default(),
            hits: Counter::default(),
            misses: Counter::default(),
            rejected: Family::default(),
            store: Gauge::default(),
            removed: Counter::default(),
            failed_collections: Counter::default(),
            damaged: Counter::default(),
            unusable: Counter::default(),
        };
        metrics.register_requests();
        metrics.register_store(limit);
        metrics
    }

    fn register_requests(&mut self) {
        let Self { registry, .. } = self;
        registry.register("requests", "Requests that were answered", self.requests.clone());
        let help = "Time from the head of a request to the end of its answer";
        registry.register_with_unit("request", help, Unit::Seconds, self.seconds.clone());
        let help = "Bytes of bodies that arrived";
        registry.register_with_unit("received", help, Unit::Bytes, self.received.clone());
        let help = "Bytes of bodies that were sent";
        registry.register_with_unit("sent", help, Unit::Bytes, self.sent.clone());
        let help = "Requests for a result of an action that was there";
        registry.register("action_hits", help, self.hits.clone());
        let help = "Requests for a result of an action that was missing";
        registry.register("action_misses", help, self.misses.clone());
        let help = "Uploads that were not accepted";
        registry.register("uploads_rejected", help, self.rejected.clone());
    }

    fn register_store(&mut self, limit: Option<u64>) {
        let Self { registry, .. } = self;
        let help = "Size of the store";
        registry.register_with_unit("store", help, Unit::Bytes, self.store.clone());
        if let Some(limit) = limit {
            let gauge = Gauge::<u64, AtomicU64>::default();
            gauge.set(limit);
            let help = "Size that the store should stay below";
            registry.register_with_unit("store_limit", help, Unit::Bytes, gauge);
        }
        let help = "Bytes that were removed from the store to make it smaller";
        registry.register_with_unit("removed", help, Unit::Bytes, self.removed.clone());
        let help = "Times that the store could not be made smaller";
        registry.register("collections_failed", help, self.failed_collections.clone());
        let help = "Damaged blobs that were set aside";
        registry.register("blobs_damaged", help, self.damaged.clone());
        let help = "Results of actions that could not be read or replaced";
        registry.register("results_unusable", help, self.unusable.clone());
    }

    /// Counts a request that is over.
    pub(crate) fn record(&self, access: &Access) {
        let (protocol, method) = (access.protocol.name(), method(access));
        let labels = MethodLabels { protocol, method: method.clone() };
        self.seconds.get_or_create(&labels).observe(access.duration.as_secs_f64());
        let labels = RequestLabels { protocol, method, status: access.status.clone() };
        self.requests.get_or_create(&labels).inc();
        self.received.inc_by(access.received_bytes);
        self.sent.inc_by(access.sent_bytes);
        match action_hit(access) {
            Some(true) => _ = self.hits.inc(),
            Some(false) => _ = self.misses.inc(),
            None => {}
        }
    }

    /// Counts an upload that was not accepted.
    pub(crate) fn rejected(&self, failure: &Failure) {
        let reason = match failure {
            Failure::WrongDigest => "wrong_digest",
            Failure::Incomplete(_) => "incomplete",
            Failure::TooLarge(_) => "too_large",
            Failure::NeedsToken | Failure::Refused => "not_allowed",
            Failure::Slow | Failure::BrokenOff | Failure::Superseded => "interrupted",
            Failure::Full => "disk_full",
            Failure::Store(_) => "store",
            _ => "invalid",
        };
        self.rejected.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Returns the page for monitoring.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("a string takes all text");
        text
    }
}

fn method(access: &Access) -> String {
    match (access.protocol, &*access.method) {
        (Protocol::Grpc, method) | (Protocol::Http, method @ ("GET" | "HEAD" | "PUT")) => {
            method.to_owned()
        }
        _ => "other".to_owned(),
    }
}
