//! The way of a request: it gets an [`Exchange`], its token is checked, and the protocol that it speaks answers it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower::Service as _;

use crate::app::App;
use crate::auth::{Right, Rights};
use crate::client::{Client, shorten};
use crate::exchange::{self, Access, Exchange, Protocol, ReceivedBody, Recording, SentBody};
use crate::patience::PatientBody;
use crate::{grpc, http as plain};

/// The largest number of characters of a path that are logged.
const LONGEST_PATH: usize = 300;

/// A request's body as handlers see it.
pub(crate) type RequestBody = ReceivedBody<PatientBody<Incoming>>;

/// Answers requests of both protocols.
#[derive(Clone)]
pub(crate) struct Front {
    app: Arc<App>,
    services: Routes,
    report: Arc<dyn Fn(Access) + Send + Sync>,
    patience: Duration,
}

impl Front {
    pub(crate) fn new(app: &Arc<App>, patience: Duration) -> Self {
        let reporter = Arc::clone(app);
        Self {
            app: Arc::clone(app),
            services: grpc::routes(app),
            report: Arc::new(move |access| reporter.report(&access)),
            patience,
        }
    }

    /// Answers one request. It is reported when the body of the answer is dropped.
    pub(crate) async fn answer(
        mut self,
        peer: SocketAddr,
        request: Request<Incoming>,
    ) -> Response<SentBody> {
        let client = Client::new(peer.ip(), request.headers());
        let rights = self.app.gate.rights(request.headers());
        let exchange = Arc::new(Exchange::new(client, rights));
        let described = describe(&request);
        let (protocol, method) = (described.protocol, described.method.clone());
        let recording = Recording::new(Arc::clone(&exchange), described, Arc::clone(&self.report));
        let request = request.map(|inner| ReceivedBody {
            inner: PatientBody::new(inner, self.patience),
            exchange: Arc::clone(&exchange),
        });
        let answer = match protocol {
            Protocol::Http => plain::answer(&self.app, &exchange, request).await,
            Protocol::Grpc => self.call(&exchange, &method, request).await,
        };
        recording.follow(answer)
    }

    async fn call(
        &mut self,
        exchange: &Arc<Exchange>,
        procedure: &str,
        mut request: Request<RequestBody>,
    ) -> Response<Body> {
        if let Err(failure) = right(exchange.rights, procedure).check() {
            return Status::from(failure).into_http();
        }
        request.extensions_mut().insert(Arc::clone(exchange));
        match self.services.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn right(rights: Rights, procedure: &str) -> Right {
    if grpc::is_write(procedure) { rights.write } else { rights.read }
}

fn describe(request: &Request<Incoming>) -> exchange::Request {
    let path = request.uri().path();
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |t| t.as_bytes());
    let is_grpc = request.method() == Method::POST && content_type.starts_with(b"application/grpc");
    let (protocol, method) = if is_grpc {
        (Protocol::Grpc, grpc::procedure(path))
    } else {
        (Protocol::Http, request.method().as_str())
    };
    let (method, path) = (shorten(method, 20), shorten(path, LONGEST_PATH));
    exchange::Request { protocol, method, path }
}

/// Makes an answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
