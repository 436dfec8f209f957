//! Results over gRPC (`ActionCache`).

use bazel_remote_apis::build::bazel::remote::execution::v2;
use cache::{Digest, reapi};
use prost::Message as _;
use tonic::Code;

use super::status::failure;
use super::{Grpc, wire};
use crate::failure::Failure;

impl Grpc {
    /// Reads a result; `None` if there is none.
    pub(crate) async fn result(
        &self,
        key: &Digest,
    ) -> Result<Option<reapi::ActionResult>, Failure> {
        let request = v2::GetActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(wire::digest(key)),
            digest_function: wire::function(key.function()),
            ..Default::default()
        };
        let result = match self.results().get_action_result(request).await {
            Ok(result) => result.into_inner(),
            Err(status) if status.code() == Code::NotFound => return Ok(None),
            Err(status) => return Err(failure(&status)),
        };
        let bytes = result.encode_to_vec();
        self.line.traffic.bytes_down.add(bytes.len() as u64);
        let result = reapi::ActionResult::decode(&*bytes);
        result.map(Some).map_err(|_| Failure::Rejected("a message that is no result".to_owned()))
    }

    /// Writes a result.
    pub(crate) async fn publish(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
    ) -> Result<(), Failure> {
        let bytes = result.encode_to_vec();
        self.line.traffic.bytes_up.add(bytes.len() as u64);
        let result = v2::ActionResult::decode(&*bytes);
        let result = result.map_err(|error| Failure::Rejected(error.to_string()))?;
        let request = v2::UpdateActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(wire::digest(key)),
            action_result: Some(result),
            results_cache_policy: None,
            digest_function: wire::function(key.function()),
        };
        let answer = self.results().update_action_result(request).await;
        answer.map(drop).map_err(|status| failure(&status))
    }
}
