//! The ByteStream service, which moves one blob per call, in pieces.

use std::pin::Pin;

use bazel_remote_apis::google::bytestream as proto;
use cache::Digest;
use proto::byte_stream_server::ByteStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::Services;
use super::request::exchange;
use super::resource::Resource;
use crate::blocking::blocking;
use crate::download::{Download, Wanted};
use crate::exchange::Exchange;
use crate::failure::Failure;
use crate::staging::{Expected, Staging};
use crate::upload::Upload;
use crate::uploads::Claim;

#[tonic::async_trait]
impl ByteStream for Services {
    type ReadStream = Pin<Box<dyn Stream<Item = Result<proto::ReadResponse, Status>> + Send>>;

    async fn read(
        &self,
        request: Request<proto::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let exchange = exchange(&request);
        let request = request.into_inner();
        let resource = Resource::to_read(&request.resource_name)?;
        self.check_instance(&resource.instance)?;
        let wanted = wanted(&request, &resource)?;
        let store = self.app.store.content().clone();
        let found = blocking(move || Download::open(&store, &wanted)).await;
        let found = found.map_err(|failure| Self::refuse(&exchange, failure))?;
        exchange.hit(found.is_some());
        let digest = resource.digest;
        let download = found.ok_or_else(|| Failure::NotFound(format!("blob {digest}")))?;
        let pieces = download.map(move |piece| {
            piece
                .map(|data| proto::ReadResponse { data: data.into() })
                .map_err(|failure| Self::refuse(&exchange, failure))
        });
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn write(
        &self,
        request: Request<Streaming<proto::WriteRequest>>,
    ) -> Result<Response<proto::WriteResponse>, Status> {
        let exchange = exchange(&request);
        let mut stream = request.into_inner();
        let written = self.take(&mut stream).await;
        let committed_size = written.map_err(|status| self.reject(&exchange, status))?;
        Ok(Response::new(proto::WriteResponse { committed_size }))
    }

    async fn query_write_status(
        &self,
        request: Request<proto::QueryWriteStatusRequest>,
    ) -> Result<Response<proto::QueryWriteStatusResponse>, Status> {
        let name = request.into_inner().resource_name;
        let resource = Resource::to_write(&name)?;
        self.check_instance(&resource.instance)?;
        let (size, complete) = if self.has(resource.digest).await? {
            (resource.digest.size(), true)
        } else {
            // Of an unknown upload nothing has arrived. `NOT_FOUND` would be allowed, but makes Bazel give up.
            (self.app.uploads.size(&name).unwrap_or(0), false)
        };
        let committed_size = size.cast_signed();
        Ok(Response::new(proto::QueryWriteStatusResponse { committed_size, complete }))
    }
}

/// The reason why an upload ended early: a failure of this server's making, or a status of the stream.
enum Ended {
    Failure(Failure),
    Stream(Status),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Services {
    fn reject(&self, exchange: &Exchange, ended: Ended) -> Status {
        match ended {
            Ended::Stream(status) => status,
            Ended::Failure(failure) => {
                self.app.metrics.rejected(&failure);
                Self::refuse(exchange, failure)
            }
        }
    }

    async fn has(&self, digest: Digest) -> Result<bool, Failure> {
        let store = self.app.store.clone();
        blocking(move || Ok(store.contains(&digest))).await
    }

    /// Takes an upload, and returns the size to report.
    async fn take(&self, stream: &mut Streaming<proto::WriteRequest>) -> Result<i64, Ended> {
        let missing = || Failure::Invalid("the request is empty".to_owned());
        let first = stream.message().await.map_err(Ended::Stream)?.ok_or_else(missing)?;
        let name = first.resource_name.clone();
        let resource = Resource::to_write(&name)?;
        self.check_instance(&resource.instance)?;
        self.app.check_size(resource.digest.size())?;
        if self.has(resource.digest).await? {
            let size = resource.digest.size().cast_signed();
            return Ok(if resource.compressed { -1 } else { size });
        }
        let claim = self.claim(&name, &resource, first.write_offset)?;
        let taken = self.take_pieces(stream, first, &claim, &resource).await;
        // After a broken stream, the client may come back for the rest. Any other end is final.
        if !matches!(&taken, Ok(Taken::Part(_)) | Err(Ended::Stream(_))) {
            self.app.uploads.forget(&name, &claim);
        }
        match taken? {
            Taken::Part(size) => Ok(size),
            Taken::Whole(size) => {
                self.app.stats.stored(resource.digest.size());
                Ok(size)
            }
        }
    }

    fn claim(&self, name: &str, resource: &Resource, offset: i64) -> Result<Claim, Failure> {
        let app = &self.app;
        let negative = |_| Failure::Invalid("the offset is negative".to_owned());
        match u64::try_from(offset).map_err(negative)? {
            0 => {
                let expected = Expected::Digest(resource.digest);
                let staging = Staging::new(app.store.content(), expected, app.max_blob);
                Ok(app.uploads.begin(name, Upload::new(staging, resource.compressed)?))
            }
            offset => app.uploads.resume(name, offset),
        }
    }

    async fn take_pieces(
        &self,
        stream: &mut Streaming<proto::WriteRequest>,
        first: proto::WriteRequest,
        claim: &Claim,
        resource: &Resource,
    ) -> Result<Taken, Ended> {
        let name = first.resource_name.clone();
        // The offsets of a compressed upload begin at a number of bytes before compression, and go on with bytes after it.
        let mut position = first.write_offset;
        let mut sent = 0;
        let mut next = Some(first);
        while let Some(piece) = next {
            check_piece(&piece, &name, position)?;
            position += i64::try_from(piece.data.len()).unwrap_or(i64::MAX);
            sent += piece.data.len() as u64;
            push(claim, piece.data).await?;
            if piece.finish_write {
                return self.finish(claim, resource, sent).await;
            }
            next = stream.message().await.map_err(Ended::Stream)?;
        }
        if claim.size() == resource.digest.size() {
            return self.finish(claim, resource, sent).await;
        }
        Ok(Taken::Part(claim.size().cast_signed()))
    }

    async fn finish(&self, claim: &Claim, resource: &Resource, sent: u64) -> Result<Taken, Ended> {
        let claim = claim.clone();
        blocking(move || claim.finish()).await?;
        let size = if resource.compressed { sent } else { resource.digest.size() };
        Ok(Taken::Whole(size.cast_signed()))
    }
}

/// The progress of an upload, with the size to report.
enum Taken {
    /// The client stopped before the end, and may go on later.
    Part(i64),
    Whole(i64),
}

async fn push(claim: &Claim, data: Vec<u8>) -> Result<(), Failure> {
    if claim.is_quick(data.len()) {
        return claim.push(&data);
    }
    let claim = claim.clone();
    blocking(move || claim.push(&data)).await
}

fn check_piece(piece: &proto::WriteRequest, name: &str, position: i64) -> Result<(), Failure> {
    if !piece.resource_name.is_empty() && piece.resource_name != name {
        return Err(Failure::Invalid("the resource name changed during the upload".to_owned()));
    }
    if piece.write_offset != position {
        let offset = piece.write_offset;
        let reason = format!("the piece at byte {offset} does not follow byte {position}");
        return Err(Failure::Invalid(reason));
    }
    Ok(())
}

fn wanted(request: &proto::ReadRequest, resource: &Resource) -> Result<Wanted, Failure> {
    let size = resource.digest.size();
    let invalid = |reason: &str| Failure::Invalid(reason.to_owned());
    let negative = |_| invalid("the offset or the limit is negative");
    let offset = u64::try_from(request.read_offset).map_err(negative)?;
    let limit = u64::try_from(request.read_limit).map_err(negative)?;
    if offset > size {
        return Err(Failure::OutOfRange(size));
    }
    if resource.compressed && limit > 0 {
        return Err(invalid("compressed blobs can't be read with a limit"));
    }
    let limit = (limit > 0).then_some(limit);
    Ok(Wanted { digest: resource.digest, offset, limit, compressed: resource.compressed })
}
