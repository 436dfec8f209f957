//! A component's outgoing HTTP requests: refused, or answered by a function of the caller. Nothing
//! is sent over a network.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::host::Loaded;

/// A request that a component makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// What it sends.
    pub body: Bytes,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The text.
    pub body: Bytes,
}

type Answering = dyn Fn(&Asked) -> Option<Answer> + Send + Sync;

/// Who answers.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Answering>);

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl Default for Answers {
    /// Nobody: the component sees the error code `HTTP-request-denied`.
    fn default() -> Self {
        Self(Arc::new(|_| None))
    }
}

impl Loaded {
    /// The same component, whose outgoing requests are answered by `answer`; what it gives no
    /// answer to is refused.
    #[must_use]
    pub fn answering(
        self,
        answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        Self { answers: Answers(Arc::new(answer)), ..self }
    }
}

type Exchange<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for Answers {
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
            let asked = Asked { method, url, body: body.collect().await?.to_bytes() };
            let Answer { status, body } = (answers.0)(&asked).ok_or(Error::HttpRequestDenied)?;
            let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
            let response = Response::builder().status(status).body(body);
            // A status code out of range is the only thing that can be wrong.
            let response = response.map_err(|_| Error::HttpProtocolError)?;
            let done: Exchange<()> = Box::new(std::future::ready(Ok(())));
            Ok((response, done))
        })
    }
}
