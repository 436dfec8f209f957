//! Execution of actions (`Execution` of the Remote Execution API, and `Operations` of `google.longrunning`), and what its
//! statuses mean.

use bazel_remote_apis::build::bazel::remote::execution::v2::execution_client::ExecutionClient;
use bazel_remote_apis::build::bazel::remote::execution::v2::{
    self, ExecuteOperationMetadata, ExecuteResponse, execution_stage,
};
use bazel_remote_apis::google::longrunning::operations_client::OperationsClient;
use bazel_remote_apis::google::longrunning::{CancelOperationRequest, Operation, operation};
use bazel_remote_apis::google::rpc;
use cache::{Digest, DigestFunction};
use prost::Message as _;
use tonic::{Code, Status, Streaming};

use super::status::failure;
use super::{Grpc, MAX_MESSAGE, wire};
use crate::failure::Failure;
use crate::operation::{Ended, Stage};

/// The reason of a failed precondition (`google.rpc.PreconditionFailure`), which the generated messages lack.
#[derive(Clone, PartialEq, prost::Message)]
struct PreconditionFailure {
    #[prost(message, repeated, tag = "1")]
    violations: Vec<Violation>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Violation {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    subject: String,
}

/// A stream of what happens to an action.
pub(crate) struct Operations {
    stream: Streaming<Operation>,
    function: DigestFunction,
}

/// One message of the stream.
pub(crate) struct News {
    /// The name under which the operation is found again.
    pub(crate) name: String,
    /// The stage that the action has reached.
    pub(crate) stage: Option<Stage>,
    /// The end of the operation, if it has ended.
    pub(crate) ended: Option<Ended>,
}

impl Grpc {
    /// Tells if the server says that it executes actions. It has been asked.
    pub(crate) fn executes(&self) -> bool {
        self.known().is_some_and(|known| known.executes)
    }

    /// Asks for the execution of an action.
    pub(crate) async fn execute(&self, action: &Digest, anew: bool) -> Result<Operations, Ended> {
        let request = v2::ExecuteRequest {
            instance_name: self.instance.clone(),
            skip_cache_lookup: anew,
            action_digest: Some(wire::digest(action)),
            digest_function: wire::function(action.function()),
            inline_stdout: true,
            inline_stderr: true,
            ..Default::default()
        };
        let function = action.function();
        match self.execution().execute(request).await {
            Ok(stream) => Ok(Operations { stream: stream.into_inner(), function }),
            Err(status) => Err(ended(&status, function)),
        }
    }

    /// Goes on with the stream of an operation; `None` if the server does not know it.
    pub(crate) async fn wait(
        &self,
        name: &str,
        function: DigestFunction,
    ) -> Result<Option<Operations>, Ended> {
        let request = v2::WaitExecutionRequest { name: name.to_owned() };
        match self.execution().wait_execution(request).await {
            Ok(stream) => Ok(Some(Operations { stream: stream.into_inner(), function })),
            Err(status) if matches!(status.code(), Code::NotFound | Code::Unimplemented) => {
                Ok(None)
            }
            Err(status) => Err(ended(&status, function)),
        }
    }

    /// Asks the server to stop an operation. It need not do that.
    pub(crate) async fn cancel(&self, name: &str) {
        let origin = self.channel.origin().clone();
        let mut client = OperationsClient::with_origin(self.channel.clone(), origin);
        _ = client.cancel_operation(CancelOperationRequest { name: name.to_owned() }).await;
    }

