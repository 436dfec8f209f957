//! The two protocols, as the rest of the crate sees them. Each function is one try of one call; who calls it knows
//! deadlines and tries again.

use std::collections::VecDeque;
use std::sync::Arc;

use cache::{Digest, DigestFunction};

use crate::address::Protocol as Kind;
use crate::failure::Failure;
use crate::grpc::Grpc;
use crate::http::Http;
use crate::line::Line;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::tls::SetupError;
use crate::transfer::{Transfer, Wanted};

/// One of the protocols, connected to one server.
pub(crate) enum Protocol {
    /// Bazel's GET and PUT.
    Http(Http),
    /// The Remote Execution API.
    Grpc(Box<Grpc>),
}

impl Protocol {
    /// Checks that the settings can be used, without what takes a moment.
    pub(crate) fn check(settings: &Settings) -> Result<(), SetupError> {
        match settings.url.protocol() {
            Kind::Http => Http::check(settings),
            Kind::Grpc => Grpc::check(settings),
        }
    }

    /// Sets up the protocol of the address. Nothing is connected.
    pub(crate) fn new(settings: &Settings, line: Arc<Line>) -> Result<Self, SetupError> {
        match settings.url.protocol() {
            Kind::Http => Http::new(settings, line).map(Self::Http),
            Kind::Grpc => Grpc::new(settings, line).map(|grpc| Self::Grpc(Box::new(grpc))),
        }
    }

    /// Returns the digest functions that the server is known to offer; `None` if it has to be asked first.
    pub(crate) fn functions(&self) -> Option<Vec<DigestFunction>> {
        match self {
            // The protocol has no names for functions, and its servers don't look.
            Self::Http(_) => Some(vec![DigestFunction::Sha256, DigestFunction::Blake3]),
            Self::Grpc(grpc) => grpc.known().map(|known| known.functions.clone()),
        }
    }

    /// Returns the function to use if the settings don't say.
    pub(crate) fn preferred(&self, offered: &[DigestFunction]) -> Option<DigestFunction> {
        match self {
            Self::Http(_) => Some(DigestFunction::Sha256),
            Self::Grpc(_) => {
                let order = [DigestFunction::Blake3, DigestFunction::Sha256];
                order.into_iter().find(|function| offered.contains(function))
            }
        }
    }

    /// Returns the instance of the server; HTTP has none.
    pub(crate) fn instance(&self) -> &str {
        match self {
            Self::Http(_) => "",
            Self::Grpc(grpc) => grpc.instance(),
        }
    }

    /// Asks the server what it can do.
    pub(crate) async fn capabilities(&self) -> Result<(), Failure> {
        match self {
            Self::Http(_) => Ok(()),
            Self::Grpc(grpc) => grpc.capabilities().await,
        }
    }

    /// Waits until one more call may be made. The slot is free again when it is dropped.
    pub(crate) async fn slot(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        match self {
            Self::Http(http) => http.slot().await,
            Self::Grpc(_) => None,
        }
    }

    /// Returns the number of transfers that are under way at once.
    pub(crate) fn slots(&self) -> usize {
        match self {
            Self::Http(http) => http.slots(),
            Self::Grpc(_) => crate::grpc::SLOTS,
        }
    }

    /// Returns how many of the first blobs one call transfers.
    pub(crate) fn fitting(&self, queue: &VecDeque<Wanted>) -> usize {
        match self {
            Self::Http(_) => 1,
            Self::Grpc(grpc) => grpc.fitting(queue),
        }
    }

    /// Returns how many of the first digests one call asks for.
    pub(crate) fn fitting_questions(&self) -> usize {
        match self {
            Self::Http(_) => 1,
            Self::Grpc(_) => crate::grpc::QUESTIONS,
        }
    }

    /// Reads a result; `None` if there is none.
    pub(crate) async fn result(
        &self,
        key: &Digest,
        progress: &Progress,
    ) -> Result<Option<cache::reapi::ActionResult>, Failure> {
        match self {
            Self::Http(http) => http.result(key, progress).await,
            Self::Grpc(grpc) => grpc.result(key).await,
        }
    }

    /// Writes a result.
    pub(crate) async fn publish(
        &self,
        key: &Digest,
        result: &cache::reapi::ActionResult,
    ) -> Result<(), Failure> {
        match self {
            Self::Http(http) => http.publish(key, result).await,
            Self::Grpc(grpc) => grpc.publish(key, result).await,
        }
    }

    /// Finds out which blobs the server has.
    pub(crate) async fn missing(&self, transfer: &mut Transfer) -> Result<(), Failure> {
        match self {
            Self::Http(http) => http.missing(transfer).await,
            Self::Grpc(grpc) => grpc.missing(transfer).await,
        }
    }

    /// Reads blobs into the store.
    pub(crate) async fn download(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        match self {
            Self::Http(http) => http.download(transfer, progress).await,
            Self::Grpc(grpc) => grpc.download(transfer, progress).await,
        }
    }

    /// Sends blobs of the store.
    pub(crate) async fn upload(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        match self {
            Self::Http(http) => http.upload(transfer, progress).await,
            Self::Grpc(grpc) => grpc.upload(transfer, progress).await,
        }
    }

    /// Returns the bytes of a download that are not seen on their way, because they come in one message.
    pub(crate) fn unseen_down(&self, transfer: &Transfer) -> u64 {
        match self {
            Self::Http(_) => 0,
            Self::Grpc(grpc) if grpc.is_stream(transfer) => 0,
            Self::Grpc(_) => transfer.open.keys().map(Digest::size).sum(),
        }
    }

    /// Returns the bytes of an upload that are not seen on their way, because they go in one message.
    pub(crate) fn unseen_up(&self, transfer: &Transfer) -> u64 {
        match self {
            Self::Grpc(grpc) if grpc.is_stream(transfer) => 0,
            _ => transfer.open.keys().map(Digest::size).filter(|size| *size <= WHOLE).sum(),
        }
    }
}

/// A blob of at most this size is sent as one piece.
pub(crate) const WHOLE: u64 = 1 << 20;
