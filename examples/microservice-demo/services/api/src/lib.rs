//! A web service: `GET /time` says what time it is, `GET /health` that it is there.

wit_bindgen::generate!({ world: "api", generate_all });

use exports::wasi::http::incoming_handler::Guest;
use wasi::clocks::wall_clock;
use wasi::http::types::{
    Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Api;

impl Guest for Api {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (status, body) = match (request.method(), path.as_str()) {
            (Method::Get, "/health") => (200, "{\"status\": \"ok\"}\n".to_owned()),
            (Method::Get, "/time") => (200, format!("{{\"unix\": {}}}\n", wall_clock::now().seconds)),
            (Method::Get, _) => (404, "{\"error\": \"not found\"}\n".to_owned()),
            _ => (405, "{\"error\": \"only GET is answered\"}\n".to_owned()),
        };
        respond(out, status, &body);
    }
}

fn respond(out: ResponseOutparam, status: u16, json: &str) {
    let headers = Fields::new();
    let kind = b"application/json".to_vec();
    headers.append(&"content-type".to_owned(), &kind).expect("the header is well-formed");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status code is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    // The client may be gone: then there is nobody to tell.
    let _ = stream.blocking_write_and_flush(json.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

export!(Api);
