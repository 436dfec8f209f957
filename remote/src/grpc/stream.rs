//! Large blobs, in streams (`ByteStream`). A stream that breaks goes on where it broke, if the server can do that, and
//! else from the start.

use std::sync::atomic::{AtomicU64, Ordering};

use bazel_remote_apis::google::bytestream::{
    QueryWriteStatusRequest, ReadRequest, WriteRequest, WriteResponse,
};
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::status::{failure, is_about_the_offset};
use super::{Grpc, name};
use crate::failure::Failure;
use crate::feed::{Feed, Piece};
use crate::progress::Progress;
use crate::random::uuid;
use crate::sink::{Intake, Sink};
use crate::transfer::{Answer, Transfer, Wanted};

impl Grpc {
    fn zstd_streams(&self) -> bool {
        self.known().is_some_and(|known| known.zstd)
    }

    /// Reads one blob into the store.
    pub(super) async fn read_stream(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(wanted) = transfer.open.values().next().cloned() else { return Ok(()) };
        let digest = wanted.digest;
        let intake = match transfer.received.take().filter(|_| !transfer.whole) {
            Some(intake) => intake,
            None => block_in_place(|| Intake::open(&wanted.store, &digest))?,
        };
        let offset = intake.received();
        let resumed = offset > 0;
        let mut sink = intake.sink(self.zstd_streams())?;
        let ended = self.receive(&wanted, offset, &mut sink, progress).await;
        let status = match ended {
            Ok(()) => None,
            Err(Stop::Status(status)) => Some(status),
            Err(Stop::Failure(failure)) => return self.restart(transfer, resumed, failure),
        };
        match status {
            None => match sink.end()?.finish() {
                Ok(()) => {
                    self.line.traffic.blobs_down.add(1);
                    transfer.answer(&digest, Answer::Done);
                    Ok(())
                }
                Err(failure) => self.restart(transfer, resumed, failure),
            },
            Some(status) if status.code() == Code::NotFound => {
                transfer.answer(&digest, Answer::Lacking);
                Ok(())
            }
            Some(status) if resumed && is_about_the_offset(status.code()) => {
                transfer.whole = true;
                Err(Failure::Unreachable("the stream can't go on in the middle".to_owned()))
            }
            Some(status) => {
                transfer.received = sink.end().ok();
                Err(failure(&status))
            }
        }
    }

    /// A stream that went on in the middle and came out wrong gets one more chance, from the start.
    fn restart(
        &self,
        transfer: &mut Transfer,
        resumed: bool,
        failure: Failure,
    ) -> Result<(), Failure> {
        if resumed && matches!(failure, Failure::Wrong(_)) {
            transfer.whole = true;
            return Err(Failure::Unreachable("the stream went on in a wrong place".to_owned()));
        }
        Err(failure)
    }

    async fn receive(
        &self,
        wanted: &Wanted,
        offset: u64,
        sink: &mut Sink,
        progress: &Progress,
    ) -> Result<(), Stop> {
        let request = ReadRequest {
            resource_name: name::read(&self.instance, &wanted.digest, self.zstd_streams()),
            read_offset: i64::try_from(offset).unwrap_or(i64::MAX),
            read_limit: 0,
        };
        let mut stream: Streaming<_> = self.streams().read(request).await?.into_inner();
        while let Some(message) = stream.message().await? {
            self.line.traffic.bytes_down.add(message.data.len() as u64);
            self.line.pace_down.pass(message.data.len(), progress).await;
            sink.take(&message.data, progress).map_err(Stop::Failure)?;
        }
        Ok(())
    }

