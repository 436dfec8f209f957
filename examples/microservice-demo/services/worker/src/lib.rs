//! Fetches pages over HTTP and counts their words.

wit_bindgen::generate!({ world: "worker", generate_all });

use exports::demo::worker::jobs::{Guest, Page};
use wasi::http::outgoing_handler;
use wasi::http::types::{Fields, IncomingBody, IncomingResponse, OutgoingRequest, Scheme};
use wasi::io::streams::StreamError;
use wasi::logging::logging::{Level, log};

/// How much is read at once.
const CHUNK: u64 = 64 << 10;

struct Worker;

impl Guest for Worker {
    fn count_words(url: String) -> Result<Page, String> {
        let response = get(&url)?;
        let status = response.status();
        let text = String::from_utf8(read(response)?).map_err(|_| "the page is not UTF-8")?;
        let words = text.split_whitespace().count() as u32;
        log(Level::Info, "worker", &format!("{url}: {status}, {words} words"));
        Ok(Page { status, words })
    }
}

fn get(url: &str) -> Result<IncomingResponse, String> {
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(format!("`{url}` is no URL that can be fetched")),
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let request = OutgoingRequest::new(Fields::new());
    let set = request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(if path.is_empty() { "/" } else { path })));
    set.map_err(|()| format!("`{url}` is no URL that can be fetched"))?;
    let pending = outgoing_handler::handle(request, None).map_err(|code| code.to_string())?;
    pending.subscribe().block();
    let answer = pending.get().expect("it was waited for").expect("it is taken once");
    answer.map_err(|code| code.to_string())
}

fn read(response: IncomingResponse) -> Result<Vec<u8>, String> {
    let body = response.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend(chunk),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    drop(stream);
    IncomingBody::finish(body);
    Ok(bytes)
}

export!(Worker);
