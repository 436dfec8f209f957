//! Serves a component of the world `wasi:http/proxy` on a loopback address.
//!
//! Every request gets a new instance, so that a trap or a leak of one never affects another. The
//! tasks of a server belong to its [`Server`] and end with it.

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
use wasmtime::component::{ComponentExportIndex, Resource};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use crate::host::{Loaded, list};
use crate::output_tail::OutputTail;

/// The number of bytes that are kept of a component's standard error while it handles a request, for the response after
/// a trap.
const STDERR_LIMIT: usize = 64 << 10;

/// The interface that handles requests in WASI 0.2. Any of its versions is found under this name.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.0";

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// The task that accepts connections.
    acceptor: JoinSet<()>,
    tasks: Tasks,
}

/// The reason why a component could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It does not handle HTTP requests.
    #[error("the component exports {}, not `wasi:http/incoming-handler`", list(exports))]
    NoHandler {
        /// The names that it exports.
        exports: Vec<String>,
    },
    /// The address is not a loopback address, so other machines could reach it.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The server can't listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Loaded {
    /// Serves the component's `wasi:http/incoming-handler` over HTTP/1.1. `address` must be a
    /// loopback address; port 0 means any free port.
    pub async fn serve(&self, address: SocketAddr) -> Result<Server, ServeError> {
        self.serve_by(HANDLER, address).await
    }

    /// Serves the component by the handler with this name. The name chooses one of several versions
    /// that the component may have, such as `wasi:http/incoming-handler@0.2.3`.
    pub async fn serve_by(&self, handler: &str, address: SocketAddr) -> Result<Server, ServeError> {
        let component = self.pre.component();
        let interface = component.get_export_index(None, handler);
        let function =
            interface.and_then(|interface| component.get_export_index(Some(&interface), "handle"));
        let handler = function.ok_or_else(|| ServeError::NoHandler { exports: self.exports() })?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let cannot_listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let tasks = Tasks::new();
        let served =
            Arc::new(ServedComponent { loaded: self.clone(), handler, tasks: tasks.clone() });
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, served));
        Ok(Server { address, acceptor, tasks })
    }
}

impl Server {
    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections, aborts the requests that are being handled, and waits until they have ended.
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

    /// Starts a task. If the server is closed, the task is dropped instead.
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

/// Everything that the handling of a request needs.
struct ServedComponent {
    loaded: Loaded,
    /// The function that handles requests.
    handler: ComponentExportIndex,
    tasks: Tasks,
}

async fn accept(listener: TcpListener, served: Arc<ServedComponent>) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => served.tasks.spawn(converse(connection, Arc::clone(&served))),
            // This process has probably no free descriptor, so another connection has to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(connection: TcpStream, served: Arc<ServedComponent>) {
    let service = service_fn(move |request| {
        let served = Arc::clone(&served);
        async move { Ok::<_, Infallible>(answer(&served, request).await) }
    });
    // A connection that breaks off concerns only the client, which knows of it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// The response that the component sets, or the error code that it sets instead.
type HandlerResponse = Result<Response<HyperOutgoingBody>, ErrorCode>;

async fn answer(
    served: &Arc<ServedComponent>,
    request: Request<Incoming>,
) -> Response<HyperOutgoingBody> {
    let stderr = OutputTail::new(STDERR_LIMIT);
    let (respond, response) = oneshot::channel();
    let (report, reported) = oneshot::channel();
    let handling = handle(Arc::clone(served), request, respond, stderr.clone());
    served.tasks.spawn(async move {
        // If there was a response, the receiver is gone.
        let _ = report.send(handling.await.map_err(|error| format!("{error:?}")));
    });
    match response.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => {
            failure(StatusCode::BAD_GATEWAY, &format!("the component answered {code:?}\n"))
        }
        // The handler has ended without a response, and has dropped its end of the channel.
        Err(_) => no_response(reported.await.ok(), &String::from_utf8_lossy(&stderr.take())),
    }
}

/// Runs the handler in an instance of its own until it ends. The response is sent through `respond` before
/// that.
async fn handle(
    served: Arc<ServedComponent>,
    request: Request<Incoming>,
    respond: oneshot::Sender<HandlerResponse>,
    stderr: OutputTail,
) -> wasmtime::Result<()> {
    let mut store = served.loaded.store(&mut WasiCtx::builder(), &stderr);
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let response = http.new_response_outparam(respond)?;
    let instance = served.loaded.pre.instantiate_async(&mut store).await?;
    type Parameters = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);
    let handler = instance.get_typed_func::<Parameters, ()>(&mut store, &served.handler)?;
    handler.call_async(&mut store, (request, response)).await
}

/// Makes the response to a request whose handler gave none. `ended` is the result of the handler; `None` if the server
/// has aborted it.
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