    /// Sends one blob of the store.
    pub(super) async fn write_stream(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(wanted) = transfer.open.values().next().cloned() else { return Ok(()) };
        let digest = wanted.digest;
        let committed = match transfer.upload.take() {
            None => None,
            Some(resource) => self.committed(&resource).await?.map(|offset| (resource, offset)),
        };
        let (resource, offset) = match committed {
            Some((_, None)) => {
                transfer.answer(&digest, Answer::Done);
                return Ok(());
            }
            Some((resource, Some(offset))) => (resource, offset),
            None => (name::write(&self.instance, &digest, self.zstd_streams(), &uuid()), 0),
        };
        transfer.upload = Some(resource.clone());
        self.send(&wanted, resource, offset, progress).await?;
        self.line.traffic.blobs_up.add(1);
        transfer.answer(&digest, Answer::Done);
        Ok(())
    }

    /// Asks how much of an upload has arrived: some bytes (`Some(Some(_))`), all (`Some(None)`), or the server does not
    /// know (`None`).
    async fn committed(&self, resource: &str) -> Result<Option<Option<u64>>, Failure> {
        let request = QueryWriteStatusRequest { resource_name: resource.to_owned() };
        match self.streams().query_write_status(request).await {
            Ok(answer) => {
                let answer = answer.into_inner();
                let offset = u64::try_from(answer.committed_size).unwrap_or(0);
                Ok(Some(if answer.complete { None } else { Some(offset) }))
            }
            Err(status) => match failure(&status) {
                failure if failure.is_passing() => Err(failure),
                _ => Ok(None),
            },
        }
    }

    async fn send(
        &self,
        wanted: &Wanted,
        resource: String,
        offset: u64,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let zstd = self.zstd_streams();
        let feed = Feed::open(&wanted.store, &wanted.digest, zstd, offset)?;
        let (sender, receiver) = mpsc::channel(2);
        // What a complete stream has. Zero as long as the last piece was not sent.
        let complete = std::sync::Arc::new(AtomicU64::new(0));
        let seen = std::sync::Arc::clone(&complete);
        let requests = ReceiverStream::new(receiver).map(move |piece: Piece| {
            if piece.last {
                seen.store(piece.offset + piece.bytes.len() as u64, Ordering::Relaxed);
            }
            write_request(&resource, piece)
        });
        let mut streams = self.streams();
        let answer = tokio::select! {
            biased;
            answer = streams.write(requests) => answer,
            failure = feed.run(sender, &self.line, progress) => return Err(failure),
        };
        match answer {
            Ok(answer) => {
                let size = wanted.digest.size();
                check_committed(answer.get_ref(), size, complete.load(Ordering::Relaxed))
            }
            Err(status) if status.code() == Code::AlreadyExists => Ok(()),
            Err(status) => Err(failure(&status)),
        }
    }
}

/// The reason why a stream stopped.
enum Stop {
    Status(Status),
    Failure(Failure),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

fn write_request(resource: &str, piece: Piece) -> WriteRequest {
    WriteRequest {
        resource_name: resource.to_owned(),
        write_offset: i64::try_from(piece.offset).unwrap_or(i64::MAX),
        finish_write: piece.last,
        data: piece.bytes.into(),
    }
}

/// Checks that the server has taken all. An early answer (the blob was there already) names the blob's size; a compressed
/// stream may be answered with -1, its own size or the blob's.
fn check_committed(answer: &WriteResponse, size: u64, sent: u64) -> Result<(), Failure> {
    match u64::try_from(answer.committed_size) {
        Err(_) => Ok(()),
        Ok(committed) if committed == size || sent > 0 && committed == sent => Ok(()),
        Ok(committed) => {
            let text = format!("the server took {committed} of {size} bytes");
            Err(Failure::Unreachable(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_answers_to_a_complete_write_are_understood() {
        let check = |committed_size, sent, expect: bool| {
            let answer = WriteResponse { committed_size };
            assert_eq!(check_committed(&answer, 1000, sent).is_ok(), expect, "{committed_size}");
        };
        check(1000, 1000, true);
        check(1000, 0, true);
        check(-1, 300, true);
        check(300, 300, true);
        check(1000, 300, true);
        check(300, 0, false);
        check(0, 1000, false);
    }
}
