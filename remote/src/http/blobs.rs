//! Blobs over HTTP: one request for each, several at once.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use cache::Digest;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use reqwest::{Body, Response};
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::{Http, answer};
use crate::failure::Failure;
use crate::feed::Feed;
use crate::progress::Progress;
use crate::protocol::WHOLE;
use crate::sink::{Intake, pack};
use crate::transfer::{Answer, Transfer, Wanted};

/// A blob of at most this size is sent without asking whether the server has it.
const CHEAP: u64 = 64 << 10;

impl Http {
    /// Asks for large blobs. Small ones count as missing, because sending them costs as much as asking.
    pub(crate) async fn missing(&self, transfer: &mut Transfer) -> Result<(), Failure> {
        while let Some(wanted) = transfer.open.values().next().cloned() {
            let digest = wanted.digest;
            let mut answer = Answer::Lacking;
            if wanted.ask || digest.size() > CHEAP {
                let response = self.send(self.client.head(self.blob_url(&digest))).await?;
                if response.status().as_u16() == 405 {
                    // The server knows GET and PUT only.
                    transfer.answer(&digest, answer);
                    continue;
                }
                if answer::check(response).await?.is_some() {
                    answer = Answer::Done;
                }
            }
            transfer.answer(&digest, answer);
        }
        Ok(())
    }

    /// Reads blobs into the store.
    pub(crate) async fn download(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        while let Some(wanted) = transfer.open.values().next().cloned() {
            let request = self.client.get(self.blob_url(&wanted.digest));
            let response = self.send(request.header(ACCEPT_ENCODING, "zstd")).await?;
            let answer = match answer::check(response).await? {
                None => Answer::Lacking,
                Some(response) => {
                    self.receive(&wanted, response, progress).await?;
                    Answer::Done
                }
            };
            transfer.answer(&wanted.digest, answer);
        }
        Ok(())
    }

    async fn receive(
        &self,
        wanted: &Wanted,
        mut response: Response,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let zstd = answer::is_zstd(response.headers())?;
        let intake = block_in_place(|| Intake::open(&wanted.store, &wanted.digest))?;
        let mut sink = intake.sink(zstd)?;
        while let Some(chunk) = response.chunk().await.map_err(answer::failure)? {
            self.line.traffic.bytes_down.add(chunk.len() as u64);
            self.line.pace_down.pass(chunk.len(), progress).await;
            sink.take(&chunk, progress)?;
        }
        sink.end()?.finish()?;
        self.line.traffic.blobs_down.add(1);
        Ok(())
    }

    /// Sends blobs of the store.
    pub(crate) async fn upload(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        while let Some(wanted) = transfer.open.values().next().cloned() {
            let zstd = self.takes_zstd.load(Ordering::Relaxed);
            if wanted.digest.size() <= WHOLE {
                self.send_whole(&wanted, zstd, progress).await?;
            } else {
                self.send_pieces(&wanted, zstd, progress).await?;
            }
            self.line.traffic.blobs_up.add(1);
            transfer.answer(&wanted.digest, Answer::Done);
        }
        Ok(())
    }

    async fn send_whole(
        &self,
        wanted: &Wanted,
        zstd: bool,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let digest = &wanted.digest;
        let bytes = block_in_place(|| wanted.store.get(digest))?;
        let bytes = bytes.ok_or(Failure::Lacking(*digest))?;
        let packed = if zstd { pack(&bytes) } else { None };
        let mut request = self.client.put(self.blob_url(digest));
        if packed.is_some() {
            request = request.header(CONTENT_ENCODING, "zstd");
        }
        let body = packed.unwrap_or(bytes);
        self.line.pace_up.pass(body.len(), progress).await;
        self.line.traffic.bytes_up.add(body.len() as u64);
        let response = self.send(request.body(body)).await?;
        self.taken(response).await
    }

    async fn send_pieces(
        &self,
        wanted: &Wanted,
        zstd: bool,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let feed = Feed::open(&wanted.store, &wanted.digest, zstd, 0)?;
        let (sender, receiver) = mpsc::channel(2);
        let request = self.put_stream(&wanted.digest, zstd, receiver);
        let sent = async { self.taken(self.send(request).await?).await };
        tokio::select! {
            biased;
            sent = sent => sent,
            failure = feed.run(sender, &self.line, progress) => Err(failure),
        }
    }

    fn put_stream(
        &self,
        digest: &Digest,
        zstd: bool,
        receiver: mpsc::Receiver<crate::feed::Piece>,
    ) -> reqwest::RequestBuilder {
        let pieces = ReceiverStream::new(receiver);
        let body = Body::wrap_stream(pieces.map(|piece| Ok::<Bytes, std::io::Error>(piece.bytes)));
        let request = self.client.put(self.blob_url(digest)).body(body);
        if zstd {
            request.header(CONTENT_ENCODING, "zstd")
        } else {
            request.header(CONTENT_LENGTH, digest.size())
        }
    }
}
