//! An HTTP server of this process whose answers a test chooses, down to the bytes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request that the server got.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with the query.
    pub(crate) path: String,
    /// The headers, with names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    how: How,
}

/// How an answer is sent.
#[derive(Clone, Copy, Debug)]
enum How {
    Whole,
    /// Only so many bytes of the body, and then the connection ends.
    Cut(usize),
    /// The body again and again, without an end.
    Endless,
    /// The body byte by byte, with pauses.
    Drip(Duration),
    /// Nothing at all for this time.
    Silent(Duration),
    /// The head byte by byte, with pauses.
    DripHead(Duration),
}

impl Reply {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), how: How::Whole }
    }

    pub(crate) fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(200).with("content-type", kind).body(body)
    }

    pub(crate) fn json(text: &str) -> Self {
        Self::of("application/json", text)
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::new(307).with("location", to)
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.how = How::Cut(bytes);
        self
    }

    pub(crate) fn endless(mut self) -> Self {
        self.how = How::Endless;
        self
    }

    pub(crate) fn drip(mut self, pause: Duration) -> Self {
        self.how = How::Drip(pause);
        self
    }

    pub(crate) fn drip_head(mut self, pause: Duration) -> Self {
        self.how = How::DripHead(pause);
        self
    }

    pub(crate) fn silent(mut self, time: Duration) -> Self {
        self.how = How::Silent(time);
        self
    }

    fn send(&self, method: &str, to: &mut impl Write) -> std::io::Result<()> {
        let mut head = format!("HTTP/1.1 {} Status\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let known = self.headers.iter().any(|(name, _)| name == "content-length");
        if !known && !matches!(self.how, How::Endless) && self.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let body = if method == "HEAD" { &[][..] } else { &self.body };
        match self.how {
            How::Silent(time) => {
                std::thread::sleep(time);
                return Ok(());
            }
            How::DripHead(pause) => slowly(head.as_bytes(), pause, to)?,
            _ => to.write_all(head.as_bytes())?,
        }
        match self.how {
            How::Cut(bytes) => to.write_all(&body[..bytes])?,
            How::Drip(pause) => slowly(body, pause, to)?,
            How::Endless => loop {
                to.write_all(body)?;
            },
            _ => to.write_all(body)?,
        }
        to.flush()
    }
}

fn slowly(bytes: &[u8], pause: Duration, to: &mut impl Write) -> std::io::Result<()> {
    for byte in bytes {
        to.write_all(&[*byte])?;
        to.flush()?;
        std::thread::sleep(pause);
    }
    Ok(())
}

type Handler = dyn Fn(&Request) -> Reply + Send + Sync;

/// A server. Its threads end with the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(handler: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, handler)
    }

    /// Starts a server, over TLS if it has a configuration for that.
    pub(crate) fn start_with(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (handler, seen): (Arc<Handler>, _) = (Arc::new(handler), Arc::clone(&log));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (handler, seen, tls) = (Arc::clone(&handler), Arc::clone(&seen), tls.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    match tls {
                        None => serve(stream, &*handler, &seen),
                        Some(tls) => {
                            let connection = ServerConnection::new(tls).unwrap();
                            serve(StreamOwned::new(connection, stream), &*handler, &seen);
                        }
                    }
                });
            }
        });
        Self { address, log }
    }

    /// Returns a URL of the server, by the name of this machine.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// Returns the requests so far.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Returns the methods and paths of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.log().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

fn serve(mut stream: impl Read + Write, handler: &Handler, seen: &Mutex<Vec<Request>>) {
    let Some(request) = read(&mut stream) else { return };
    seen.lock().unwrap().push(request.clone());
    // The client may have ended the connection, which some tests want.
    let _ = handler(&request).send(&request.method, &mut stream);
}

fn read(stream: &mut impl Read) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

/// Passes a request on to another server, and returns its answer. `authorization` takes the place of the header.
pub(crate) fn forward(to: &str, request: &Request, authorization: Option<&str>) -> Reply {
    let mut stream = TcpStream::connect(to).unwrap();
    let mut head = format!("{} {} HTTP/1.0\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        if !["connection", "authorization"].contains(&name.as_str()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    if let Some(value) = authorization {
        head.push_str(&format!("authorization: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(&request.body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut reply = Reply::new(status).body(&answer[end + 4..]);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name = name.to_ascii_lowercase();
        if !["connection", "transfer-encoding"].contains(&name.as_str()) {
            reply = reply.with(&name, value);
        }
    }
    reply
}
