//! An HTTP proxy that understands both protocols, and harms requests and answers.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::fault::Fault;
use crate::listening::listen;
use crate::op::{Op, Speaks};
use crate::tap::Tap;
use crate::{answers, requests};

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// The runtime of all proxies.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
});

/// A proxy of one case.
pub(crate) struct Exchange {
    pub(crate) speaks: Speaks,
    pub(crate) fault: Fault,
    pub(crate) tap: Arc<Tap>,
    /// The digests that may stand in for others, as hex and size.
    pub(crate) others: Vec<(String, u64)>,
    server: SocketAddr,
    client: Client<HttpConnector, Body>,
}

/// A body that was read as a whole.
pub(crate) struct Whole {
    pub(crate) bytes: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Exchange {
    pub(crate) fn new(
        speaks: Speaks,
        fault: Fault,
        tap: Arc<Tap>,
        others: Vec<(String, u64)>,
        server: SocketAddr,
    ) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.http2_only(speaks == Speaks::Grpc).build_http();
        Self { speaks, fault, tap, others, server, client }
    }

    /// Listens, and serves until the tasks are dropped.
    pub(crate) fn start(self) -> (SocketAddr, JoinSet<()>) {
        let exchange = Arc::new(self);
        let answer = move |request| Arc::clone(&exchange).answer(request);
        listen(SocketAddr::from(([127, 0, 0, 1], 0)), answer)
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Error> {
        let (head, body) = request.into_parts();
        let op = Op::of(&head);
        let request = Request::from_parts(head, body.map_err(Error::from).boxed_unsync());
        let dice = if self.fault.concerns(op) { self.tap.strikes() } else { None };
        let Some(mut dice) = dice else { return self.pass(request).await };
        if let Some(answer) = answers::instead(&self, &mut dice) {
            return Ok(answer);
        }
        let request = requests::harm(&self, op, request, &mut dice).await?;
        let answer = self.pass(request).await?;
        answers::harm(&self, op, answer, &mut dice).await
    }

    async fn pass(&self, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("http://{}{path}", self.server).parse::<Uri>()?;
        let answer = self.client.request(request).await?;
        Ok(answer.map(|body| body.map_err(Error::from).boxed_unsync()))
    }
}

/// Reads a body as a whole.
pub(crate) async fn whole(body: Body) -> Result<Whole, Error> {
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned();
    Ok(Whole { bytes: collected.to_bytes().to_vec(), trailers })
}

impl Whole {
    pub(crate) fn into_body(self) -> Body {
        let full = Full::from(self.bytes);
        let trailers = self.trailers.map(Ok);
        full.with_trailers(async { trailers }).map_err(|never| match never {}).boxed_unsync()
    }
}
