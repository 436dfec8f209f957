//! Answers a request by its path.

use std::io::Write;

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{InputStream, StreamError};

#[cfg(feature = "asks")]
wit_bindgen::generate!({ path: "wit", world: "asker" });

struct Web;

/// What is answered.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: Vec::new(), body: body.into() }
}

impl Guest for Web {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let answer = match path.split_once('?').map_or(path.as_str(), |(path, _)| path) {
            "/" => answer(200, "hello"),
            "/method" => answer(200, format!("{:?}", request.method())),
            "/echo" => echo(&request),
            "/environment" => answer(200, environment()),
            "/clone" => clone(),
            "/empty" => answer(204, ""),
            "/log" => log(),
            "/packed" => packed(),
            "/file" => answer(
                200,
                format!("{:?}", std::fs::read("/etc/passwd").map_err(|error| error.kind())),
            ),
            "/trap" => panic!("this is the panic of the test"),
            "/exit" => std::process::exit(3),
            "/nothing" => return,
            #[cfg(feature = "waits")]
            "/fetch" => waits::fetch(&path),
            #[cfg(feature = "waits")]
            "/splice" => return waits::splice(&path, out),
            #[cfg(feature = "waits")]
            "/send" => waits::send(&path),
            #[cfg(feature = "waits")]
            "/sleep" => waits::sleep(),
            #[cfg(feature = "asks")]
            "/shout" => answer(200, test::parts::words::shout("hello")),
            _ => answer(404, format!("nothing at {path}")),
        };
        respond(out, &answer);
    }
}

fn respond(out: ResponseOutparam, answer: &Answer) {
    let headers = Fields::new();
    for (name, value) in &answer.headers {
        headers.append(name, value.as_bytes()).expect("the header is well-formed");
    }
    let response = OutgoingResponse::new(headers);
    response.set_status_code(answer.status).expect("the status is in range");
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("the stream is taken once");
    for part in answer.body.chunks(4096) {
        stream.blocking_write_and_flush(part).expect("the client takes it");
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("the body is complete");
}

fn read_all(stream: &InputStream) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(error.to_debug_string()),
        }
    }
}

fn read_body(body: IncomingBody) -> Result<Vec<u8>, String> {
    let stream = body.stream().expect("the stream is taken once");
    let bytes = read_all(&stream);
    drop(stream);
    drop(IncomingBody::finish(body));
    bytes
}

fn echo(request: &IncomingRequest) -> Answer {
    let seen: Vec<_> = request
        .headers()
        .get("x-test")
        .into_iter()
        .map(|value| String::from_utf8(value).unwrap())
        .collect();
    let body = read_body(request.consume().expect("the body is taken once"))
        .expect("the body comes whole");
    Answer { status: 201, headers: vec![("x-seen", seen.join("|"))], body }
}

fn environment() -> String {
    let mut all: Vec<_> =
        std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect();
    all.sort();
    all.concat()
}

/// Counts the headers of fields and of their clone, after one was appended to the clone.
fn clone() -> Answer {
    let fields =
        Fields::from_list(&[("a".to_owned(), b"1".to_vec())]).expect("the header is well-formed");
    let copy = fields.clone();
    copy.append("b", b"2").expect("the header is well-formed");
    answer(200, format!("{} {}", fields.entries().len(), copy.entries().len()))
}

fn log() -> Answer {
    print!("to standard ");
    println!("output");
    eprintln!("to standard error");
    std::io::stdout().flush().expect("the output is open");
    answer(200, "logged")
}

/// Answers with what is packed already: the word `packed` as gzip makes it.
fn packed() -> Answer {
    let body = [
        0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0x02, 0x03, 0x2b, 0x48, 0x4c, 0xce, 0x4e, 0x4d, 0x01,
        0x00, 0x10, 0xb4, 0xf6, 0x21, 0x06, 0, 0, 0,
    ];
    Answer { headers: vec![("content-encoding", "gzip".to_owned())], ..answer(200, body) }
}

#[cfg(feature = "waits")]
mod waits;

wasip2::http::proxy::export!(Web);
