//! Asks a server what it can do, and reads its answer (`Capabilities.GetCapabilities`).

use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_client::CapabilitiesClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::{
    CacheCapabilities, GetCapabilitiesRequest, ServerCapabilities, compressor, digest_function,
};
use cache::DigestFunction;
use tonic::Code;

use super::Grpc;
use super::status::failure;
use crate::failure::Failure;
use crate::line::Doing;

/// The limit of batches where the server names none: that of a message of gRPC.
pub(super) const DEFAULT_BATCH: u64 = 4 << 20;

/// The largest batch that is made, whatever the server allows. More would not be faster.
const LARGEST_BATCH: u64 = 16 << 20;

/// The capabilities of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// The digest functions that both sides know.
    pub(crate) functions: Vec<DigestFunction>,
    /// The largest sum of the blobs in one batch.
    pub(super) batch_limit: u64,
    /// Streams may be zstd.
    pub(super) zstd: bool,
    /// Batches of uploads may be zstd.
    pub(super) zstd_batches: bool,
    /// The server says that it takes no results.
    pub(super) read_only: bool,
    /// The server says that it executes actions.
    pub(super) executes: bool,
}

impl Grpc {
    /// Asks the server what it can do, unless it has been asked before.
    pub(crate) async fn capabilities(&self) -> Result<(), Failure> {
        let ask = async || {
            let origin = self.channel.origin().clone();
            let mut client = CapabilitiesClient::with_origin(self.channel.clone(), origin);
            let request = GetCapabilitiesRequest { instance_name: self.instance.clone() };
            let said = match client.get_capabilities(request).await {
                Ok(said) => said.into_inner(),
                // A server that can't say it is one of the first ones.
                Err(status) if status.code() == Code::Unimplemented => {
                    ServerCapabilities::default()
                }
                Err(status) => return Err(failure(&status)),
            };
            let execution = said.execution_capabilities.unwrap_or_default();
            let known = Known {
                executes: execution.exec_enabled,
                ..Known::read(&said.cache_capabilities.unwrap_or_default())
            };
            if known.read_only && !self.line.uploads_off() && !self.line.is_for_execution() {
                self.line.turn_uploads_off();
                let refused = Failure::Refused("that it takes no results".to_owned());
                self.line.note(refused, Doing::Publish);
            }
            Ok(known)
        };
        self.known.get_or_try_init(ask).await.map(drop)
    }
}

impl Known {
    /// Reads what the server says. Values that this program has never heard of are none of its business.
    fn read(said: &CacheCapabilities) -> Self {
        let mut functions: Vec<DigestFunction> =
            said.digest_functions.iter().filter_map(|number| function(*number)).collect();
        if said.digest_functions.is_empty() {
            functions.push(DigestFunction::Sha256);
        }
        let limit = u64::try_from(said.max_batch_total_size_bytes).unwrap_or(0);
        let zstd = compressor::Value::Zstd as i32;
        let updates = said.action_cache_update_capabilities.as_ref();
        Self {
            functions,
            batch_limit: with_room(if limit == 0 {
                DEFAULT_BATCH
            } else {
                limit.min(LARGEST_BATCH)
            }),
            zstd: said.supported_compressors.contains(&zstd),
            zstd_batches: said.supported_batch_update_compressors.contains(&zstd),
            executes: false,
            read_only: updates.is_some_and(|updates| !updates.update_enabled),
        }
    }
}

/// Leaves a part of a limit free. buildbox-casd refuses batches that are less than 64 KiB below the 4 MiB that it allows.
const fn with_room(limit: u64) -> u64 {
    limit - limit / 32
}

fn function(number: i32) -> Option<DigestFunction> {
    match digest_function::Value::try_from(number).ok()? {
        digest_function::Value::Sha256 => Some(DigestFunction::Sha256),
        digest_function::Value::Blake3 => Some(DigestFunction::Blake3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_servers_are_understood() {
        let check = |functions: &[i32], limit, expect: &[DigestFunction], batch| {
            let said = CacheCapabilities {
                digest_functions: functions.to_vec(),
                max_batch_total_size_bytes: limit,
                supported_compressors: vec![77, 1],
                ..Default::default()
            };
            let known = Known::read(&said);
            assert_eq!((known.functions.as_slice(), known.batch_limit), (expect, with_room(batch)));
            assert!(known.zstd && !known.zstd_batches && !known.read_only);
        };
        use DigestFunction::{Blake3, Sha256};
        assert!(with_room(DEFAULT_BATCH) < DEFAULT_BATCH - (64 << 10));
        check(&[1], 0, &[Sha256], DEFAULT_BATCH);
        check(&[9, 1, 4711, -3], 65536, &[Blake3, Sha256], 65536);
        check(&[2, 3], -1, &[], DEFAULT_BATCH);
        check(&[], i64::MAX, &[Sha256], LARGEST_BATCH);
    }
}
