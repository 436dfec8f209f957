//! The plain HTTP protocol of Bazel: `/ac/<hash>` and `/cas/<hash>`, below any prefix. And the pages for people and monitoring.

mod bodies;
mod encoding;
mod objects;
mod route;

use std::sync::Arc;

use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use tonic::body::Body;

use crate::app::App;
use crate::blocking::blocking;
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::front::{RequestBody, empty};
use crate::page;
use route::Route;

/// Answers a request.
pub(crate) async fn answer(
    app: &Arc<App>,
    exchange: &Arc<Exchange>,
    request: Request<RequestBody>,
) -> Response<Body> {
    let is_put = request.method() == Method::PUT;
    let (head, mut body) = request.into_parts();
    let mut response = match dispatch(app, exchange, &head, &mut body).await {
        Ok(response) => response,
        Err(failure) => {
            exchange.failed(&failure);
            if is_put {
                app.metrics.rejected(&failure);
                bodies::drain(&mut body, &failure).await;
            }
            refusal(&failure)
        }
    };
    // This tells clients that they may compress what they send (RFC 9110, section 12.5.3).
    response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
    response
}

async fn dispatch(
    app: &Arc<App>,
    exchange: &Arc<Exchange>,
    head: &Parts,
    body: &mut RequestBody,
) -> Result<Response<Body>, Failure> {
    let route = Route::parse(head.uri.path());
    let is_put = head.method == Method::PUT;
    if !is_put && head.method != Method::GET && head.method != Method::HEAD {
        return Err(Failure::WrongMethod);
    }
    if route != Some(Route::Health) {
        let right = if is_put { exchange.rights.write } else { exchange.rights.read };
        right.check()?;
    }
    match route {
        None => Err(Failure::NotFound("this path".to_owned())),
        Some(Route::Blob(hash)) if is_put => objects::put_blob(app, hash, head, body).await,
        Some(Route::Blob(hash)) => objects::get_blob(app, exchange, hash, head).await,
        Some(Route::Action(hash)) if is_put => {
            objects::put_action(app, exchange, hash, head, body).await
        }
        Some(Route::Action(hash)) => objects::get_action(app, exchange, hash, head).await,
        Some(_) if is_put => Err(Failure::WrongMethod),
        Some(Route::Health) => Ok(health(app).await),
        Some(Route::Metrics) => Ok(text(StatusCode::OK, METRICS, app.metrics.encode())),
        Some(Route::Page) => {
            let authority = App::authority(&head.headers, &head.uri);
            Ok(text(StatusCode::OK, HTML, page::render(app, authority.as_deref())))
        }
    }
}

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Tells if the store can be written to.
async fn health(app: &Arc<App>) -> Response<Body> {
    let store = app.store.clone();
    let checked = blocking(move || {
        std::io::Write::write_all(&mut store.writer(false)?, b"ok")?;
        if store.is_out_of_space() { Err(Failure::Full) } else { Ok(()) }
    });
    match checked.await {
        Ok(()) => text(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        Err(failure) => text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{failure}\n")),
    }
}

fn refusal(failure: &Failure) -> Response<Body> {
    let status = failure.status_code();
    let mut response = text(status, PLAIN, format!("{failure}\n"));
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"cache\", charset=\"UTF-8\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
        headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, PUT"));
    }
    response
}

fn text(status: StatusCode, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, text.len().into());
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'");
    headers.insert("content-security-policy", policy);
    response.map(|_| Body::new(Full::from(text)))
}
