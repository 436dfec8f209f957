//! Tells clients what this server can do.

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use bazel_remote_apis::build::bazel::semver::SemVer;
use proto::capabilities_server::Capabilities;
use proto::{compressor, digest_function, symlink_absolute_path_strategy};
use tonic::{Request, Response, Status};

use super::request::exchange;
use super::{LARGEST_BATCH, Services};
use crate::auth::Right;

#[tonic::async_trait]
impl Capabilities for Services {
    async fn get_capabilities(
        &self,
        request: Request<proto::GetCapabilitiesRequest>,
    ) -> Result<Response<proto::ServerCapabilities>, Status> {
        self.check_instance(&request.get_ref().instance_name)?;
        let may_write = exchange(&request).rights.write == Right::Granted;
        // Bazel 7 speaks 2.0 only, and Bazel 9 up to 2.11.
        let version = |minor| Some(SemVer { major: 2, minor, ..Default::default() });
        Ok(Response::new(proto::ServerCapabilities {
            cache_capabilities: Some(self.cache_capabilities(may_write)),
            low_api_version: version(0),
            high_api_version: version(11),
            ..Default::default()
        }))
    }
}

impl Services {
    fn cache_capabilities(&self, may_write: bool) -> proto::CacheCapabilities {
        let zstd = vec![compressor::Value::Zstd as i32];
        let update_enabled = proto::ActionCacheUpdateCapabilities { update_enabled: may_write };
        proto::CacheCapabilities {
            digest_functions: vec![
                digest_function::Value::Blake3 as i32,
                digest_function::Value::Sha256 as i32,
            ],
            action_cache_update_capabilities: Some(update_enabled),
            max_batch_total_size_bytes: LARGEST_BATCH.cast_signed(),
            symlink_absolute_path_strategy: symlink_absolute_path_strategy::Value::Allowed as i32,
            supported_compressors: zstd.clone(),
            supported_batch_update_compressors: zstd,
            max_cas_blob_size_bytes: i64::try_from(self.app.max_blob).unwrap_or(i64::MAX),
            ..Default::default()
        }
    }
}
