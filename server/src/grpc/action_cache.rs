//! The action cache service. What counts as a hit is decided in [`crate::actions`].

use bazel_remote_apis::build::bazel::remote::execution::v2 as proto;
use cache::{Digest, reapi};
use prost::Message as _;
use proto::action_cache_server::ActionCache;
use tonic::{Request, Response, Status};

use super::Services;
use super::request::{digest, exchange, function};
use crate::actions::{self, ActionName};
use crate::blocking::blocking;
use crate::failure::Failure;
use crate::stats::Happened;

#[tonic::async_trait]
impl ActionCache for Services {
    async fn get_action_result(
        &self,
        request: Request<proto::GetActionResultRequest>,
    ) -> Result<Response<proto::ActionResult>, Status> {
        let exchange = exchange(&request);
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let key = digest(function(request.digest_function)?, request.action_digest.as_ref())?;
        let store = self.app.store.clone();
        let found = blocking(move || actions::get(&store, ActionName::Digest(key))).await;
        let found = found.map_err(|failure| Self::refuse(&exchange, failure))?;
        exchange.hit(found.is_some());
        let (_, result) = found.ok_or_else(|| not_found(&key))?;
        let size = result.encoded_len() as u64;
        self.app.stats.action(&exchange.client, Happened::Got, &key.hex(), size);
        Ok(Response::new(convert(&result)?))
    }

    async fn update_action_result(
        &self,
        request: Request<proto::UpdateActionResultRequest>,
    ) -> Result<Response<proto::ActionResult>, Status> {
        let exchange = exchange(&request);
        let request = request.into_inner();
        self.check_instance(&request.instance_name)?;
        let key = digest(function(request.digest_function)?, request.action_digest.as_ref())?;
        let missing = || Failure::Invalid("the action result is missing".to_owned());
        let sent = request.action_result.ok_or_else(missing)?;
        let result: reapi::ActionResult = convert(&sent)?;
        let size = result.encoded_len() as u64;
        let store = self.app.store.clone();
        let stored = blocking(move || actions::put(&store, ActionName::Digest(key), result)).await;
        stored.map_err(|failure| Self::refuse(&exchange, failure))?;
        self.app.stats.action(&exchange.client, Happened::Put, &key.hex(), size);
        Ok(Response::new(sent))
    }
}

fn not_found(key: &Digest) -> Failure {
    Failure::NotFound(format!("a result of action {key}"))
}

/// Converts between the generated type of a message and the one of `cache`, which are the same on the wire.
fn convert<From: prost::Message, To: prost::Message + Default>(
    message: &From,
) -> Result<To, Failure> {
    let converted = To::decode(&*message.encode_to_vec());
    converted.map_err(|error| Failure::Invalid(format!("the action result is broken: {error}")))
}
