//! One request with its answer, as the access log, the metrics and the page see it.
//!
//! Handlers find the [`Exchange`] among the request's extensions and note there what only they know. It is reported when
//! the last byte of the answer has been handed over or the client is gone: the [`Recording`] that travels with the answer's
//! body does it when it is dropped.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::StdError;

use crate::auth::Rights;
use crate::client::Client;
use crate::failure::Failure;

/// A way to speak to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Plain requests for `/ac/…` and `/cas/…`, and the pages.
    Http,
    /// The Remote Execution API.
    Grpc,
}

impl Protocol {
    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// One line of the access log.
#[derive(Debug, Clone)]
pub struct Access {
    /// The protocol of the request.
    pub protocol: Protocol,
    /// The method of HTTP, or the name of the remote procedure, such as `GetActionResult`.
    pub method: String,
    /// The path without its query, shortened if it is very long. It comes from the client and may have any visible character.
    pub path: String,
    /// The status: `200`, or a name of gRPC such as `NOT_FOUND`. If the client left before there was one, it is `CANCELLED`, and
    /// if the body of an answer broke off by a failure, it is a name of gRPC over HTTP, too.
    pub status: String,
    /// The number of bytes of the request's body that arrived.
    pub received_bytes: u64,
    /// The number of bytes of the answer's body that were sent.
    pub sent_bytes: u64,
    /// The time from the request's head to the end of its answer.
    pub duration: Duration,
    /// The address of the client.
    pub address: IpAddr,
    /// The program that asks, as it calls itself. It may have any visible character.
    pub client: String,
    /// Tells if what was asked for is in the cache, if the request asked for something.
    pub hit: Option<bool>,
    /// The reason for a failure of the server itself.
    pub error: Option<String>,
}

/// The facts that become known of a request while it is answered.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client: Client,
    pub(crate) rights: Rights,
    received: AtomicU64,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    hit: Option<bool>,
    error: Option<String>,
}

impl Exchange {
    pub(crate) fn new(client: Client, rights: Rights) -> Self {
        Self { client, rights, received: AtomicU64::new(0), notes: Mutex::default() }
    }

    /// Notes if what was asked for is there.
    pub(crate) fn hit(&self, hit: bool) {
        self.notes().hit = Some(hit);
    }

    /// Notes why the server failed, if it is its own fault.
    pub(crate) fn failed(&self, failure: &Failure) {
        if let Some(detail) = failure.detail() {
            self.notes().error = Some(detail);
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports an exchange when it is dropped.
pub(crate) struct Recording {
    pub(crate) exchange: Arc<Exchange>,
    pub(crate) protocol: Protocol,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) started: Instant,
    pub(crate) report: Arc<dyn Fn(Access) + Send + Sync>,
    status: Option<String>,
    sent: u64,
}

/// The facts that a [`Recording`] starts with.
pub(crate) struct Request {
    pub(crate) protocol: Protocol,
    pub(crate) method: String,
    pub(crate) path: String,
}

impl Recording {
    pub(crate) fn new(
        exchange: Arc<Exchange>,
        request: Request,
        report: Arc<dyn Fn(Access) + Send + Sync>,
    ) -> Self {
        let Request { protocol, method, path } = request;
        let started = Instant::now();
        Self { exchange, protocol, method, path, started, report, status: None, sent: 0 }
    }

    /// Sends itself along with the answer.
    pub(crate) fn follow(mut self, response: Response<Body>) -> Response<SentBody> {
        match self.protocol {
            Protocol::Http => self.status = Some(response.status().as_str().to_owned()),
            // An error without a body has its status in the head.
            Protocol::Grpc if response.status() == StatusCode::OK => self.note(response.headers()),
            Protocol::Grpc => self.status = Some(response.status().as_str().to_owned()),
        }
        response.map(|inner| SentBody { inner, recording: self })
    }

    fn note(&mut self, trailers: &HeaderMap) {
        if let Some(code) = trailers.get("grpc-status") {
            self.status = Some(name(Code::from_bytes(code.as_bytes())).to_owned());
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let notes = std::mem::take(&mut *self.exchange.notes());
        let status = self.status.take().unwrap_or_else(|| "CANCELLED".to_owned());
        (self.report)(Access {
            protocol: self.protocol,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            status,
            received_bytes: self.exchange.received.load(Ordering::Relaxed),
            sent_bytes: self.sent,
            duration: self.started.elapsed(),
            address: self.exchange.client.address,
            client: self.exchange.client.name.clone(),
            hit: notes.hit,
            error: notes.error,
        });
    }
}

/// An answer's body on its way to the client.
pub(crate) struct SentBody {
    inner: Body,
    recording: Recording,
}

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.recording.sent += length as u64;
                if let Some(trailers) = frame.trailers_ref() {
                    self.recording.note(trailers);
                }
            }
            Some(Err(status)) => self.recording.status = Some(name(status.code()).to_owned()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A request's body, whose bytes are counted.
pub(crate) struct ReceivedBody<B> {
    pub(crate) inner: B,
    pub(crate) exchange: Arc<Exchange>,
}

impl<B> HttpBody for ReceivedBody<B>
where
    B: HttpBody<Data = Bytes, Error = StdError> + Unpin,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.exchange.received.fetch_add(data.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Returns the name that the specification of gRPC gives the code.
pub(crate) const fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
