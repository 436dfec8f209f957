//! The Remote Execution API: the services of a cache without execution.
//!
//! A file for each service; `resource` reads the names of the ByteStream service, and `request` the parts that many requests
//! have.

mod action_cache;
mod bytestream;
mod capabilities;
mod cas;
mod request;
mod resource;
mod tree;

use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2::action_cache_server::ActionCacheServer;
use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_server::CapabilitiesServer;
use bazel_remote_apis::build::bazel::remote::execution::v2::content_addressable_storage_server::ContentAddressableStorageServer;
use bazel_remote_apis::google::bytestream::byte_stream_server::ByteStreamServer;
use tonic::service::Routes;

use crate::app::App;

/// The largest message that is read. It has room for a batch that is too large, which gets an answer that says so, and for
/// a list of a hundred thousand digests.
const LARGEST_MESSAGE: usize = 16 << 20;

/// The largest sum of blob sizes in a batch. Clients read messages of up to 4 MiB; the rest is for digests and statuses.
const LARGEST_BATCH: u64 = (4 << 20) - (64 << 10);

/// The names of the procedures that change something.
const WRITES: [&str; 3] = ["Write", "BatchUpdateBlobs", "UpdateActionResult"];

/// The names of the other procedures that are served.
const READS: [&str; 7] = [
    "GetCapabilities",
    "FindMissingBlobs",
    "BatchReadBlobs",
    "GetTree",
    "Read",
    "QueryWriteStatus",
    "GetActionResult",
];

/// Implements all services over one [`App`].
#[derive(Clone)]
struct Services {
    app: Arc<App>,
}

/// Returns all services.
pub(crate) fn routes(app: &Arc<App>) -> Routes {
    let services = Services { app: Arc::clone(app) };
    Routes::new(CapabilitiesServer::new(services.clone()))
        .add_service(
            ContentAddressableStorageServer::new(services.clone())
                .max_decoding_message_size(LARGEST_MESSAGE),
        )
        .add_service(
            ActionCacheServer::new(services.clone()).max_decoding_message_size(LARGEST_MESSAGE),
        )
        .add_service(ByteStreamServer::new(services).max_decoding_message_size(LARGEST_MESSAGE))
        .prepare()
}

/// Returns the name of the procedure with the given path, such as `GetTree`, and `other` for those that are not served.
pub(crate) fn procedure(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = WRITES.iter().chain(&READS).find(|known| **known == name);
    known.copied().unwrap_or("other")
}

/// Tells if a procedure changes something.
pub(crate) fn is_write(procedure: &str) -> bool {
    WRITES.contains(&procedure)
}
