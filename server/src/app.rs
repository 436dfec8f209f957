//! Holds what all requests share: the store, the limits, and what is counted.

use cache::DiskStore;
use http::Uri;

use crate::auth::Gate;
use crate::exchange::Access;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::settings::{AccessLog, Settings};
use crate::stats::Stats;
use crate::uploads::Uploads;

/// The state of one server.
pub(crate) struct App {
    pub(crate) store: DiskStore,
    pub(crate) instance: Option<String>,
    pub(crate) gate: Gate,
    pub(crate) max_blob: u64,
    pub(crate) max_size: Option<u64>,
    pub(crate) is_encrypted: bool,
    pub(crate) metrics: Metrics,
    pub(crate) stats: Stats,
    pub(crate) uploads: Uploads,
    log: Option<AccessLog>,
}

impl App {
    pub(crate) fn new(settings: Settings) -> Self {
        let metrics = Metrics::new(settings.max_size);
        Self {
            store: settings.store,
            instance: settings.instance,
            gate: Gate {
                read_token: settings.read_token,
                write_token: settings.write_token,
                read_only: settings.read_only,
            },
            max_blob: settings.max_blob,
            max_size: settings.max_size,
            is_encrypted: settings.tls.is_some(),
            metrics,
            stats: Stats::default(),
            uploads: Uploads::default(),
            log: settings.access_log,
        }
    }

    /// Refuses an upload of more bytes than are accepted.
    pub(crate) fn check_size(&self, size: u64) -> Result<(), Failure> {
        if size <= self.max_blob { Ok(()) } else { Err(Failure::TooLarge(self.max_blob)) }
    }

    /// Counts a request, and writes it to the access log.
    pub(crate) fn report(&self, access: &Access) {
        self.metrics.record(access);
        self.stats.record(access);
        if let Some(log) = &self.log {
            log(access);
        }
    }

    /// Returns the address under which a client reached the server, as far as the request tells.
    pub(crate) fn authority(headers: &http::HeaderMap, uri: &Uri) -> Option<String> {
        let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(http::uri::Authority::as_str);
        Some(host.or(authority)?.to_owned())
    }
}
