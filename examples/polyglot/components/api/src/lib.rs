//! An HTTP service: answers `GET /` with a greeting and anything else with 404.

wit_bindgen::generate!({ world: "api", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Api;

impl Guest for Api {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (status, text) = match request.path_with_query().as_deref() {
            Some("/") | None => (200, "Hello from Rust over HTTP!\n"),
            Some(_) => (404, "not found\n"),
        };
        respond(out, status, text);
    }
}

fn respond(out: ResponseOutparam, status: u16, text: &str) {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).expect("the status code is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    // The client may be gone: then there is nobody to tell.
    let _ = stream.blocking_write_and_flush(text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

export!(Api);
