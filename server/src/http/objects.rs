//! Gets and puts blobs and results of actions.

use std::sync::Arc;

use cache::reapi::ActionResult;
use cache::{Digest, DigestFunction, DiskStore};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{Full, StreamBody};
use hyper::body::Frame;
use prost::Message as _;
use tokio_stream::StreamExt as _;
use tonic::Status;
use tonic::body::Body;

use super::{bodies, encoding};
use crate::actions::{self, ActionName};
use crate::app::App;
use crate::blocking::blocking;
use crate::download::{Download, Wanted, is_worth_packing};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::front::{RequestBody, empty};
use crate::staging::{Expected, Staging};
use crate::stats::Happened;

/// Blobs up to this size are sent as they are.
const WORTH_COMPRESSING: u64 = 1 << 10;

/// The largest action result that is accepted, in bytes.
const LARGEST_RESULT: u64 = 16 << 20;

pub(super) async fn get_blob(
    app: &Arc<App>,
    exchange: &Arc<Exchange>,
    hash: [u8; 32],
    head: &Parts,
) -> Result<Response<Body>, Failure> {
    let takes_zstd = encoding::takes_zstd(&head.headers);
    let is_head = head.method == Method::HEAD;
    let store = app.store.clone();
    let found = blocking(move || open(&store, &hash, takes_zstd && !is_head)).await?;
    exchange.hit(found.is_some());
    let (wanted, download) = found.ok_or_else(|| Failure::NotFound("this blob".to_owned()))?;
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    describe(headers, &wanted.digest, wanted.compressed);
    if let Some(length) = download.length(&wanted) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if is_head {
        return Ok(response);
    }
    let exchange = Arc::clone(exchange);
    let frames = download.map(move |piece| {
        piece.map(Frame::data).map_err(|failure| {
            exchange.failed(&failure);
            Status::from(failure)
        })
    });
    Ok(response.map(|_| Body::new(StreamBody::new(frames))))
}

pub(super) async fn put_blob(
    app: &Arc<App>,
    hash: [u8; 32],
    head: &Parts,
    body: &mut RequestBody,
) -> Result<Response<Body>, Failure> {
    let is_compressed = encoding::is_zstd(&head.headers)?;
    if let Some(length) = hyper::body::Body::size_hint(body).exact()
        && !is_compressed
    {
        app.check_size(length)?;
    }
    let store = app.store.clone();
    let known = blocking(move || find(&store, &hash)).await?;
    let expected = known.map_or(Expected::Hash(hash), Expected::Digest);
    let staging = Staging::new(app.store.content(), expected, app.max_blob);
    let digest = bodies::take_blob(body, staging, is_compressed).await?;
    app.stats.stored(digest.size());
    Ok(stored(&digest))
}

pub(super) async fn get_action(
    app: &Arc<App>,
    exchange: &Exchange,
    hash: [u8; 32],
    head: &Parts,
) -> Result<Response<Body>, Failure> {
    let store = app.store.clone();
    let found = blocking(move || actions::get(&store, ActionName::Hash(hash))).await?;
    exchange.hit(found.is_some());
    let missing = || Failure::NotFound("a result of this action".to_owned());
    let (key, result) = found.ok_or_else(missing)?;
    let body = result.encode_to_vec();
    app.stats.action(&exchange.client, Happened::Got, &key.hex(), body.len() as u64);
    let mut response = empty(StatusCode::OK);
    describe(response.headers_mut(), &key, false);
    response.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    if head.method == Method::HEAD {
        return Ok(response);
    }
    Ok(response.map(|_| Body::new(Full::from(body))))
}

pub(super) async fn put_action(
    app: &Arc<App>,
    exchange: &Exchange,
    hash: [u8; 32],
    head: &Parts,
    body: &mut RequestBody,
) -> Result<Response<Body>, Failure> {
    let is_compressed = encoding::is_zstd(&head.headers)?;
    let body = bodies::take_message(body, LARGEST_RESULT, is_compressed).await?;
    let broken = |error| Failure::Invalid(format!("the body is not an action result: {error}"));
    let result = ActionResult::decode(&*body).map_err(broken)?;
    let store = app.store.clone();
    let key = blocking(move || actions::put(&store, ActionName::Hash(hash), result)).await?;
    app.stats.action(&exchange.client, Happened::Put, &key.hex(), body.len() as u64);
    Ok(stored(&key))
}

/// Finds the blob with a hash that either function may have made.
fn find(store: &DiskStore, hash: &[u8; 32]) -> Result<Option<Digest>, Failure> {
    for function in [DigestFunction::Sha256, DigestFunction::Blake3] {
        if let Some(size) = store.blob_size(function, hash)? {
            return Ok(Some(Digest::new(function, *hash, size)));
        }
    }
    Ok(None)
}

/// Opens a blob, compressed if that makes it smaller.
fn open(
    store: &DiskStore,
    hash: &[u8; 32],
    takes_zstd: bool,
) -> Result<Option<(Wanted, Download)>, Failure> {
    let Some(digest) = find(store, hash)? else { return Ok(None) };
    let plain = Wanted::whole(digest, false);
    if takes_zstd && digest.size() > WORTH_COMPRESSING && is_worth_packing(store, &digest)? {
        let packed = Wanted::whole(digest, true);
        let Some(download) = Download::open(store, &packed)? else { return Ok(None) };
        if download.length(&packed).is_none_or(|length| length < digest.size()) {
            return Ok(Some((packed, download)));
        }
    }
    Ok(Download::open(store, &plain)?.map(|download| (plain, download)))
}

fn describe(headers: &mut HeaderMap, digest: &Digest, is_compressed: bool) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    // Compressed bytes are not the same bytes, so their tag is a weak one.
    let tag = if is_compressed { "W/" } else { "" };
    let tag = format!("{tag}\"{}\"", digest.hex());
    headers.insert(ETAG, tag.parse().expect("hexadecimal digits fit into a header"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    }
}

fn stored(digest: &Digest) -> Response<Body> {
    let mut response = empty(StatusCode::OK);
    let tag = format!("\"{}\"", digest.hex());
    let headers = response.headers_mut();
    headers.insert(ETAG, tag.parse().expect("hexadecimal digits fit into a header"));
    headers.insert(CONTENT_LENGTH, 0.into());
    response
}
