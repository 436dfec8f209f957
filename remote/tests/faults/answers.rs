//! Harms answers, or gives others instead.

use std::sync::LazyLock;

use bazel_remote_apis::build::bazel::remote::execution::v2;
use bazel_remote_apis::google::{bytestream::ReadResponse, rpc};
use bytes::Bytes;
use cache::reapi;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::Frame;
use prost::Message as _;
use tonic::Code;

use crate::dice::Dice;
use crate::exchange::{Body, Error, Exchange, Whole, whole};
use crate::fault::Fault;
use crate::frames;
use crate::op::{Op, Speaks};
use crate::requests::flip;

/// The size of what a bomb unpacks to.
const BOMB: usize = 64 << 20;
/// The size of a head that is far too large.
const HUGE: usize = 1 << 20;
/// The pieces of an answer that does not end, of which a client should read only the first ones, and their number.
const PIECE: usize = 64 << 10;
const PIECES: usize = 8 << 10;

/// Returns the answer that the client gets without the server being asked, if the fault is of this kind.
pub(crate) fn instead(exchange: &Exchange, dice: &mut Dice) -> Option<Response<Body>> {
    let mut answer = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
    match exchange.fault {
        Fault::Status(status, wait) => {
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(wait) = wait {
                answer.headers_mut().insert("retry-after", HeaderValue::from_static(wait));
            }
            Some(answer)
        }
        Fault::Code(code) => Some(refused(code, dice)),
        Fault::HugeBody => Some(endless(exchange.speaks, dice)),
        _ => None,
    }
}

/// Answers a status of gRPC, either at once or after an empty body.
fn refused(code: Code, dice: &mut Dice) -> Response<Body> {
    let mut status = HeaderMap::new();
    status.insert("grpc-status", (code as i32).into());
    status.insert("grpc-message", HeaderValue::from_static("on%20purpose"));
    let at_once = dice.coin();
    let trailers = (!at_once).then(|| status.clone());
    let mut answer = Response::new(Whole { bytes: Vec::new(), trailers }.into_body());
    if at_once {
        *answer.headers_mut() = status;
    }
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    answer
}

/// Answers with a body that does not end before the client has had enough. In gRPC, it is a message of 4 GiB.
fn endless(speaks: Speaks, dice: &mut Dice) -> Response<Body> {
    let mut first = dice.bytes(PIECE);
    if speaks == Speaks::Grpc {
        first[..5].copy_from_slice(&[0, 255, 255, 255, 255]);
    }
    let piece = Bytes::from(dice.bytes(PIECE));
    let rest = std::iter::repeat_n(piece, PIECES);
    let pieces =
        std::iter::once(Bytes::from(first)).chain(rest).map(|bytes| Ok(Frame::data(bytes)));
    let mut answer = Response::new(StreamBody::new(tokio_stream::iter(pieces)).boxed_unsync());
    answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    answer
}

/// Harms an answer of the server, if the fault is one of answers.
pub(crate) async fn harm(
    exchange: &Exchange,
    op: Op,
    answer: Response<Body>,
    dice: &mut Dice,
) -> Result<Response<Body>, Error> {
    if !answer.status().is_success() {
        return Ok(answer);
    }
    let (mut head, body) = answer.into_parts();
    match exchange.fault {
        Fault::GoAway => {
            head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
            return Ok(Response::from_parts(head, body));
        }
        Fault::HugeHead => {
            static PAD: LazyLock<HeaderValue> =
                LazyLock::new(|| HeaderValue::from_str(&"x".repeat(HUGE)).unwrap());
            head.headers.insert("x-pad", PAD.clone());
            return Ok(Response::from_parts(head, body));
        }
        Fault::BlobsGone if exchange.speaks == Speaks::Http => {
            return Ok(Response::builder().status(404).body(body)?);
        }
        Fault::BlobsGone if op == Op::ReadBlob => return Ok(refused(Code::NotFound, dice)),
        _ => {}
    }
    let mut body = whole(body).await?;
    let length = body.bytes.len();
    if length > 0 {
        change(exchange, op, &mut head.headers, &mut body, dice);
    }
    if body.bytes.len() != length && !keeps_length(exchange.fault, dice) {
        head.headers.remove(CONTENT_LENGTH);
        head.headers.remove(TRANSFER_ENCODING);
    }
    Ok(Response::from_parts(head, body.into_body()))
}

