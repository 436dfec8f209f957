//! Takes the bodies of requests: as a blob, or as a small message in memory.

use std::io::Read as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use cache::Digest;
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use tonic::codegen::StdError;
use tonic::{Code, Status};

use crate::blocking::blocking;
use crate::failure::Failure;
use crate::front::RequestBody;
use crate::staging::Staging;
use crate::upload::Upload;

/// The number of bytes that are gathered before they are written. The network brings them in much smaller pieces.
const GATHERED: usize = 256 << 10;

/// The largest number of bytes that are read after a body was refused, and the longest pause between two of them.
const DRAINED: usize = 16 << 20;
const DRAINED_FOR: Duration = Duration::from_secs(2);

/// Takes a blob.
pub(super) async fn take_blob(
    body: &mut RequestBody,
    staging: Staging,
    is_compressed: bool,
) -> Result<Digest, Failure> {
    let mut upload = Upload::new(staging, is_compressed)?;
    let mut gathered = BytesMut::new();
    while let Some(piece) = next(body).await? {
        gathered.extend_from_slice(&piece);
        if gathered.len() >= GATHERED {
            let piece = gathered.split().freeze();
            upload = push(upload, piece).await?;
        }
    }
    upload = push(upload, gathered.freeze()).await?;
    blocking(move || upload.finish()).await
}

/// Takes a message of at most `limit` bytes.
pub(super) async fn take_message(
    body: &mut RequestBody,
    limit: u64,
    is_compressed: bool,
) -> Result<Vec<u8>, Failure> {
    let mut message = Vec::new();
    while let Some(piece) = next(body).await? {
        message.extend_from_slice(&piece);
        if message.len() as u64 > limit {
            return Err(Failure::TooLarge(limit));
        }
    }
    if !is_compressed {
        return Ok(message);
    }
    let broken = |error| Failure::Invalid(format!("the body is not valid zstd: {error}"));
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::new(&*message).map_err(broken)?;
    decoder.take(limit + 1).read_to_end(&mut plain).map_err(broken)?;
    if plain.len() as u64 > limit { Err(Failure::TooLarge(limit)) } else { Ok(plain) }
}

/// Reads the rest of a body that was refused, unless it is long. Over HTTP/1.1, a client that still sends when the connection
/// is closed may never see the answer.
pub(super) async fn drain(body: &mut RequestBody, failure: &Failure) {
    if matches!(failure, Failure::Slow | Failure::BrokenOff) {
        return;
    }
    let mut left = DRAINED;
    while let Ok(Ok(Some(piece))) = timeout(DRAINED_FOR, next(body)).await {
        left = left.saturating_sub(piece.len());
        if left == 0 {
            return;
        }
    }
}

async fn push(mut upload: Upload, piece: Bytes) -> Result<Upload, Failure> {
    if upload.is_quick(piece.len()) {
        upload.push(&piece)?;
        return Ok(upload);
    }
    blocking(move || upload.push(&piece).map(|()| upload)).await
}

async fn next(body: &mut RequestBody) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| broken_off(&error))?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn broken_off(error: &StdError) -> Failure {
    match error.downcast_ref::<Status>() {
        Some(status) if status.code() == Code::DeadlineExceeded => Failure::Slow,
        _ => Failure::BrokenOff,
    }
}
