//! A component's outgoing HTTP requests. A request that is not granted is refused. A granted one is answered by a function of
//! the caller, or goes through the network.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, Uri};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use crate::log::Denial;
use crate::policy::Policy;
use crate::voice::Voice;

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
pub(crate) struct Responder(pub(crate) Arc<RespondFn>);

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Responder")
    }
}

/// The outgoing requests of one instance.
pub(crate) struct Outgoing {
    pub(crate) policy: Arc<Policy>,
    pub(crate) voice: Arc<Voice>,
}

/// The future of an exchange, as `wasmtime-wasi-http` wants it.
pub(crate) type Exchange<T> = Box<dyn Future<Output = Result<T, Error>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Exchange<()>,
    ) -> Exchange<(Response<WasiBody>, Exchange<()>)> {
        if let Err(error) = self.check(request.uri()) {
            return Box::new(std::future::ready(Err(error)));
        }
        if let Some(responder) = self.policy.responder.clone() {
            return Box::new(answered(responder, request));
        }
        match self.policy.network.clone() {
            Some(network) => {
                Box::new(async move { Ok(done(network.send(request, options).await?)) })
            }
            None => Box::new(std::future::ready(Err(Error::DestinationUnavailable))),
        }
    }
}

impl Outgoing {
    /// Refuses a request to a host that is not granted.
    fn check(&self, uri: &Uri) -> Result<(), Error> {
        let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
        let standard = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(standard);
        if self.policy.grants.http_client.allows(host, port) {
            return Ok(());
        }
        let scheme = uri.scheme_str().unwrap_or("https");
        let place = if port == standard { host.to_owned() } else { format!("{host}:{port}") };
        self.voice.deny(Denial {
            import: "wasi:http/outgoing-handler",
            attempt: format!("send a request to {scheme}://{place}/"),
            capability: format!("http-client:{place}"),
        });
        Err(Error::HttpRequestDenied)
    }
}

async fn answered(
    Responder(answer): Responder,
    request: Request<WasiBody>,
) -> Result<(Response<WasiBody>, Exchange<()>), Error> {
    let (head, body) = request.into_parts();
    let (method, url) = (head.method.to_string(), head.uri.to_string());
    let asked = OutgoingRequest { method, url, body: body.collect().await?.to_bytes() };
    let OutgoingResponse { status, body } = answer(&asked).ok_or(Error::HttpRequestDenied)?;
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    let response = Response::builder().status(status).body(body);
    // The only possible error is a status code out of range.
    Ok(done(response.map_err(|_| Error::HttpProtocolError)?))
}

/// Adds to a response the future of its connection, of which nothing is left to do.
fn done(response: Response<WasiBody>) -> (Response<WasiBody>, Exchange<()>) {
    (response, Box::new(std::future::ready(Ok(()))))
}
