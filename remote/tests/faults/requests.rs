//! Harms requests.

use bazel_remote_apis::build::bazel::remote::execution::v2;
use bazel_remote_apis::google::bytestream::ReadRequest;
use http::Request;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use crate::dice::Dice;
use crate::exchange::{Body, Error, Exchange, whole};
use crate::fault::Fault;
use crate::frames;
use crate::op::{Op, Speaks};

/// Harms a request on its way to the server, if the fault is one of requests.
pub(crate) async fn harm(
    exchange: &Exchange,
    op: Op,
    request: Request<Body>,
    dice: &mut Dice,
) -> Result<Request<Body>, Error> {
    let is_batch = op == Op::ReadBatch;
    match (exchange.fault, exchange.speaks) {
        (Fault::OtherBlob | Fault::OtherResult, Speaks::Http) => {
            Ok(ask_other(exchange, request, dice))
        }
        (Fault::OtherBlob, _) if is_batch => Ok(request),
        (Fault::CutRequest | Fault::FlipInRequest | Fault::OtherBlob | Fault::OtherResult, _) => {
            change(exchange, request, dice).await
        }
        _ => Ok(request),
    }
}

/// Asks for another name.
fn ask_other(exchange: &Exchange, mut request: Request<Body>, dice: &mut Dice) -> Request<Body> {
    let path = request.uri().path();
    let (folder, hash) = path.rsplit_once('/').unwrap();
    let (other, _) = another(exchange, hash, dice);
    let path = format!("{folder}/{other}");
    *request.uri_mut() = path.parse().unwrap();
    request
}

fn another<'a>(exchange: &'a Exchange, hash: &str, dice: &mut Dice) -> &'a (String, u64) {
    let others: Vec<_> = exchange.others.iter().filter(|(other, _)| other != hash).collect();
    others[dice.below(others.len())]
}

async fn change(
    exchange: &Exchange,
    request: Request<Body>,
    dice: &mut Dice,
) -> Result<Request<Body>, Error> {
    let (mut head, body) = request.into_parts();
    let mut body = whole(body).await?;
    match exchange.fault {
        Fault::CutRequest => body.bytes.truncate(dice.below(body.bytes.len().max(1))),
        Fault::FlipInRequest => flip(&mut body.bytes, dice),
        Fault::OtherBlob => body.bytes = read_other(exchange, &body.bytes, dice),
        _ => body.bytes = other_result(exchange, &body.bytes, dice),
    }
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    Ok(Request::from_parts(head, body.into_body()))
}

/// Flips one bit.
pub(crate) fn flip(bytes: &mut [u8], dice: &mut Dice) {
    if !bytes.is_empty() {
        let at = dice.below(bytes.len());
        bytes[at] ^= 1 << dice.below(8);
    }
}

/// Changes the name of a blob that is read in a stream.
fn read_other(exchange: &Exchange, body: &[u8], dice: &mut Dice) -> Vec<u8> {
    frames::change(body, |request: &mut ReadRequest| {
        let mut parts: Vec<&str> = request.resource_name.rsplitn(3, '/').collect();
        let (other, size) = another(exchange, parts[1], dice);
        let size = size.to_string();
        (parts[0], parts[1]) = (&size, other);
        parts.reverse();
        request.resource_name = parts.join("/");
    })
}

fn other_result(exchange: &Exchange, body: &[u8], dice: &mut Dice) -> Vec<u8> {
    frames::change(body, |request: &mut v2::GetActionResultRequest| {
        let key = request.action_digest.clone().unwrap_or_default();
        let (hash, size) = another(exchange, &key.hash, dice).clone();
        let size_bytes = size.cast_signed();
        request.action_digest = Some(v2::Digest { hash, size_bytes });
    })
}
