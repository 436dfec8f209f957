//! A service: `handle` answers every HTTP request.

wit_bindgen::generate!({ world: "service", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Service;

impl Guest for Service {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        respond(out, 200, "Hello from Rust!\n");
    }
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let headers = Fields::new();
    let kind = b"text/plain; charset=utf-8".to_vec();
    headers.append("content-type", &kind).expect("the header is well-formed");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status code is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    // The client may be gone. Then nobody needs the answer.
    let _ = stream.blocking_write_and_flush(text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

export!(Service);
