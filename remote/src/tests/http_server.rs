//! A small HTTP/1.1 server with a thread for each connection.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::server::{Fault, Op, Shared, spoil};

pub(super) fn serve(listener: TcpListener, shared: Arc<Shared>) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            stream.set_nodelay(true).unwrap();
            // The connection ends when the client closes it.
            std::thread::spawn(move || while answer(&stream, &shared).is_some() {});
        }
    });
}

struct Request {
    method: String,
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let length = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; length + 2];
            reader.read_exact(&mut chunk).ok()?;
            if length == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }
    Some(Request { method, path, headers, body })
}

/// Answers one request; `None` if the connection is over.
fn answer(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let request = read_request(stream)?;
    let Some((kind, name)) = request.path.strip_prefix("/cache/")?.split_once('/') else {
        return reply(stream, 400, "", b"");
    };
    shared.note(format!("{} {kind}/{name}", request.method));
    if let Some(value) = request.headers.get("x-token") {
        shared.note(format!("token {value}"));
    }
    let op = match (request.method.as_str(), kind) {
        ("GET", "ac") => Op::ReadResult,
        ("PUT", "ac") => Op::WriteResult,
        ("HEAD", _) => Op::Missing,
        ("PUT", _) => Op::WriteBlob,
        _ => Op::ReadBlob,
    };
    let fault = shared.fault(op);
    match fault {
        Some(Fault::Status(429)) => return reply(stream, 429, "Retry-After: 0\r\n", b"slow down"),
        Some(Fault::Status(status)) => return reply(stream, status, "", b"no"),
        Some(Fault::Elsewhere(port)) => {
            let path = &request.path;
            let location = format!("Location: http://127.0.0.1:{port}{path}\r\n");
            return reply(stream, 302, &location, b"");
        }
        Some(Fault::Silence) => std::thread::sleep(Duration::from_secs(600)),
        _ => {}
    }
    let map = if kind == "ac" { &shared.results } else { &shared.blobs };
    if request.method == "PUT" {
        let is_zstd = request.headers.get("content-encoding").is_some_and(|value| value == "zstd");
        let body = if is_zstd {
            shared.note("zstd body".to_owned());
            zstd::stream::decode_all(&*request.body).ok()?
        } else {
            request.body
        };
        map.lock().unwrap().insert(name.to_owned(), body);
        return reply(stream, 201, advertise(shared), b"");
    }
    let found = map.lock().unwrap().get(name).cloned();
    if request.method == "HEAD" {
        return head(stream, found.map(|body| body.len()));
    }
    let Some(body) = found else { return reply(stream, 404, advertise(shared), b"none") };
    let accepts = request.headers.get("accept-encoding").is_some_and(|value| value == "zstd");
    send(stream, shared.odd().zstd && accepts && kind == "cas", fault, &body)
}

fn advertise(shared: &Shared) -> &'static str {
    if shared.odd().zstd { "Accept-Encoding: zstd\r\n" } else { "" }
}

fn head(mut stream: &TcpStream, found: Option<usize>) -> Option<()> {
    let status = if found.is_some() { 200 } else { 404 };
    let length = found.unwrap_or(0);
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n").ok()
}

fn send(stream: &TcpStream, zstd: bool, fault: Option<Fault>, body: &[u8]) -> Option<()> {
    let body = spoil(fault, body);
    match fault {
        Some(Fault::Bomb) => reply(stream, 200, "Content-Encoding: zstd\r\n", &body),
        Some(Fault::Broken | Fault::Dribble) => {
            let mut stream = stream;
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
            if fault == Some(Fault::Broken) {
                stream.write_all(&body[..body.len() / 2]).ok()?;
                return None;
            }
            for byte in body {
                stream.write_all(&[byte]).ok()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            None
        }
        _ if zstd => {
            let packed = zstd::bulk::compress(&body, 3).unwrap();
            reply(stream, 200, "Content-Encoding: zstd\r\n", &packed)
        }
        _ => reply(stream, 200, "", &body),
    }
}

fn reply(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> Option<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n").ok()?;
    stream.write_all(body).ok()
}
