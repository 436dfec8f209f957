//! The shop on the web: answers `GET /` with what is in stock and what it costs.

wit_bindgen::generate!({ world: "storefront", generate_all });

use std::fmt::Write as _;

use exports::wasi::http::incoming_handler::Guest;
use shop::contracts::{prices, stock};
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Storefront;

impl Guest for Storefront {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        match request.path_with_query().as_deref() {
            Some("/") | None => respond(out, 200, &list()),
            Some(_) => respond(out, 404, "not found\n"),
        }
    }
}

fn list() -> String {
    let mut text = String::new();
    for item in stock::items() {
        let (left, cents) = (stock::left(&item), prices::price(&item));
        let _ = writeln!(text, "{item}: {left} left, {}.{:02}", cents / 100, cents % 100);
    }
    text
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

export!(Storefront);
