//! Serves a component of the world `wasi:http/proxy` on a loopback address.
//!
//! Every request gets a fresh instance, so that a trap or a leak of one never touches another. The
//! tasks of a server live in its [`Server`] and end with it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use crate::capture::Capture;
use crate::host::{Loaded, list};
use crate::state::State;

/// How much of what a component writes while it handles a request is kept, for the answer after a
/// trap.
const STDERR_LIMIT: usize = 64 << 10;

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// Accepts connections.
    acceptor: JoinSet<()>,
    tasks: Tasks,
}

/// Why a component could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It does not handle HTTP requests.
    #[error("the component exports {}, not `wasi:http/incoming-handler`", list(exports))]
    NoHandler {
        /// What it does export.
        exports: Vec<String>,
    },
    /// The address is not one of this machine alone.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address is not to be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl Loaded {
    /// Serves the component's `wasi:http/incoming-handler` over HTTP/1.1. `address` must be a
    /// loopback address; port 0 is any free one.
    pub async fn serve(&self, address: SocketAddr) -> Result<Server, ServeError> {
        let handler = ProxyPre::new(self.pre.clone())
            .map_err(|_| ServeError::NoHandler { exports: self.exports() })?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let cannot_listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let tasks = Tasks::new();
        let site = Arc::new(Site { loaded: self.clone(), handler, tasks: tasks.clone() });
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, site));
        Ok(Server { address, acceptor, tasks })
    }
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, breaks off what is being answered, and waits until all of it has ended.
    pub async fn shutdown(mut self) {
        self.acceptor.shutdown().await;
        if let Some(mut tasks) = self.tasks.close() {
            tasks.shutdown().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.close();
    }
}

/// The connections and requests of a server. A handler may go on working after its response, so
/// requests do not belong to their connections.
#[derive(Clone, Debug)]
struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

impl Tasks {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(JoinSet::new()))))
    }

    /// Starts a task; drops it instead if the server is closed.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = &mut *self.lock() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    fn close(&self) -> Option<JoinSet<()>> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every request needs.
struct Site {
    loaded: Loaded,
    handler: ProxyPre<State>,
    tasks: Tasks,
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => site.tasks.spawn(converse(connection, Arc::clone(&site))),
            // Out of descriptors, mostly: some connection has to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(connection: TcpStream, site: Arc<Site>) {
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(answer(&site, request).await) }
    });
    // A connection that breaks off concerns only the client, who knows.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// What the component sets as its response, or why there is none.
type Answer = Result<Response<HyperOutgoingBody>, ErrorCode>;

async fn answer(site: &Arc<Site>, request: Request<Incoming>) -> Response<HyperOutgoingBody> {
    let stderr = Capture::new(STDERR_LIMIT);
    let (respond, response) = oneshot::channel();
    let (report, reported) = oneshot::channel();
    let handling = handle(Arc::clone(site), request, respond, stderr.clone());
    site.tasks.spawn(async move {
        // Nobody listens if there was a response.
        let _ = report.send(handling.await.map_err(|error| format!("{error:?}")));
    });
    match response.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => {
            failure(StatusCode::BAD_GATEWAY, &format!("the component answered {code:?}\n"))
        }
        // The handler ended without a response: it has dropped its end of the channel.
        Err(_) => no_response(reported.await.ok(), &String::from_utf8_lossy(&stderr.take())),
    }
}

/// Runs the handler in an instance of its own, to its end; the response comes through `respond` on
/// the way.
async fn handle(
    site: Arc<Site>,
    request: Request<Incoming>,
    respond: oneshot::Sender<Answer>,
    stderr: Capture,
) -> wasmtime::Result<()> {
    let mut store = site.loaded.store(&mut WasiCtx::builder(), &stderr);
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let response = http.new_response_outparam(respond)?;
    let instance = site.handler.instantiate_async(&mut store).await?;
    instance.wasi_http_incoming_handler().call_handle(&mut store, request, response).await
}

/// `ended` is how the handler ended; `None` if the server broke it off.
fn no_response(ended: Option<Result<(), String>>, stderr: &str) -> Response<HyperOutgoingBody> {
    let text = match ended {
        Some(Err(trap)) => format!("the component trapped: {trap}\n\n{stderr}"),
        Some(Ok(())) => format!("the component ended without a response\n\n{stderr}"),
        None => return failure(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping\n"),
    };
    failure(StatusCode::INTERNAL_SERVER_ERROR, &text)
}

fn failure(status: StatusCode, text: &str) -> Response<HyperOutgoingBody> {
    let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests;