/// A body that is cut sometimes breaks the promise of its head.
fn keeps_length(fault: Fault, dice: &mut Dice) -> bool {
    fault == Fault::CutAnswer && dice.coin()
}

fn change(exchange: &Exchange, op: Op, headers: &mut HeaderMap, body: &mut Whole, dice: &mut Dice) {
    let is_grpc = exchange.speaks == Speaks::Grpc;
    match exchange.fault {
        Fault::CutAnswer => {
            body.bytes.truncate(dice.below(body.bytes.len()));
            if dice.coin() {
                body.trailers = None;
            }
        }
        Fault::FlipInAnswer => flip(&mut body.bytes, dice),
        Fault::Garbage => body.bytes = garbage(is_grpc, dice),
        Fault::ForgedResult if is_grpc => body.bytes = frames::change(&body.bytes, forge),
        Fault::ForgedResult => {
            let mut result = reapi::ActionResult::decode(&*body.bytes).unwrap();
            forge(&mut result);
            body.bytes = result.encode_to_vec();
        }
        Fault::Bomb if !is_grpc => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
            body.bytes = bomb();
        }
        Fault::Bomb if op == Op::ReadBlob => {
            body.bytes = frames::framed(&ReadResponse { data: bomb() }.encode_to_vec());
        }
        Fault::Bomb | Fault::OtherBlob | Fault::BlobsGone if op == Op::ReadBatch => {
            let fault = exchange.fault;
            body.bytes = frames::change(&body.bytes, |batch| spoil(fault, batch, dice));
        }
        _ => {}
    }
}

fn garbage(is_grpc: bool, dice: &mut Dice) -> Vec<u8> {
    let length = dice.below(3000);
    let bytes = dice.bytes(length);
    if is_grpc && dice.coin() { frames::framed(&bytes) } else { bytes }
}

/// Names blobs that nobody has.
fn forge(result: &mut reapi::ActionResult) {
    let digest = cache::Digest::of(cache::DigestFunction::Blake3, b"nobody has this").to_reapi();
    for file in &mut result.output_files {
        file.digest = Some(digest.clone());
    }
    for directory in &mut result.output_directories {
        directory.root_directory_digest = Some(digest.clone());
    }
}

fn bomb() -> Vec<u8> {
    static PACKED: LazyLock<Vec<u8>> =
        LazyLock::new(|| zstd::bulk::compress(&vec![0; BOMB], 3).unwrap());
    PACKED.clone()
}

/// Spoils the blobs of a batch: all of them, or some that are lost.
fn spoil(fault: Fault, batch: &mut v2::BatchReadBlobsResponse, dice: &mut Dice) {
    let last = batch.responses.last().cloned().unwrap_or_default();
    let (mut data, mut compressor) = (last.data, last.compressor);
    for response in &mut batch.responses {
        match fault {
            Fault::Bomb => (response.data, response.compressor) = (bomb(), 1),
            Fault::OtherBlob => {
                std::mem::swap(&mut response.data, &mut data);
                std::mem::swap(&mut response.compressor, &mut compressor);
            }
            _ if dice.coin() => {
                let code = Code::NotFound as i32;
                response.status = Some(rpc::Status { code, ..Default::default() });
                response.data.clear();
            }
            _ => {}
        }
    }
    if fault == Fault::OtherBlob && batch.responses.len() == 1 {
        batch.responses[0].data.push(0);
    }
}
