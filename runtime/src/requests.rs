//! Handles a component's outgoing HTTP requests. A function of the caller answers them, or they are refused. Nothing
//! is sent over a network.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::host::Loaded;

/// An HTTP request that a component makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingRequest {
    /// The method: `GET`, `POST`, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The body of the request.
    pub body: Bytes,
}

/// The response to an [`OutgoingRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingResponse {
    /// The status code.
    pub status: u16,
    /// The body of the response.
    pub body: Bytes,
}

type RespondFn = dyn Fn(&OutgoingRequest) -> Option<OutgoingResponse> + Send + Sync;

/// The function that answers outgoing requests.
#[derive(Clone)]
pub(crate) struct Responder(Arc<RespondFn>);

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

impl Default for Responder {
    /// Refuses every request: the component gets the error code `HTTP-request-denied`.
    fn default() -> Self {
        Self(Arc::new(|_| None))
    }
}

impl Loaded {
    /// Returns the same component with `answer` as the function that answers its outgoing requests. A request for which
    /// the function returns `None` is refused.
    #[must_use]
    pub fn answering(
        self,
        answer: impl Fn(&OutgoingRequest) -> Option<OutgoingResponse> + Send + Sync + 'static,
    ) -> Self {
        Self { answers: Responder(Arc::new(answer)), ..self }
    }
}

type Exchange<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for Responder {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Exchange<()>,
    ) -> Exchange<(Response<WasiBody>, Exchange<()>)> {
        let answers = self.clone();
        Box::new(async move {
            let (head, body) = request.into_parts();
            let (method, url) = (head.method.to_string(), head.uri.to_string());
            let asked = OutgoingRequest { method, url, body: body.collect().await?.to_bytes() };
            let OutgoingResponse { status, body } =
                (answers.0)(&asked).ok_or(Error::HttpRequestDenied)?;
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            let response = Response::builder().status(status).body(body);
            // The only possible error is a status code out of range.
            let response = response.map_err(|_| Error::HttpProtocolError)?;
            let done: Exchange<()> = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}
