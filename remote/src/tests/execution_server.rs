//! The part of the test server that executes actions. It plays scenes that a test has written, and where there is none, it
//! looks if it has every input and gives a result.

use std::collections::HashMap;
use std::pin::Pin;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::execution_server::Execution;
use bazel_remote_apis::build::bazel::remote::execution::v2::*;
use bazel_remote_apis::google::longrunning::operations_server::Operations;
use bazel_remote_apis::google::longrunning::*;
use bazel_remote_apis::google::{protobuf, rpc};
use prost::Message;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Code, Request, Response, Status};

use super::grpc_server::Services;

type Answer<T> = Result<Response<T>, Status>;
type News = Pin<Box<dyn Stream<Item = Result<Operation, Status>> + Send>>;

/// The behaviour of a server that is asked to execute an action, or to go on with that.
#[derive(Clone, Default)]
pub(super) struct Scene {
    /// The stages that it reports.
    pub(super) stages: Vec<execution_stage::Value>,
    /// The behaviour after that.
    pub(super) end: End,
}

/// The end of a stream.
#[derive(Clone, Default)]
pub(super) enum End {
    /// The action has ended.
    #[default]
    Done,
    /// The response has this status.
    Ended(Code),
    /// The operation has failed.
    Failed(Code),
    /// The call ends with this status.
    Breaks(Code),
    /// The stream ends as if that were all.
    Stops,
    /// The server says no more.
    Hangs,
    /// Not even an answer begins.
    Mute,
    /// The server reports more stages, with a pause before each of them, and then says no more.
    Pauses(Duration, &'static [execution_stage::Value]),
}

#[derive(Clone, PartialEq, Message)]
struct PreconditionFailure {
    #[prost(message, repeated, tag = "1")]
    violations: Vec<Violation>,
}

#[derive(Clone, PartialEq, Message)]
struct Violation {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    subject: String,
}

impl Services {
    async fn play(&self, digest: &Digest) -> Answer<News> {
        let scene = self.0.scenes.lock().unwrap().pop_front();
        let scene = match scene {
            Some(scene) => scene,
            None => {
                self.check_inputs(digest)?;
                Scene::default()
            }
        };
        let operation = |stage, done| Operation {
            name: "operation/7".to_owned(),
            metadata: Some(any(&ExecuteOperationMetadata { stage, ..Default::default() })),
            done,
            result: None,
        };
        let mut news: Vec<Result<Operation, Status>> =
            scene.stages.iter().map(|stage| Ok(operation(*stage as i32, false))).collect();
        let response = |response: &ExecuteResponse| {
            let result = Some(operation::Result::Response(any(response)));
            Ok(Operation { result, ..operation(4, true) })
        };
        let status = |code: Code| rpc::Status {
            code: code as i32,
            message: "no workers".to_owned(),
            details: Vec::new(),
        };
        match scene.end {
            End::Done => {
                let result = self.0.executed.lock().unwrap().clone();
                let result = Some(result);
                news.push(response(&ExecuteResponse { result, ..Default::default() }));
            }
            End::Ended(code) => {
                let status = Some(status(code));
                news.push(response(&ExecuteResponse { status, ..Default::default() }));
            }
            End::Failed(code) => {
                let result = Some(operation::Result::Error(status(code)));
                news.push(Ok(Operation { result, ..operation(4, true) }));
            }
            End::Breaks(code) if news.is_empty() => return Err(Status::new(code, "no workers")),
            End::Breaks(code) => news.push(Err(Status::new(code, "it broke"))),
            End::Stops => {}
            End::Mute => tokio::time::sleep(Duration::from_secs(600)).await,
            End::Hangs => {
                let told = tokio_stream::iter(news);
                return Ok(Response::new(Box::pin(told.chain(tokio_stream::pending()))));
            }
            End::Pauses(pause, stages) => {
                let later: Vec<_> =
                    stages.iter().map(|stage| Ok(operation(*stage as i32, false))).collect();
                let later = tokio_stream::iter(later).then(move |news| async move {
                    tokio::time::sleep(pause).await;
                    news
                });
                let later = later.chain(tokio_stream::pending());
                return Ok(Response::new(Box::pin(tokio_stream::iter(news).chain(later))));
            }
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(news))))
    }

    /// Says which blobs of an action are missing.
    fn check_inputs(&self, action: &Digest) -> Result<(), Status> {
        let blobs = self.0.blobs.lock().unwrap();
        let mut violations = Vec::new();
        let mut need = |digest: &Digest, blobs: &HashMap<String, Vec<u8>>| {
            let found = blobs.get(&digest.hash).cloned();
            if found.is_none() && digest.size_bytes > 0 {
                let subject = format!("blobs/{}/{}", digest.hash, digest.size_bytes);
                violations.push(Violation { kind: "MISSING".to_owned(), subject });
            }
            found
        };
        if let Some(bytes) = need(action, &blobs) {
            let action = Action::decode(&*bytes).unwrap();
            need(&action.command_digest.unwrap(), &blobs);
            let mut open = vec![action.input_root_digest.unwrap()];
            while let Some(folder) = open.pop() {
                let Some(bytes) = need(&folder, &blobs) else { continue };
                let folder = Directory::decode(&*bytes).unwrap();
                for file in folder.files {
                    need(&file.digest.unwrap(), &blobs);
                }
                open.extend(folder.directories.into_iter().filter_map(|child| child.digest));
            }
        }
        if violations.is_empty() {
            return Ok(());
        }
        let details = protobuf::Any {
            type_url: "type.googleapis.com/google.rpc.PreconditionFailure".to_owned(),
            value: PreconditionFailure { violations }.encode_to_vec(),
        };
        let status = rpc::Status {
            code: Code::FailedPrecondition as i32,
            message: "blobs are missing".to_owned(),
            details: vec![details],
        };
        let details = status.encode_to_vec().into();
        Err(Status::with_details(Code::FailedPrecondition, "blobs are missing", details))
    }
}

