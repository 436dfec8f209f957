//! The content-addressed storage service: which blobs are missing, batches of small blobs, and trees.

use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use bazel_remote_apis::google::rpc;
use cache::{Digest, DigestFunction};
use proto::batch_read_blobs_response as read;
use proto::batch_update_blobs_response as update;
use proto::compressor::Value as Compressor;
use proto::content_addressable_storage_server::ContentAddressableStorage;
use tonic::{Request, Response, Status};

use super::request::{digest, exchange, function, to_proto};
use super::tree::TreePages;
use super::{LARGEST_BATCH, Services};
use crate::app::App;
use crate::blocking::blocking;
use crate::failure::Failure;
use crate::staging::{Expected, Staging};
use crate::upload::Upload;

/// Blobs below this size are sent as they are, because compression would gain nothing.
const WORTH_COMPRESSING: u64 = 256;

#[tonic::async_trait]
impl ContentAddressableStorage for Services {
    type GetTreeStream = TreePages;
    type GetChunkMappingStream = Nothing;

    async fn find_missing_blobs(
        &self,
        request: Request<proto::FindMissingBlobsRequest>,
    ) -> Result<Response<proto::FindMissingBlobsResponse>, Status> {
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let function = function(request.digest_function)?;
        let store = self.app.store.clone();
        let missing = blocking(move || {
            let mut missing = Vec::new();
            for wire in request.blob_digests {
                if !store.contains(&digest(function, Some(&wire))?) {
                    missing.push(wire);
                }
            }
            Ok(missing)
        });
        let missing_blob_digests = missing.await?;
        Ok(Response::new(proto::FindMissingBlobsResponse { missing_blob_digests }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<proto::BatchUpdateBlobsRequest>,
    ) -> Result<Response<proto::BatchUpdateBlobsResponse>, Status> {
        let exchange = exchange(&request);
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let function = function(request.digest_function)?;
        let sizes = request.requests.iter().map(|request| request.data.len() as u64);
        check_batch(sizes.sum())?;
        let app = Arc::clone(&self.app);
        let responses = blocking(move || {
            let requests = request.requests.into_iter();
            Ok(requests
                .map(|request| {
                    let outcome = store_one(&app, function, &request);
                    if let Err(failure) = &outcome {
                        exchange.failed(failure);
                        app.metrics.rejected(failure);
                    }
                    update::Response { digest: request.digest, status: Some(status(outcome.err())) }
                })
                .collect())
        });
        Ok(Response::new(proto::BatchUpdateBlobsResponse { responses: responses.await? }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<proto::BatchReadBlobsRequest>,
    ) -> Result<Response<proto::BatchReadBlobsResponse>, Status> {
        let exchange = exchange(&request);
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let function = function(request.digest_function)?;
        let digests = request.digests.iter().map(|wire| digest(function, Some(wire)));
        let digests = digests.collect::<Result<Vec<Digest>, Failure>>()?;
        check_batch(digests.iter().fold(0, |sum, digest| sum.saturating_add(digest.size())))?;
        let takes_zstd = request.acceptable_compressors.contains(&(Compressor::Zstd as i32));
        let app = Arc::clone(&self.app);
        let responses: Vec<_> = blocking(move || {
            Ok(digests.iter().map(|digest| read_one(&app, digest, takes_zstd)).collect())
        })
        .await?;
        exchange.hit(responses.iter().all(|one: &read::Response| is_ok(one.status.as_ref())));
        Ok(Response::new(proto::BatchReadBlobsResponse { responses }))
    }

    async fn get_tree(
        &self,
        request: Request<proto::GetTreeRequest>,
    ) -> Result<Response<TreePages>, Status> {
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let root = digest(function(request.digest_function)?, request.root_digest.as_ref())?;
        let pages = TreePages::new(self.app.store.content().clone(), root, &request)?;
        Ok(Response::new(pages.checked().await?))
    }

    async fn split_blob(
        &self,
        _: Request<proto::SplitBlobRequest>,
    ) -> Result<Response<proto::SplitBlobResponse>, Status> {
        Err(no_chunks())
    }

    async fn get_chunk_mapping(
        &self,
        _: Request<proto::GetChunkMappingRequest>,
    ) -> Result<Response<Nothing>, Status> {
        Err(no_chunks())
    }

    async fn splice_blob(
        &self,
        _: Request<proto::SpliceBlobRequest>,
    ) -> Result<Response<proto::SpliceBlobResponse>, Status> {
        Err(no_chunks())
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<tonic::Streaming<proto::RegisterChunkMappingRequest>>,
    ) -> Result<Response<proto::RegisterChunkMappingResponse>, Status> {
        Err(no_chunks())
    }
}

/// The answer of a procedure that is not served.
type Nothing = tokio_stream::Empty<Result<proto::GetChunkMappingResponse, Status>>;

fn no_chunks() -> Status {
    Status::unimplemented("this server does not split blobs")
}

fn check_batch(size: u64) -> Result<(), Failure> {
    let reason = || format!("the batch has {size} bytes, and at most {LARGEST_BATCH} are accepted");
    if size <= LARGEST_BATCH { Ok(()) } else { Err(Failure::Invalid(reason())) }
}

fn store_one(
    app: &App,
    function: DigestFunction,
    request: &proto::batch_update_blobs_request::Request,
) -> Result<(), Failure> {
    let digest = digest(function, request.digest.as_ref())?;
    let is_compressed = match Compressor::try_from(request.compressor) {
        Ok(Compressor::Identity) => false,
        Ok(Compressor::Zstd) => true,
        _ => return Err(Failure::Invalid("only zstd and no compression are supported".into())),
    };
    app.check_size(digest.size())?;
    let staging = Staging::new(app.store.content(), Expected::Digest(digest), app.max_blob);
    let mut upload = Upload::new(staging, is_compressed)?;
    upload.push(&request.data)?;
    upload.finish()?;
    app.stats.stored(digest.size());
    Ok(())
}

fn read_one(app: &App, digest: &Digest, takes_zstd: bool) -> read::Response {
    let bytes = app.store.get(digest).map_err(Failure::from);
    let found =
        bytes.and_then(|bytes| bytes.ok_or_else(|| Failure::NotFound(format!("blob {digest}"))));
    let compressed = |data: &[u8]| zstd::encode_all(data, 3).ok();
    let (data, compressor, failure) = match found {
        Ok(data) if takes_zstd && digest.size() >= WORTH_COMPRESSING => {
            match compressed(&data).filter(|smaller| smaller.len() < data.len()) {
                Some(smaller) => (smaller, Compressor::Zstd, None),
                None => (data, Compressor::Identity, None),
            }
        }
        Ok(data) => (data, Compressor::Identity, None),
        Err(failure) => (Vec::new(), Compressor::Identity, Some(failure)),
    };
    read::Response {
        digest: Some(to_proto(digest)),
        data,
        compressor: compressor as i32,
        status: Some(status(failure)),
    }
}

fn status(failure: Option<Failure>) -> rpc::Status {
    let Some(failure) = failure else { return rpc::Status::default() };
    let status = Status::from(failure);
    let (code, message) = (status.code() as i32, status.message().to_owned());
    rpc::Status { code, message, details: Vec::new() }
}

fn is_ok(status: Option<&rpc::Status>) -> bool {
    status.is_none_or(|status| status.code == 0)
}
