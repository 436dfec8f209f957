//! The network through which outgoing HTTP requests go.

use std::time::Duration;

use http_body_util::{BodyDataStream, BodyExt as _};
use hyper::{Request, Response};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use crate::patient::Patient;

/// The time that a request may take if the component says nothing about it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sends HTTP requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Network {
    client: reqwest::Client,
}

impl Network {
    /// Makes a network of a client, which decides about proxies and certificates. It should follow no redirects, because
    /// a component is granted hosts and a redirect leads elsewhere.
    #[must_use]
    pub fn new(client: reqwest::Client) -> Self {
        Self { client }
    }

    /// Sends a request and waits for the head of the response. Trailers are dropped.
    pub(crate) async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<WasiBody>, Error> {
        let options = options.unwrap_or_default();
        let between = options.between_bytes_timeout.unwrap_or(PATIENCE);
        let wait = options
            .connect_timeout
            .unwrap_or(PATIENCE)
            .saturating_add(options.first_byte_timeout.unwrap_or(PATIENCE));
        let request = request.map(|body| reqwest::Body::wrap_stream(BodyDataStream::new(body)));
        let request =
            reqwest::Request::try_from(request).map_err(|_| Error::HttpRequestUriInvalid)?;
        let response = tokio::time::timeout(wait, self.client.execute(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| translate(&error))?;
        let response = Response::<reqwest::Body>::from(response);
        Ok(response.map(|body| Patient::new(body, between).map_err(broken_off).boxed_unsync()))
    }
}

/// Translates the error of a body.
fn broken_off(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<reqwest::Error>() {
        Ok(error) => translate(&error),
        Err(_) => Error::ConnectionReadTimeout,
    }
}

/// Translates the error of a request. WASI has few words for it.
fn translate(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let words = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match () {
        () if words.contains("dns error") => {
            Error::DnsError { rcode: Some(words), info_code: None }
        }
        () if words.contains("certificate") => Error::TlsCertificateError,
        () if error.is_connect() => Error::ConnectionRefused,
        () if error.is_body() || error.is_decode() => Error::HttpResponseIncomplete,
        () => Error::InternalError(Some(words)),
    }
}
