//! A component that handles HTTP requests, by `wasi:http/incoming-handler` of WASI 0.2 or `wasi:http/handler` of WASI 0.3.
//!
//! Every request gets a new instance, so that a trap or a leak of one never affects another. An instance may work on
//! after its response, and ends when the client goes away.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Resource};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

use crate::failure::{Failure, FailureKind};
use crate::host::{Loaded, list};
use crate::state::InstanceState;
use crate::tasks::Tasks;
use crate::voice::Voice;

/// The interface that handles requests in WASI 0.2. Any of its versions is found under this name.
const HANDLER: &str = "wasi:http/incoming-handler@0.2.0";

/// The time that an instance without a limit may work on after its response.
const AFTERWARDS: Duration = Duration::from_secs(30);

/// A component that handles HTTP requests. Cheap to clone. When the last clone and the last instance are gone, nothing is
/// left of it.
#[derive(Clone)]
pub struct Handler {
    loaded: Loaded,
    function: Function,
    pub(crate) tasks: Tasks,
}

/// The function that handles requests.
#[derive(Clone)]
enum Function {
    /// `handle` of WASI 0.2.
    P2(ComponentExportIndex),
    /// `handle` of WASI 0.3.
    P3(ServicePre<InstanceState>),
}

/// The error that a component does not handle HTTP requests.
#[derive(Debug, thiserror::Error)]
#[error(
    "the component exports {}, not `wasi:http/incoming-handler` or `wasi:http/handler`",
    list(exports)
)]
pub struct NotAHandler {
    /// The names that it exports.
    pub exports: Vec<String>,
}

/// The body of a response.
pub type ResponseBody = UnsyncBoxBody<Bytes, Error>;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    /// The response of the component, or a page of plain text about its failure.
    pub response: Response<ResponseBody>,
    /// The reason why the component gave no response.
    pub failure: Option<Failure>,
}

/// The response that the component sets, or why there is none.
type Outcome = Result<Response<WasiBody>, Failure>;

impl Loaded {
    /// Returns the component as one that handles requests.
    pub fn handler(&self) -> Result<Handler, NotAHandler> {
        self.handler_by(HANDLER)
    }

    /// Returns the component as one that handles requests by the interface with this name. The name chooses one of several
    /// versions that the component may have, such as `wasi:http/incoming-handler@0.2.3`.
    pub fn handler_by(&self, name: &str) -> Result<Handler, NotAHandler> {
        let component = self.pre.component();
        let interface = component.get_export_index(None, name);
        let function =
            interface.and_then(|interface| component.get_export_index(Some(&interface), "handle"));
        let function = match function {
            Some(function) => Function::P2(function),
            None => Function::P3(
                ServicePre::new(self.pre.clone())
                    .map_err(|_| NotAHandler { exports: self.exports() })?,
            ),
        };
        Ok(Handler { loaded: self.clone(), function, tasks: Tasks::default() })
    }
}

impl Handler {
    /// Answers a request by a new instance. If many are being answered already, it waits for its turn.
    pub async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Ok(permit) = Arc::clone(&self.loaded.permits).acquire_owned().await else {
            return Answer::of(Failure::host(&Stopping));
        };
        let store = match self.loaded.store(&mut WasiCtx::builder()) {
            Ok(store) => store,
            Err(error) => return Answer::of(Failure::host(&error)),
        };
        let voice = Arc::clone(&store.data().voice);
        let (respond, response) = oneshot::channel();
        let (leave, left) = oneshot::channel();
        let is_head = request.method() == Method::HEAD;
        let request = self.limited(request);
        let instance = Instance { handler: self.clone(), store, voice: Arc::clone(&voice), permit };
        let grace = self.loaded.policy.limits.timeout.unwrap_or(AFTERWARDS);
        self.tasks.spawn(supervise(instance.handle(request, respond), left, grace));
        let outcome = match self.loaded.policy.limits.timeout {
            None => response.await,
            Some(limit) => match tokio::time::timeout(limit, response).await {
                Ok(response) => response,
                Err(_) => Ok(Err(Failure::timed_out(limit, &voice))),
            },
        };
        match outcome {
            Ok(Ok(response)) => Answer::given(response, leave, is_head),
            Ok(Err(failure)) => Answer::of(failure),
            Err(_) => Answer::of(Failure::host(&Stopping)),
        }
    }

    /// Limits the body of a request.
    fn limited<B>(&self, request: Request<B>) -> Request<WasiBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let limit = self.loaded.policy.limits.body;
        let length = usize::try_from(limit).unwrap_or(usize::MAX);
        request.map(|body| {
            let body = Limited::new(body, length).map_err(move |error| {
                match error.downcast::<http_body_util::LengthLimitError>() {
                    Ok(_) => Error::HttpRequestBodySize(Some(limit)),
                    Err(error) => Error::InternalError(Some(error.to_string())),
                }
            });
            body.boxed_unsync()
        })
    }
}

/// The two ways in which a client leaves: with all of its response, or before.
enum Leaving {
    Served,
    Early,
}

/// Runs an instance until it ends, or until the client has left. An instance whose client was served may work on for some
/// time. If nobody can tell how the client left, it has given up.
async fn supervise(
    instance: impl Future<Output = ()>,
    left: oneshot::Receiver<Leaving>,
    grace: Duration,
) {
    let mut instance = std::pin::pin!(instance);
    let leaving = tokio::select! {
        () = &mut instance => return,
        leaving = left => leaving,
    };
    if let Ok(Leaving::Served) = leaving {
        _ = tokio::time::timeout(grace, instance).await;
    }
}

