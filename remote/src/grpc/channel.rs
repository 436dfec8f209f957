//! The connection to a gRPC server: HTTP/2, with or without TLS, directly or through a proxy.
//!
//! All calls share one connection. If a line between here and the server goes dead without a word, nothing tells: the
//! operating system waits for minutes, and HTTP/2 is not asked for signs of life as long as no call lasts long enough. So
//! after each try that got no answer, the next one makes a new connection. Calls that are under way keep the old one.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::failure::with_causes;
use crate::line::Line;
use crate::settings::{Header, Settings};
use crate::tls::{self, SetupError};

/// The time between two checks of a connection that carries calls, by which a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The bytes that a server may send ahead in one stream: enough for 300 MB/s over a distance of 50 ms.
const WINDOW: u32 = 16 << 20;

/// A connection that is made when it is needed, and again after it breaks or falls silent. Clones share it.
#[derive(Clone)]
pub(super) struct Channel {
    shared: Arc<Shared>,
}

struct Shared {
    line: Arc<Line>,
    connector: HttpsConnector<Way>,
    timeout: Duration,
    origin: Uri,
    headers: Vec<Header>,
    current: Mutex<Current>,
}

/// The connection of new calls.
struct Current {
    client: Connection,
    /// The silences of the line when it was made.
    silences: u64,
}

type Connection = Client<HttpsConnector<Way>, Body>;

impl Channel {
    /// Checks that a connection can be set up.
    pub(super) fn check(settings: &Settings) -> Result<(), SetupError> {
        tls::config(&settings.tls, false)?;
        Way::new(settings, &origin(settings)?).map(drop)
    }

    /// Sets the connection up; nothing is connected yet.
    pub(super) fn new(settings: &Settings, line: Arc<Line>) -> Result<Self, SetupError> {
        let origin = origin(settings)?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(&settings.tls, settings.url.is_secure())?)
            .https_or_http()
            .enable_http2()
            .wrap_connector(Way::new(settings, &origin)?);
        let (timeout, headers) = (settings.timeout, settings.headers.clone());
        let client = connection(connector.clone(), timeout);
        let current = Mutex::new(Current { client, silences: line.silences() });
        let shared = Shared { line, connector, timeout, origin, headers, current };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the URL that requests are for.
    pub(super) fn origin(&self) -> &Uri {
        &self.shared.origin
    }
}

/// Returns the URL that requests are for.
fn origin(settings: &Settings) -> Result<Uri, SetupError> {
    settings
        .url
        .web()
        .parse()
        .map_err(|error: http::uri::InvalidUri| SetupError::Address { reason: error.to_string() })
}

impl Shared {
    /// Returns the connection for a new call.
    fn connection(&self) -> Connection {
        let silences = self.line.silences();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.silences != silences {
            let client = connection(self.connector.clone(), self.timeout);
            *current = Current { client, silences };
        }
        current.client.clone()
    }
}

/// Sets up a connection, which is made with the first call.
fn connection(connector: HttpsConnector<Way>, timeout: Duration) -> Connection {
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .http2_only(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .http2_keep_alive_timeout(timeout)
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(2 * WINDOW)
        .build(connector)
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        const AGENT: HeaderValue =
            HeaderValue::from_static(concat!("run/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(http::header::USER_AGENT, AGENT);
        for header in &self.shared.headers {
            request.headers_mut().insert(header.name.clone(), header.value.clone());
        }
        let answer = self.shared.connection().request(request);
        Box::pin(async { answer.await.map_err(|error| Status::unavailable(with_causes(&error))) })
    }
}

/// The way to the server.
#[derive(Clone)]
enum Way {
    Direct(HttpConnector),
    Proxy(Tunnel<HttpConnector>),
}

impl Way {
    fn new(settings: &Settings, origin: &Uri) -> Result<Self, SetupError> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(settings.timeout));
        let Some(proxy) = tls::proxy(&settings.proxies, origin) else {
            return Ok(Self::Direct(http));
        };
        if proxy.uri().scheme_str() != Some("http") {
            let scheme = proxy.uri().scheme_str().unwrap_or_default().to_owned();
            return Err(SetupError::Proxy { scheme });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
        if let Some(login) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(login.clone());
        }
        Ok(Self::Proxy(tunnel))
    }
}

impl Service<Uri> for Way {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self {
            Self::Direct(http) => http.poll_ready(context).map_err(Into::into),
            Self::Proxy(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        match self {
            Self::Direct(http) => {
                let connecting = http.call(to);
                Box::pin(async { connecting.await.map_err(Into::into) })
            }
            Self::Proxy(tunnel) => {
                let connecting = tunnel.call(to);
                Box::pin(async { connecting.await.map_err(Into::into) })
            }
        }
    }
}
