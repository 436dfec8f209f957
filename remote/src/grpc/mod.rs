//! The Remote Execution API over gRPC: capabilities, blobs, results, and executions (`execution`).
//!
//! Servers differ in what they offer (`capabilities`). Small blobs travel in batches (`batch`), which are cut to the
//! server's limit (`split`), and large ones in streams that can go on after a break (`stream`).

mod batch;
mod capabilities;
mod channel;
mod execution;
mod name;
mod results;
mod split;
mod status;
mod stream;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_client::ActionCacheClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_client::ContentAddressableStorageClient;
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use tokio::sync::OnceCell;

use self::capabilities::Known;
use self::channel::Channel;
pub(crate) use self::execution::{News, Operations};
use self::split::{fits_batch, leading};
use crate::failure::Failure;
use crate::line::Line;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::tls::SetupError;
use crate::transfer::{Transfer, Wanted};

/// The number of batches and streams that are under way at once. They share one connection.
pub(crate) const SLOTS: usize = 6;

/// The number of digests in one request for missing blobs. Each takes some 80 bytes, so a request stays below 2 MiB.
pub(crate) const QUESTIONS: usize = 20_000;

/// The largest message that is taken from a server. It is above all limits of batches that servers have.
const MAX_MESSAGE: usize = 64 << 20;

/// The protocol, with its connection to one server.
pub(crate) struct Grpc {
    channel: Channel,
    instance: String,
    line: Arc<Line>,
    known: OnceCell<Known>,
}

impl Grpc {
    /// Checks that a client can be set up.
    pub(crate) fn check(settings: &Settings) -> Result<(), SetupError> {
        Channel::check(settings)
    }

    /// Sets up the client. Nothing is connected.
    pub(crate) fn new(settings: &Settings, line: Arc<Line>) -> Result<Self, SetupError> {
        let channel = Channel::new(settings, Arc::clone(&line))?;
        Ok(Self { channel, instance: settings.instance.clone(), line, known: OnceCell::new() })
    }

    /// Returns the instance that the server is asked for.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// Returns what the server can do, if it was asked.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.known.get()
    }

    /// Returns how many of the first blobs go in one call: a batch of small ones, or one large one.
    pub(crate) fn fitting(&self, queue: &VecDeque<Wanted>) -> usize {
        leading(queue.iter().map(|wanted| wanted.digest.size()), self.batch_limit())
    }

    /// Tells if the transfer has one blob that is too large for a batch.
    pub(crate) fn is_stream(&self, transfer: &Transfer) -> bool {
        transfer.open.keys().any(|digest| !fits_batch(digest.size(), self.batch_limit()))
    }

    /// Reads blobs into the store.
    pub(crate) async fn download(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        if self.is_stream(transfer) {
            self.read_stream(transfer, progress).await
        } else {
            self.read_batch(transfer, progress).await
        }
    }

    /// Sends blobs of the store.
    pub(crate) async fn upload(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        if self.is_stream(transfer) {
            self.write_stream(transfer, progress).await
        } else {
            self.write_batch(transfer, progress).await
        }
    }

    fn batch_limit(&self) -> u64 {
        self.known.get().map_or(capabilities::DEFAULT_BATCH, |known| known.batch_limit)
    }

    fn blobs(&self) -> ContentAddressableStorageClient<Channel> {
        let origin = self.channel.origin().clone();
        ContentAddressableStorageClient::with_origin(self.channel.clone(), origin)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE)
    }

    fn streams(&self) -> ByteStreamClient<Channel> {
        let origin = self.channel.origin().clone();
        ByteStreamClient::with_origin(self.channel.clone(), origin)
            .max_decoding_message_size(MAX_MESSAGE)
    }

    fn results(&self) -> ActionCacheClient<Channel> {
        let origin = self.channel.origin().clone();
        ActionCacheClient::with_origin(self.channel.clone(), origin)
            .max_decoding_message_size(MAX_MESSAGE)
    }
}