/// One instance that handles one request.
struct Instance {
    handler: Handler,
    store: Store<InstanceState>,
    voice: Arc<Voice>,
    permit: OwnedSemaphorePermit,
}

impl Instance {
    /// Runs the handler until it ends. The outcome is sent through `respond` before that.
    async fn handle(self, request: Request<WasiBody>, respond: oneshot::Sender<Outcome>) {
        let Self { handler, mut store, voice, permit } = self;
        match &handler.function {
            Function::P2(function) => {
                let (send, mut response) = oneshot::channel();
                let handling = handle_p2(&handler.loaded, &mut store, *function, request, send);
                let mut handling = std::pin::pin!(handling);
                let (given, ended) = tokio::select! {
                    biased;
                    given = &mut response => (given.ok(), None),
                    // The handler may have given its response and ended at once.
                    ended = &mut handling => (response.try_recv().ok(), Some(ended)),
                };
                let Some(given) = given else {
                    let ended = match ended {
                        Some(ended) => ended,
                        None => handling.await,
                    };
                    let failure = match ended {
                        Err(error) => failure_of(&error, &voice),
                        Ok(()) => no_response(&voice),
                    };
                    _ = respond.send(Err(failure));
                    return;
                };
                _ = respond.send(given.map_err(|code| error_code(&code, &voice)));
                if ended.is_none() {
                    // What goes wrong after the response concerns nobody any more.
                    _ = handling.await;
                }
            }
            Function::P3(pre) => {
                let mut respond = Some(respond);
                let handled = handle_p3(pre, &mut store, request, &voice, &mut respond).await;
                if let Some(respond) = respond {
                    let failure = match handled {
                        Err(error) => failure_of(&error, &voice),
                        Ok(()) => no_response(&voice),
                    };
                    _ = respond.send(Err(failure));
                }
            }
        }
        drop(permit);
    }
}

async fn handle_p2(
    loaded: &Loaded,
    store: &mut Store<InstanceState>,
    function: ComponentExportIndex,
    request: Request<WasiBody>,
    respond: oneshot::Sender<Result<Response<WasiBody>, ErrorCode>>,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = http
        .new_incoming_request(Scheme::Http, request)
        .map_err(|error| error.context(BadRequest))?;
    let response = http.new_response_outparam(respond)?;
    let instance = loaded.pre.instantiate_async(&mut *store).await?;
    type Parameters = (Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);
    let handler = instance.get_typed_func::<Parameters, ()>(&mut *store, function)?;
    handler.call_async(store, (request, response)).await
}

async fn handle_p3(
    pre: &ServicePre<InstanceState>,
    store: &mut Store<InstanceState>,
    request: Request<WasiBody>,
    voice: &Voice,
    respond: &mut Option<oneshot::Sender<Outcome>>,
) -> wasmtime::Result<()> {
    let service: Service = pre.instantiate_async(&mut *store).await?;
    let hooks = store.data_mut().http().hooks;
    let (request, sent) = wasmtime_wasi_http::p3::Request::from_http(hooks, request);
    store
        .run_concurrent(async |accessor| {
            let outcome = match service.handle(accessor, request).await? {
                Ok(response) => {
                    Ok(accessor.with(|mut access| response.into_http(&mut access, sent))?)
                }
                Err(code) => Err(Failure::new(
                    FailureKind::ErrorCode,
                    format!("the component answered {code:?}"),
                    voice,
                )),
            };
            if let Some(respond) = respond.take() {
                _ = respond.send(outcome);
            }
            // The body is sent by tasks of the guest, which go on until nothing is left that matters.
            std::future::poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await?
}

/// Marks the error that a request can't be given to a component.
#[derive(Debug, thiserror::Error)]
#[error("the request is not one that a component can be given")]
struct BadRequest;

fn failure_of(error: &wasmtime::Error, voice: &Voice) -> Failure {
    if error.downcast_ref::<BadRequest>().is_some() {
        return Failure::new(FailureKind::BadRequest, format!("{error:#}"), voice);
    }
    Failure::of(error, voice)
}

fn error_code(code: &ErrorCode, voice: &Voice) -> Failure {
    Failure::new(FailureKind::ErrorCode, format!("the component answered {code:?}"), voice)
}

fn no_response(voice: &Voice) -> Failure {
    Failure::new(FailureKind::NoResponse, "the component ended without a response", voice)
}

/// The error that a request came too late.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
struct Stopping;

impl Answer {
    fn given(response: Response<WasiBody>, leave: oneshot::Sender<Leaving>, is_head: bool) -> Self {
        let attend = |body| Attended { body, leave: Some(leave), is_served: is_head };
        Self { response: response.map(attend).map(BodyExt::boxed_unsync), failure: None }
    }

    fn of(failure: Failure) -> Self {
        let text = Bytes::from(format!("{failure}\n"));
        let body = Full::new(text).map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = failure.status();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Self { response, failure: Some(failure) }
    }
}

/// The body of a response, which notices when the client leaves.
struct Attended {
    body: WasiBody,
    leave: Option<oneshot::Sender<Leaving>>,
    is_served: bool,
}

impl Body for Attended {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.is_served |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let is_served = self.is_served || self.body.is_end_stream();
        if let Some(leave) = self.leave.take() {
            _ = leave.send(if is_served { Leaving::Served } else { Leaving::Early });
        }
    }
}
