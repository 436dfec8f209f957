//! What has to wait: requests to other servers, and clocks.

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, OutgoingResponse,
    ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

use super::{Answer, answer, read_body};

/// Sends a request to the server that stands behind the `?`, and waits for its answer.
fn ask(path: &str, method: &Method, body: Option<&[u8]>) -> Result<IncomingResponse, String> {
    let target = path.split_once('?').expect("a server is given").1;
    let (authority, path) = target.split_once('/').expect("a path is given");
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(method).expect("the method is known");
    request.set_scheme(Some(&Scheme::Http)).expect("the scheme is known");
    request.set_authority(Some(authority)).expect("the authority is well-formed");
    request.set_path_with_query(Some(&format!("/{path}"))).expect("the path is well-formed");
    let outgoing = request.body().expect("the body is taken once");
    let future = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    if let Some(body) = body {
        let stream = outgoing.write().expect("the stream is taken once");
        stream.blocking_write_and_flush(body).expect("the server takes it");
    }
    OutgoingBody::finish(outgoing, None).expect("the body is complete");
    future.subscribe().block();
    let response = future.get().expect("there is an answer").expect("it is taken once");
    response.map_err(|error| format!("{error:?}"))
}

fn shown(response: Result<IncomingResponse, String>) -> Answer {
    match response {
        Err(error) => answer(502, error),
        Ok(response) => {
            let status = response.status();
            let encoding = response.headers().get("content-encoding").len();
            let body = read_body(response.consume().expect("the body is taken once"));
            let body = body
                .map_or_else(|error| error, |bytes| String::from_utf8_lossy(&bytes).into_owned());
            answer(200, format!("{status} {encoding} {body}"))
        }
    }
}

pub(super) fn fetch(path: &str) -> Answer {
    shown(ask(path, &Method::Get, None))
}

pub(super) fn send(path: &str) -> Answer {
    shown(ask(path, &Method::Post, Some(b"sent")))
}

/// Moves the body of another server's answer into the own answer.
pub(super) fn splice(path: &str, out: ResponseOutparam) {
    let incoming = ask(path, &Method::Get, None).expect("the server answers");
    let incoming = incoming.consume().expect("the body is taken once");
    let from = incoming.stream().expect("the stream is taken once");
    let response = OutgoingResponse::new(Fields::new());
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let to = body.write().expect("the stream is taken once");
    loop {
        match to.blocking_splice(&from, 1 << 16) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => panic!("{}", error.to_debug_string()),
        }
    }
    drop(to);
    OutgoingBody::finish(body, None).expect("the body is complete");
}

pub(super) fn sleep() -> Answer {
    let begin = monotonic_clock::now();
    monotonic_clock::subscribe_duration(30_000_000).block();
    answer(200, format!("{}", monotonic_clock::now() - begin >= 25_000_000))
}
