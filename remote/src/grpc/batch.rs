//! Small blobs, many in one message (`ContentAddressableStorage`).

use std::collections::BTreeSet;

use bazel_remote_apis::build::bazel::remote::execution::v2::{
    self, batch_read_blobs_response as read, batch_update_blobs_request as update, compressor,
};
use cache::{Digest, DigestFunction};
use tokio::task::block_in_place;
use tonic::Code;

use super::status::{failure, of_blob};
use super::{Grpc, wire};
use crate::failure::Failure;
use crate::line::Doing;
use crate::progress::Progress;
use crate::sink::{pack, unpack};
use crate::transfer::{Answer, Transfer};

const ZSTD: i32 = compressor::Value::Zstd as i32;

/// A blob of less than this is not worth packing.
const PACKED: usize = 1024;

impl Grpc {
    /// Asks which blobs the server lacks.
    pub(crate) async fn missing(&self, transfer: &mut Transfer) -> Result<(), Failure> {
        let Some(function) = function_of(transfer) else { return Ok(()) };
        let request = v2::FindMissingBlobsRequest {
            instance_name: self.instance.clone(),
            blob_digests: transfer.open.keys().map(wire::digest).collect(),
            digest_function: wire::function(function),
        };
        let answer = self.blobs().find_missing_blobs(request).await;
        let missing = answer.map_err(|status| failure(&status))?.into_inner().missing_blob_digests;
        let read = |digest| {
            let digest = wire::read_digest(function, Some(digest));
            digest.filter(|digest| transfer.open.contains_key(digest))
        };
        let missing: Option<BTreeSet<Digest>> = missing.iter().map(read).collect();
        // Nobody knows which blob is meant, and one that is missing must not count as there.
        let unknown = || Failure::Rejected("blobs that were not asked for".to_owned());
        let missing = missing.ok_or_else(unknown)?;
        let asked: Vec<Digest> = transfer.open.keys().copied().collect();
        for digest in asked {
            let lacks = missing.contains(&digest);
            transfer.answer(&digest, if lacks { Answer::Lacking } else { Answer::Done });
        }
        Ok(())
    }

    /// Reads a batch of blobs into the store.
    pub(super) async fn read_batch(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(function) = function_of(transfer) else { return Ok(()) };
        let zstd = self.known().is_some_and(|known| known.zstd || known.zstd_batches);
        let request = v2::BatchReadBlobsRequest {
            instance_name: self.instance.clone(),
            digests: transfer.open.keys().map(wire::digest).collect(),
            acceptable_compressors: if zstd { vec![ZSTD] } else { Vec::new() },
            digest_function: wire::function(function),
        };
        let answer = self.blobs().batch_read_blobs(request).await;
        let answer = answer.map_err(|status| failure(&status))?.into_inner();
        let received: usize = answer.responses.iter().map(|response| response.data.len()).sum();
        self.line.traffic.bytes_down.add(received as u64);
        let passing = block_in_place(|| self.store_all(function, answer.responses, transfer));
        self.line.pace_down.pass(received, progress).await;
        passing.map_or(Ok(()), Err)
    }

    /// Stores what came, in any order. Returns a failure that may pass, if a blob has one.
    fn store_all(
        &self,
        function: DigestFunction,
        responses: Vec<read::Response>,
        transfer: &mut Transfer,
    ) -> Option<Failure> {
        let mut passing = None;
        for response in responses {
            let digest = wire::read_digest(function, response.digest.as_ref());
            let Some(digest) = digest else { continue };
            match self.store_one(&digest, response, transfer) {
                Ok(answer) => transfer.answer(&digest, answer),
                Err(failure) if failure.is_passing() => passing = Some(failure),
                Err(failure) => transfer.fail(&digest, failure, Doing::Download, &self.line),
            }
        }
        passing
    }

    fn store_one(
        &self,
        digest: &Digest,
        response: read::Response,
        transfer: &Transfer,
    ) -> Result<Answer, Failure> {
        match of_blob(response.status.as_ref()) {
            Err((Code::NotFound, _)) => return Ok(Answer::Lacking),
            Err((_, failure)) => return Err(failure),
            Ok(()) => {}
        }
        // Blobs that nobody asked for are not stored.
        let Some(wanted) = transfer.open.get(digest) else { return Ok(Answer::Failed) };
        let bytes = match response.compressor {
            ZSTD => unpack(&response.data, digest.size()).ok_or(Failure::Wrong(*digest))?,
            _ => response.data,
        };
        if !wanted.store.put_as(digest, &bytes)? {
            return Err(Failure::Wrong(*digest));
        }
        self.line.traffic.blobs_down.add(1);
        Ok(Answer::Done)
    }

    /// Sends a batch of the store's blobs.
    pub(super) async fn write_batch(
        &self,
        transfer: &mut Transfer,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(function) = function_of(transfer) else { return Ok(()) };
        let requests = block_in_place(|| self.load_all(transfer));
        if requests.is_empty() {
            return Ok(());
        }
        let sent: usize = requests.iter().map(|request| request.data.len()).sum();
        self.line.pace_up.pass(sent, progress).await;
        self.line.traffic.bytes_up.add(sent as u64);
        let request = v2::BatchUpdateBlobsRequest {
            instance_name: self.instance.clone(),
            requests,
            digest_function: wire::function(function),
        };
        let answer = self.blobs().batch_update_blobs(request).await;
        let answer = answer.map_err(|status| failure(&status))?.into_inner();
        let mut failed = None;
        for response in answer.responses {
            let digest = wire::read_digest(function, response.digest.as_ref());
            let Some(digest) = digest else { continue };
            match of_blob(response.status.as_ref()) {
                Ok(()) | Err((Code::AlreadyExists, _)) => {
                    self.line.traffic.blobs_up.add(1);
                    transfer.answer(&digest, Answer::Done);
                }
                Err((_, failure @ Failure::Rejected(_))) => {
                    transfer.fail(&digest, failure, Doing::Upload, &self.line);
                }
                Err((_, failure)) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Reads the blobs to send. What the store lacks has failed.
    fn load_all(&self, transfer: &mut Transfer) -> Vec<update::Request> {
        let zstd = self.known().is_some_and(|known| known.zstd_batches);
        let mut requests = Vec::new();
        let wanted: Vec<_> = transfer.open.values().cloned().collect();
        for wanted in wanted {
            let digest = wanted.digest;
            let data = match wanted.store.get(&digest) {
                Ok(Some(data)) => data,
                Ok(None) => {
                    let lacking = Failure::Lacking(digest);
                    transfer.fail(&digest, lacking, Doing::Upload, &self.line);
                    continue;
                }
                Err(error) => {
                    transfer.fail(&digest, error.into(), Doing::Upload, &self.line);
                    continue;
                }
            };
            let packed = if zstd && data.len() >= PACKED { pack(&data) } else { None };
            requests.push(update::Request {
                digest: Some(wire::digest(&digest)),
                compressor: if packed.is_some() { ZSTD } else { 0 },
                data: packed.unwrap_or(data),
            });
        }
        requests
    }
}

/// Returns the function of the transfer's digests. A build has one.
fn function_of(transfer: &Transfer) -> Option<DigestFunction> {
    transfer.open.keys().next().map(Digest::function)
}
