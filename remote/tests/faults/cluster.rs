//! A cluster in front of a cache server: it executes actions over the store of that server, and answers everything else by
//! asking it.
//!
//! An action takes some time, and its output depends on its input. Its operation goes on while nobody listens. When the
//! cluster is stopped and started again, it has its operations still, or has forgotten them. What a stream says is counted,
//! so that a test can break it in the middle (`waits`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2::capabilities_server::{
    Capabilities, CapabilitiesServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::execution_server::{
    Execution, ExecutionServer,
};
use bazel_remote_apis::build::bazel::remote::execution::v2::*;
use bazel_remote_apis::google::longrunning::{Operation, operation};
use bazel_remote_apis::google::protobuf::Any;
use cache::{DiskStore, Entry, reapi};
use http::{Request as HttpRequest, Response as HttpResponse, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use prost::Message;
use tokio::task::JoinSet;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use tower::Service as _;

use crate::exchange::{Body, Error};
use crate::listening::listen;

type News = Pin<Box<dyn Stream<Item = Result<Operation, Status>> + Send>>;

/// The time between two messages of a stream.
const TICK: Duration = Duration::from_millis(20);

/// The name of the file that an action has for an input, and of its output.
pub(crate) const INPUT: &str = "in";
pub(crate) const OUTPUT: &str = "out";

/// The cluster. It stops when this is dropped.
pub(crate) struct Cluster {
    pub(crate) address: SocketAddr,
    pub(crate) workers: Arc<Workers>,
    front: Arc<Front>,
    tasks: JoinSet<()>,
}

/// The fate of streams, which the test decides.
pub(crate) trait Streams: Send + Sync {
    /// Returns the number of messages after which a new stream ends, as if that were all.
    fn length(&self, is_wait: bool) -> Option<usize>;

    /// Takes note that a message is about to be sent.
    fn sends(&self, is_wait: bool);
}

/// The part of the cluster that executes actions.
pub(crate) struct Workers {
    store: DiskStore,
    /// The time that an action takes.
    takes: Duration,
    streams: Box<dyn Streams>,
    operations: Mutex<BTreeMap<String, Task>>,
    /// The number of operations that have begun.
    pub(crate) begun: AtomicUsize,
}

/// An action that is being executed, or was.
#[derive(Clone)]
struct Task {
    action: Digest,
    ends: Instant,
}

struct Front {
    workers: Arc<Workers>,
    cache: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Cluster {
    /// Starts a cluster over the store of a cache server.
    pub(crate) fn start(
        (store, cache): (DiskStore, SocketAddr),
        takes: Duration,
        streams: impl Streams + 'static,
    ) -> Self {
        let workers = Arc::new(Workers {
            store,
            takes,
            streams: Box::new(streams),
            operations: Mutex::default(),
            begun: AtomicUsize::new(0),
        });
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let front = Arc::new(Front { workers: Arc::clone(&workers), cache, client });
        let (address, tasks) = front.listen("127.0.0.1:0".parse().unwrap());
        Self { address, workers, front, tasks }
    }

    /// Cuts all connections, and starts the cluster again at the same address after a pause.
    pub(crate) fn restart(&mut self, pause: Duration, forgets: bool) {
        self.tasks = JoinSet::new();
        if forgets {
            self.workers.lock().clear();
        }
        std::thread::sleep(pause);
        (_, self.tasks) = self.front.listen(self.address);
    }
}

impl Front {
    fn listen(self: &Arc<Self>, address: SocketAddr) -> (SocketAddr, JoinSet<()>) {
        let front = Arc::clone(self);
        listen(address, move |request| Arc::clone(&front).answer(request))
    }

    async fn answer(
        self: Arc<Self>,
        mut request: HttpRequest<Incoming>,
    ) -> Result<HttpResponse<Body>, Error> {
        let path = request.uri().path().to_owned();
        let services = Services(Arc::clone(&self.workers));
        let answer = if path.contains(".Execution/") {
            ExecutionServer::new(services).call(request).await?
        } else if path.contains(".Capabilities/") {
            CapabilitiesServer::new(services).call(request).await?
        } else {
            *request.uri_mut() = format!("http://{}{path}", self.cache).parse::<Uri>()?;
            let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
            let answer = self.client.request(request).await?;
            return Ok(answer.map(|body| body.map_err(Error::from).boxed_unsync()));
        };
        Ok(answer.map(|body| body.map_err(Error::from).boxed_unsync()))
    }
}

impl Workers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Task>> {
        self.operations.lock().unwrap()
    }

    /// Tells what happens to an operation until it has ended.
    fn follow(self: &Arc<Self>, name: String, task: Task, is_wait: bool) -> Response<News> {
        let left = task.ends.saturating_duration_since(Instant::now());
        let ticks = usize::try_from(left.as_millis() / TICK.as_millis()).unwrap() + 1;
        let ends_early = self.streams.length(is_wait);
        let workers = Arc::clone(self);
        let news = tokio_stream::iter(0..=ticks).then(move |tick| {
            let (workers, name, task) = (Arc::clone(&workers), name.clone(), task.clone());
            async move {
                tokio::time::sleep(if tick == 0 { Duration::ZERO } else { TICK }).await;
                workers.streams.sends(is_wait);
                let done = tick == ticks;
                let result = done.then(|| operation::Result::Response(workers.response(&task)));
                let stage = if done { 4 } else { 2 + i32::from(tick > 0) };
                let metadata = ExecuteOperationMetadata { stage, ..Default::default() };
                Ok(Operation { name, metadata: Some(any(&metadata)), done, result })
            }
        });
        Response::new(Box::pin(news.take(ends_early.unwrap_or(usize::MAX))))
    }

    /// Executes an action: its output says what its input was.
    fn response(&self, task: &Task) -> Any {
        let read = |digest: &Digest| {
            let (hash, size_bytes) = (digest.hash.clone(), digest.size_bytes);
            let digest = reapi::Digest { hash, size_bytes };
            cache::Digest::from_reapi(self.store.function(), &digest).unwrap()
        };
        let action = self.store.get(&read(&task.action)).unwrap().unwrap();
        let root = Action::decode(&*action).unwrap().input_root_digest.unwrap();
        let root = self.store.directory(&read(&root)).unwrap().unwrap();
        let Some(Entry::File { digest, .. }) = root.entries.get(INPUT) else { panic!("{root:?}") };
        let output = output_of(&self.store.get(digest).unwrap().unwrap());
        let reapi::Digest { hash, size_bytes } = self.store.put(&output).unwrap().to_reapi();
        let file = OutputFile {
            path: OUTPUT.to_owned(),
            digest: Some(Digest { hash, size_bytes }),
            ..Default::default()
        };
        let result = Some(ActionResult { output_files: vec![file], ..Default::default() });
        any(&ExecuteResponse { result, ..Default::default() })
    }
}

/// Returns what an action makes of its input.
pub(crate) fn output_of(input: &[u8]) -> Vec<u8> {
    [b"made of ", input].concat()
}

fn any(message: &impl Message) -> Any {
    Any { type_url: String::new(), value: message.encode_to_vec() }
}

/// The services that the cluster has itself.
struct Services(Arc<Workers>);

#[tonic::async_trait]
impl Execution for Services {
    type ExecuteStream = News;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Result<Response<News>, Status> {
        let action = request.into_inner().action_digest.unwrap();
        let number = self.0.begun.fetch_add(1, Ordering::SeqCst);
        let name = format!("operation/{number}");
        let task = Task { action, ends: Instant::now() + self.0.takes };
        self.0.lock().insert(name.clone(), task.clone());
        Ok(self.0.follow(name, task, false))
    }

    type WaitExecutionStream = News;

    async fn wait_execution(
        &self,
        request: Request<WaitExecutionRequest>,
    ) -> Result<Response<News>, Status> {
        let name = request.into_inner().name;
        let task = self.0.lock().get(&name).cloned();
        let task = task.ok_or_else(|| Status::not_found("it has no such operation"))?;
        Ok(self.0.follow(name, task, true))
    }
}

#[tonic::async_trait]
impl Capabilities for Services {
    async fn get_capabilities(
        &self,
        _: Request<GetCapabilitiesRequest>,
    ) -> Result<Response<ServerCapabilities>, Status> {
        let function = digest_function::Value::Blake3 as i32;
        let cache = CacheCapabilities { digest_functions: vec![function], ..Default::default() };
        let execution = ExecutionCapabilities {
            digest_function: function,
            exec_enabled: true,
            ..Default::default()
        };
        Ok(Response::new(ServerCapabilities {
            cache_capabilities: Some(cache),
            execution_capabilities: Some(execution),
            ..Default::default()
        }))
    }
}
