//! A small server of the Remote Execution API, over the services of `bazel-remote-apis`.

use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_server::{
    ActionCache, ActionCacheServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_server::{
    Capabilities, CapabilitiesServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_server::{
    ContentAddressableStorage, ContentAddressableStorageServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::execution_server::ExecutionServer;
use bazel_remote_apis::build::bazel::remote::execution::v2::{self as api, *};
use bazel_remote_apis::google::bytestream::byte_stream_server::{ByteStream, ByteStreamServer};
use bazel_remote_apis::google::bytestream::*;
use bazel_remote_apis::google::longrunning::operations_server::OperationsServer;
use bazel_remote_apis::google::rpc;
use prost::Message as _;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

use super::server::{Fault, Op, Shared, spoil};

#[derive(Clone)]
pub(super) struct Services(pub(super) Arc<Shared>);

type Answer<T> = Result<Response<T>, Status>;
type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

pub(super) fn serve(listener: TcpListener, shared: Arc<Shared>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let services = Services(shared);
            let blobs = ContentAddressableStorageServer::new(services.clone());
            tonic::transport::Server::builder()
                .add_service(CapabilitiesServer::new(services.clone()))
                .add_service(ActionCacheServer::new(services.clone()))
                .add_service(ExecutionServer::new(services.clone()))
                .add_service(OperationsServer::new(services.clone()))
                .add_service(ByteStreamServer::new(services))
                .add_service(blobs.max_decoding_message_size(8 << 20))
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
    });
}

fn status(code: u16) -> Status {
    let code = match code {
        401 => Code::Unauthenticated,
        403 | 405 => Code::PermissionDenied,
        404 => Code::NotFound,
        400 => Code::InvalidArgument,
        429 => Code::ResourceExhausted,
        503 => Code::Unavailable,
        _ => Code::Internal,
    };
    Status::new(code, "no")
}

impl Services {
    async fn enter(&self, op: Op, line: String) -> Result<Option<Fault>, Status> {
        self.0.note(line);
        match self.0.fault(op) {
            Some(Fault::Status(code)) => Err(status(code)),
            Some(Fault::Silence) => {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(None)
            }
            fault => Ok(fault),
        }
    }

    fn blob(&self, hash: &str) -> Option<Vec<u8>> {
        self.0.blobs.lock().unwrap().get(hash).cloned()
    }

    fn put(&self, hash: &str, bytes: Vec<u8>) -> Result<(), Status> {
        let functions = cache::DigestFunction::ALL;
        if !functions.iter().any(|of| cache::Digest::of(*of, &bytes).hex() == *hash) {
            // Some servers say this instead of INVALID_ARGUMENT.
            return Err(Status::internal("the digest is wrong"));
        }
        self.0.blobs.lock().unwrap().insert(hash.to_owned(), bytes);
        Ok(())
    }
}

#[tonic::async_trait]
impl Capabilities for Services {
    async fn get_capabilities(
        &self,
        _: Request<GetCapabilitiesRequest>,
    ) -> Answer<ServerCapabilities> {
        self.enter(Op::Any, "capabilities".to_owned()).await?;
        let odd = self.0.odd();
        let compressors = if odd.zstd { vec![99, 1] } else { Vec::new() };
        Ok(Response::new(ServerCapabilities {
            cache_capabilities: Some(CacheCapabilities {
                digest_functions: odd.functions,
                max_batch_total_size_bytes: odd.batch_limit,
                supported_compressors: compressors.clone(),
                supported_batch_update_compressors: compressors,
                action_cache_update_capabilities: Some(ActionCacheUpdateCapabilities {
                    update_enabled: odd.update_enabled,
                }),
                ..Default::default()
            }),
            execution_capabilities: Some(ExecutionCapabilities {
                exec_enabled: odd.executes,
                ..Default::default()
            }),
            ..Default::default()
        }))
    }
}

#[tonic::async_trait]
impl ActionCache for Services {
    async fn get_action_result(
        &self,
        request: Request<GetActionResultRequest>,
    ) -> Answer<ActionResult> {
        if let Some(value) = request.metadata().get("x-token") {
            self.0.note(format!("token {}", value.to_str().unwrap()));
        }
        let hash = request.into_inner().action_digest.unwrap().hash;
        self.enter(Op::ReadResult, format!("GET ac/{hash}")).await?;
        let found = self.0.results.lock().unwrap().get(&hash).cloned();
        let bytes = found.ok_or_else(|| Status::not_found("no result"))?;
        Ok(Response::new(ActionResult::decode(&*bytes).unwrap()))
    }

    async fn update_action_result(
        &self,
        request: Request<UpdateActionResultRequest>,
    ) -> Answer<ActionResult> {
        let request = request.into_inner();
        assert_eq!(request.instance_name, "main");
        let hash = request.action_digest.unwrap().hash;
        self.enter(Op::WriteResult, format!("PUT ac/{hash}")).await?;
        let result = request.action_result.unwrap();
        self.0.results.lock().unwrap().insert(hash, result.encode_to_vec());
        Ok(Response::new(result))
    }
}

#[tonic::async_trait]
impl ContentAddressableStorage for Services {
    async fn find_missing_blobs(
        &self,
        request: Request<FindMissingBlobsRequest>,
    ) -> Answer<FindMissingBlobsResponse> {
        let fault = self.enter(Op::Missing, "missing".to_owned()).await?;
        let mut missing = request.into_inner().blob_digests;
        let forgetful = self.0.odd().forgetful;
        missing.retain(|digest| forgetful || self.blob(&digest.hash).is_none());
        if let (Some(Fault::Other), Some(first)) = (fault, missing.first_mut()) {
            first.hash = "ab".repeat(32);
        }
        Ok(Response::new(FindMissingBlobsResponse { missing_blob_digests: missing }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<BatchUpdateBlobsRequest>,
    ) -> Answer<BatchUpdateBlobsResponse> {
        self.enter(Op::WriteBlob, "batch update".to_owned()).await?;
        let requests = request.into_inner().requests;
        let total: usize = requests.iter().map(|request| request.data.len()).sum();
        check_batch(self.0.odd().batch_limit, total)?;
        let mut responses: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let digest = request.digest.unwrap();
                self.0.note(format!("PUT cas/{}", digest.hash));
                let data = match request.compressor {
                    1 => zstd::stream::decode_all(&*request.data).unwrap(),
                    _ => request.data,
                };
                let status = self.put(&digest.hash, data).err().map(|status| rpc::Status {
                    code: status.code() as i32,
                    message: status.message().to_owned(),
                    details: Vec::new(),
                });
                batch_update_blobs_response::Response { digest: Some(digest), status }
            })
            .collect();
        if self.0.odd().reverse {
            responses.reverse();
        }
        Ok(Response::new(BatchUpdateBlobsResponse { responses }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<BatchReadBlobsRequest>,
    ) -> Answer<BatchReadBlobsResponse> {
        let fault = self.enter(Op::ReadBlob, "batch read".to_owned()).await?;
        if matches!(fault, Some(Fault::Dribble | Fault::Broken)) {
            return Err(Status::unavailable("broken"));
        }
        let request = request.into_inner();
        let zstd = request.acceptable_compressors.contains(&1);
        let mut responses = Vec::new();
        let mut total = 0;
        for digest in request.digests {
            self.0.note(format!("GET cas/{}", digest.hash));
            let Some(data) = self.blob(&digest.hash) else {
                let code = Code::NotFound as i32;
                let status = Some(rpc::Status { code, ..Default::default() });
                responses.push(batch_read_blobs_response::Response {
                    digest: Some(digest),
                    status,
                    ..Default::default()
                });
                continue;
            };
            total += data.len();
            let spoilt = spoil(fault, &data);
            let packs = zstd && self.0.odd().zstd && fault != Some(Fault::Bomb);
            let data = if packs { zstd::bulk::compress(&spoilt, 3).unwrap() } else { spoilt };
            let compressor = i32::from(packs || fault == Some(Fault::Bomb));
            let status = Some(rpc::Status::default());
            let digest = Some(digest);
            responses.push(batch_read_blobs_response::Response {
                digest,
                data,
                compressor,
                status,
            });
        }
        check_batch(self.0.odd().batch_limit, total)?;
        if self.0.odd().reverse {
            responses.reverse();
        }
        Ok(Response::new(BatchReadBlobsResponse { responses }))
    }

    type GetTreeStream = Replies<GetTreeResponse>;

    async fn get_tree(&self, _: Request<GetTreeRequest>) -> Answer<Self::GetTreeStream> {
        Err(Status::unimplemented(""))
    }

    async fn split_blob(&self, _: Request<SplitBlobRequest>) -> Answer<SplitBlobResponse> {
        Err(Status::unimplemented(""))
    }

    async fn splice_blob(&self, _: Request<SpliceBlobRequest>) -> Answer<SpliceBlobResponse> {
        Err(Status::unimplemented(""))
    }

    type GetChunkMappingStream = Replies<GetChunkMappingResponse>;

    async fn get_chunk_mapping(
        &self,
        _: Request<GetChunkMappingRequest>,
    ) -> Answer<Self::GetChunkMappingStream> {
        Err(Status::unimplemented(""))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<Streaming<RegisterChunkMappingRequest>>,
    ) -> Answer<api::RegisterChunkMappingResponse> {
        Err(Status::unimplemented(""))
    }
}

fn check_batch(limit: i64, total: usize) -> Result<(), Status> {
    let limit = if limit == 0 { 4 << 20 } else { usize::try_from(limit).unwrap() };
    if total > limit { Err(Status::invalid_argument("the batch is too large")) } else { Ok(()) }
}

/// The hash in a resource name, and whether the blob goes compressed.
fn resource(name: &str) -> (String, bool) {
    let parts: Vec<&str> = name.split('/').collect();
    (parts[parts.len() - 2].to_owned(), name.contains("compressed-blobs/zstd"))
}

#[tonic::async_trait]
impl ByteStream for Services {
    type ReadStream = Replies<ReadResponse>;

    async fn read(&self, request: Request<ReadRequest>) -> Answer<Self::ReadStream> {
        let request = request.into_inner();
        let (hash, compressed) = resource(&request.resource_name);
        let offset = usize::try_from(request.read_offset).unwrap();
        let line = format!("GET cas/{hash} at {}", if offset > 0 { "middle" } else { "start" });
        let fault = self.enter(Op::ReadBlob, line).await?;
        if offset > 0 && self.0.odd().no_offsets {
            return Err(Status::unimplemented("no offsets"));
        }
        let bytes = self.blob(&hash).ok_or_else(|| Status::not_found("no blob"))?;
        let mut bytes = spoil(fault, &bytes[offset..]);
        if compressed && fault != Some(Fault::Bomb) {
            bytes = zstd::bulk::compress(&bytes, 3).unwrap();
        }
        let mut pieces: Vec<Result<ReadResponse, Status>> =
            bytes.chunks(64 << 10).map(|piece| Ok(ReadResponse { data: piece.to_vec() })).collect();
        if fault == Some(Fault::Broken) {
            pieces.truncate(pieces.len() / 2);
            pieces.push(Err(Status::unavailable("broken")));
        }
        if fault == Some(Fault::Dribble) {
            let byte = Ok(ReadResponse { data: vec![0] });
            let slow = tokio_stream::iter(std::iter::repeat(byte));
            let slow = slow.then(|byte| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                byte
            });
            return Ok(Response::new(Box::pin(slow)));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces))))
    }

    async fn write(&self, request: Request<Streaming<WriteRequest>>) -> Answer<WriteResponse> {
        let mut stream = request.into_inner();
        let mut name = String::new();
        let fault = self.enter(Op::WriteBlob, "write".to_owned()).await?;
        let mut breaks_after = if fault == Some(Fault::Broken) { 3 } else { usize::MAX };
        while let Some(piece) = stream.message().await? {
            let mut begun = self.0.begun.lock().unwrap();
            if name.is_empty() {
                name = piece.resource_name;
                let (hash, _) = resource(&name);
                let at = if piece.write_offset > 0 { "middle" } else { "start" };
                self.0.note(format!("PUT cas/{hash} at {at}"));
                if let Some(known) = self.blob(&hash) {
                    let committed_size = i64::try_from(known.len()).unwrap();
                    return Ok(Response::new(WriteResponse { committed_size }));
                }
            }
            let sofar = begun.entry(name.clone()).or_default();
            if usize::try_from(piece.write_offset).unwrap() != sofar.len() {
                return Err(Status::invalid_argument("a hole"));
            }
            sofar.extend_from_slice(&piece.data);
            breaks_after -= 1;
            if breaks_after == 0 {
                return Err(Status::unavailable("broken"));
            }
            if piece.finish_write {
                let bytes = begun.remove(&name).unwrap();
                let sent = bytes.len();
                let (hash, compressed) = resource(&name);
                let plain =
                    if compressed { zstd::stream::decode_all(&*bytes).unwrap() } else { bytes };
                self.put(&hash, plain)?;
                let committed_size = if compressed { -1 } else { i64::try_from(sent).unwrap() };
                return Ok(Response::new(WriteResponse { committed_size }));
            }
        }
        Err(Status::cancelled("it ended in the middle"))
    }

    async fn query_write_status(
        &self,
        request: Request<QueryWriteStatusRequest>,
    ) -> Answer<QueryWriteStatusResponse> {
        if self.0.odd().no_query {
            return Err(Status::unimplemented("no query"));
        }
        self.0.note("query".to_owned());
        let name = request.into_inner().resource_name;
        let begun = self.0.begun.lock().unwrap().get(&name).map(Vec::len);
        let begun = begun.ok_or_else(|| Status::not_found("no such upload"))?;
        let committed_size = i64::try_from(begun).unwrap();
        Ok(Response::new(QueryWriteStatusResponse { committed_size, complete: false }))
    }
}