    fn execution(&self) -> ExecutionClient<super::channel::Channel> {
        let origin = self.channel.origin().clone();
        ExecutionClient::with_origin(self.channel.clone(), origin)
            .max_decoding_message_size(MAX_MESSAGE)
    }
}

impl Operations {
    /// Waits for the next message; `None` if the stream has ended, and `Some(None)` if the server has forgotten the operation.
    pub(crate) async fn next(&mut self) -> Result<Option<News>, Ended> {
        match self.stream.message().await {
            Ok(operation) => Ok(operation.map(|operation| read(operation, self.function))),
            Err(status) if status.code() == Code::NotFound => Err(Ended::Forgotten),
            Err(status) => Err(ended(&status, self.function)),
        }
    }
}

fn read(operation: Operation, function: DigestFunction) -> News {
    let metadata = operation.metadata.as_ref();
    let metadata = metadata.and_then(|any| ExecuteOperationMetadata::decode(&*any.value).ok());
    let stage = metadata.and_then(|it| execution_stage::Value::try_from(it.stage).ok());
    let stage = match stage {
        Some(execution_stage::Value::CacheCheck | execution_stage::Value::Queued) => {
            Some(Stage::Queued)
        }
        Some(execution_stage::Value::Executing) => Some(Stage::Executing),
        _ => None,
    };
    let ended = operation.done.then(|| match operation.result {
        Some(operation::Result::Response(any)) => response(&any.value, function),
        Some(operation::Result::Error(status)) => of_message(&status, function),
        None => Ended::Failed(Failure::Rejected("an operation without a result".to_owned())),
    });
    News { name: operation.name, stage, ended }
}

fn response(bytes: &[u8], function: DigestFunction) -> Ended {
    let broken = || Ended::Failed(Failure::Rejected("a message that is no response".to_owned()));
    let Ok(response) = ExecuteResponse::decode(bytes) else { return broken() };
    if let Some(status) = response.status.filter(|status| status.code != 0) {
        return match Code::from_i32(status.code) {
            Code::DeadlineExceeded => Ended::TimedOut,
            _ => of_message(&status, function),
        };
    }
    let Some(result) = response.result else { return broken() };
    let result = cache::reapi::ActionResult::decode(&*result.encode_to_vec());
    result.map_or_else(|_| broken(), |result| Ended::Done(Box::new(result)))
}

fn ended(status: &Status, function: DigestFunction) -> Ended {
    let details = rpc::Status::decode(status.details()).unwrap_or_default().details;
    missing(status.code(), &details, function)
        .map_or_else(|| Ended::Failed(failure(status)), Ended::Missing)
}

fn of_message(status: &rpc::Status, function: DigestFunction) -> Ended {
    let code = Code::from_i32(status.code);
    missing(code, &status.details, function).map_or_else(
        || Ended::Failed(failure(&Status::new(code, status.message.clone()))),
        Ended::Missing,
    )
}

/// Returns the blobs that the server lacks, if the status says that this is all that is wrong.
fn missing(
    code: Code,
    details: &[bazel_remote_apis::google::protobuf::Any],
    function: DigestFunction,
) -> Option<Vec<Digest>> {
    if code != Code::FailedPrecondition {
        return None;
    }
    let is_failure = |kind: &str| kind.ends_with("google.rpc.PreconditionFailure");
    let failures = details.iter().filter(|any| is_failure(&any.type_url));
    let failures = failures.filter_map(|any| PreconditionFailure::decode(&*any.value).ok());
    let violations: Vec<Violation> = failures.flat_map(|it| it.violations).collect();
    let digest = |it: &Violation| (it.kind == "MISSING").then(|| subject(&it.subject, function))?;
    violations.iter().map(digest).collect::<Option<Vec<_>>>().filter(|it| !it.is_empty())
}

/// Reads `blobs/[FUNCTION/]HASH/SIZE`.
fn subject(text: &str, function: DigestFunction) -> Option<Digest> {
    let mut parts = text.rsplit('/');
    let (size, hash) = (parts.next()?, parts.next()?);
    let digest = cache::reapi::Digest { hash: hash.to_owned(), size_bytes: size.parse().ok()? };
    Digest::from_reapi(function, &digest).ok()
}

#[cfg(test)]
mod tests {
    use bazel_remote_apis::google::protobuf::Any;

    use super::*;

    #[test]
    fn only_missing_blobs_are_missing() {
        let digest = Digest::of(DigestFunction::Sha256, b"x");
        let check = |code, violations: &[(&str, String)], expect: Option<Vec<Digest>>| {
            let violation = |(kind, subject): &(&str, String)| Violation {
                kind: (*kind).to_owned(),
                subject: subject.clone(),
            };
            let violations = violations.iter().map(violation).collect();
            let any = Any {
                type_url: "type.googleapis.com/google.rpc.PreconditionFailure".to_owned(),
                value: PreconditionFailure { violations }.encode_to_vec(),
            };
            assert_eq!(missing(code, &[any], DigestFunction::Sha256), expect);
        };
        let subject = || format!("blobs/{}/1", digest.hex());
        let found = || Some(vec![digest]);
        check(Code::FailedPrecondition, &[("MISSING", subject())], found());
        check(Code::FailedPrecondition, &[("MISSING", format!("i/{}", subject()))], found());
        let other = format!("blobs/blake3/{}/1", digest.hex());
        check(Code::FailedPrecondition, &[("MISSING", other)], found());
        check(Code::FailedPrecondition, &[("MISSING", "blobs/x/1".to_owned())], None);
        check(Code::FailedPrecondition, &[("MISSING", subject()), ("OTHER", subject())], None);
        check(Code::FailedPrecondition, &[], None);
        check(Code::NotFound, &[("MISSING", subject())], None);
    }
}