fn any(message: &impl Message) -> protobuf::Any {
    protobuf::Any { type_url: String::new(), value: message.encode_to_vec() }
}

#[tonic::async_trait]
impl Execution for Services {
    type ExecuteStream = News;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Answer<News> {
        let request = request.into_inner();
        assert_eq!(request.instance_name, "main");
        self.0.note(format!("execute anew={}", request.skip_cache_lookup));
        let digest = request.action_digest.unwrap();
        *self.0.executing.lock().unwrap() = digest.hash.clone();
        self.play(&digest).await
    }

    type WaitExecutionStream = News;

    async fn wait_execution(&self, request: Request<WaitExecutionRequest>) -> Answer<News> {
        assert_eq!(request.into_inner().name, "operation/7");
        self.0.note("wait".to_owned());
        let digest = Digest { hash: self.0.executing.lock().unwrap().clone(), size_bytes: 1 };
        self.play(&digest).await
    }
}

#[tonic::async_trait]
impl Operations for Services {
    async fn list_operations(
        &self,
        _: Request<ListOperationsRequest>,
    ) -> Answer<ListOperationsResponse> {
        Err(Status::unimplemented(""))
    }

    async fn get_operation(&self, _: Request<GetOperationRequest>) -> Answer<Operation> {
        Err(Status::unimplemented(""))
    }

    async fn delete_operation(
        &self,
        _: Request<DeleteOperationRequest>,
    ) -> Answer<protobuf::Empty> {
        Err(Status::unimplemented(""))
    }

    async fn cancel_operation(
        &self,
        request: Request<CancelOperationRequest>,
    ) -> Answer<protobuf::Empty> {
        self.0.note(format!("cancel {}", request.into_inner().name));
        Ok(Response::new(protobuf::Empty {}))
    }

    async fn wait_operation(&self, _: Request<WaitOperationRequest>) -> Answer<Operation> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Err(Status::unimplemented(""))
    }
}
