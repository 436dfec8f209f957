//! A server that speaks Cloudflare's API for Workers, as far as deployments use it. It keeps what it is told, writes down
//! every request, and can be told to misbehave.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

pub(crate) const TOKEN: &str = "v1.0-this-is-the-token-of-the-test";
pub(crate) const ACCOUNT: &str = "abc123";
pub(crate) const ZONE: &str = "xyz789";

/// An uploaded script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(crate) metadata: Value,
    /// The media types and the bytes of the modules, by their names.
    pub(crate) modules: BTreeMap<String, (String, Vec<u8>)>,
}

/// What the server does instead of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Trick {
    /// An envelope that reports an error with this status and code.
    Fail(u16, i64),
    /// This status and this `Retry-After`, with no body.
    Later(u16, &'static str),
    /// Half of an announced body, and the end of the connection.
    Half,
    /// A body without an end.
    Endless,
    /// A page of a proxy.
    Page,
    /// An error whose message repeats the token.
    Echo,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) scripts: BTreeMap<String, Script>,
    /// Bindings that were set by hand, by script.
    pub(crate) secrets: BTreeMap<String, Value>,
    pub(crate) workers_dev: BTreeMap<String, bool>,
    pub(crate) routes: Vec<(String, String)>,
    pub(crate) domains: BTreeMap<String, String>,
    pub(crate) accounts: Vec<&'static str>,
    /// The method and the path of every request.
    pub(crate) requests: Vec<String>,
    /// The tricks that the next requests meet, in this order.
    pub(crate) tricks: VecDeque<Trick>,
    /// True if the account has no subdomain of workers.dev.
    pub(crate) no_subdomain: bool,
}

/// The server. Its threads end with the process.
pub(crate) struct Api {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Api {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { accounts: vec![ACCOUNT], ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/client/v4", self.address)
    }

    /// Looks at the state, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    pub(crate) fn script(&self, name: &str) -> Script {
        self.with(|state| state.scripts[name].clone())
    }

    /// Returns the requests that changed something, and forgets all so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        let all = self.with(|state| std::mem::take(&mut state.requests));
        all.into_iter().filter(|request| !request.starts_with("GET ")).collect()
    }

    pub(crate) fn play(&self, tricks: &[Trick]) {
        self.with(|state| state.tricks = tricks.iter().cloned().collect());
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read(&mut reader) else { return };
    let trick = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{} {}", request.method, request.path));
        state.tricks.pop_front()
    };
    // The client may hang up at any time.
    let _ = match trick {
        Some(trick) => misbehave(stream, &trick),
        None => {
            let (status, body) = answer(&request, &mut state.lock().unwrap());
            send(stream, status, "", body.to_string().as_bytes())
        }
    };
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let (method, path) = line.split_once(' ')?;
    let path = path.split_once(' ')?.0.strip_prefix("/client/v4")?.to_owned();
    let method = method.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}

fn send(mut stream: TcpStream, status: u16, headers: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\
         connection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}

fn misbehave(mut stream: TcpStream, trick: &Trick) -> std::io::Result<()> {
    match trick {
        Trick::Fail(status, code) => {
            let (_, body) = failed(*status, *code, "this is what the API says");
            send(stream, *status, "", body.to_string().as_bytes())
        }
        Trick::Echo => {
            let (_, body) = failed(400, 1, &format!("bad header Bearer {TOKEN}"));
            send(stream, 400, "", body.to_string().as_bytes())
        }
        Trick::Later(status, wait) => {
            send(stream, *status, &format!("retry-after: {wait}\r\n"), b"")
        }
        Trick::Page => send(stream, 200, "", b"<html>Please log in</html>"),
        Trick::Half => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"success\":true,")
        }
        Trick::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
    }
}

fn done(result: Value) -> (u16, Value) {
    (200, json!({ "success": true, "errors": [], "messages": [], "result": result }))
}

fn failed(status: u16, code: i64, message: &str) -> (u16, Value) {
    let errors = json!([{ "code": code, "message": message }]);
    (status, json!({ "success": false, "errors": errors, "messages": [], "result": null }))
}

fn answer(request: &Request, state: &mut State) -> (u16, Value) {
    if request.headers.get("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return failed(401, 10000, "Authentication error");
    }
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
    let body = || serde_json::from_slice::<Value>(&request.body).unwrap();
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["accounts"]) => {
            let account = |id: &&str| json!({ "id": id, "name": format!("The account {id}") });
            done(state.accounts.iter().map(account).collect())
        }
        ("GET", ["accounts", ACCOUNT, "workers", "subdomain"]) if state.no_subdomain => {
            failed(404, 10007, "no subdomain")
        }
        ("GET", ["accounts", ACCOUNT, "workers", "subdomain"]) => {
            done(json!({ "subdomain": "acme" }))
        }
        ("GET", ["accounts", ACCOUNT, "workers", "domains"]) => {
            let domain = |(host, service): (&String, &String)| json!({ "hostname": host, "service": service });
            let asked = |host: &String| query == format!("hostname={host}");
            done(state.domains.iter().filter(|(host, _)| asked(host)).map(domain).collect())
        }
        ("PUT", ["accounts", ACCOUNT, "workers", "domains"]) => {
            let body = body();
            assert_eq!(body["zone_id"], ZONE);
            let text = |key: &str| body[key].as_str().unwrap().to_owned();
            state.domains.insert(text("hostname"), text("service"));
            done(body)
        }
        (method, ["accounts", ACCOUNT, "workers", "scripts", name, rest @ ..]) => {
            script(request, state, method, name, rest)
        }
        ("GET", ["zones", ZONE]) => done(json!({ "id": ZONE, "name": "example.com" })),
        ("GET", ["zones", ZONE, "workers", "routes"]) => {
            let route = |(pattern, script): &(String, String)| json!({ "pattern": pattern, "script": script });
            done(state.routes.iter().map(route).collect())
        }
        ("POST", ["zones", ZONE, "workers", "routes"]) => {
            let body = body();
            let text = |key: &str| body[key].as_str().unwrap().to_owned();
            state.routes.push((text("pattern"), text("script")));
            done(body)
        }
        _ => failed(404, 7003, "Could not route to this path"),
    }
}

fn script(
    request: &Request,
    state: &mut State,
    method: &str,
    name: &str,
    rest: &[&str],
) -> (u16, Value) {
    let exists = state.scripts.contains_key(name);
    match (method, rest) {
        ("PUT", []) => {
            state.scripts.insert(name.to_owned(), uploaded(request));
            done(json!({ "id": name }))
        }
        (_, _) if !exists => failed(404, 10007, "This Worker does not exist on your account."),
        ("GET", ["settings"]) => {
            let mut bindings = state.scripts[name].metadata["bindings"].as_array().unwrap().clone();
            bindings.extend(state.secrets.get(name).cloned());
            done(json!({ "bindings": bindings }))
        }
        ("GET", ["subdomain"]) => {
            done(json!({ "enabled": state.workers_dev.get(name).copied().unwrap_or(false) }))
        }
        ("POST", ["subdomain"]) => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            state.workers_dev.insert(name.to_owned(), body["enabled"].as_bool().unwrap());
            done(body)
        }
        _ => failed(404, 7003, "Could not route to this path"),
    }
}

/// Takes the parts of an upload apart.
fn uploaded(request: &Request) -> Script {
    let kind = &request.headers["content-type"];
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let mark = format!("--{boundary}");
    let mut script = Script::default();
    let mut rest = request.body.as_slice().strip_prefix(mark.as_bytes()).unwrap();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, format!("\r\n{mark}").as_bytes()).unwrap();
        let head = find(part, b"\r\n\r\n").unwrap();
        let lines = std::str::from_utf8(&part[..head]).unwrap();
        let between = |from: &str, to: &str| {
            let text = lines.split_once(from)?.1;
            Some(text.split_once(to).map_or(text, |(text, _)| text).to_owned())
        };
        let (name, kind) =
            (between("name=\"", "\"").unwrap(), between("Content-Type: ", "\r\n").unwrap());
        let body = part[head + 4..end].to_vec();
        match between("filename=\"", "\"") {
            None => script.metadata = serde_json::from_slice(&body).unwrap(),
            Some(file) => {
                assert_eq!(file, name);
                assert!(script.modules.insert(name, (kind, body)).is_none());
            }
        }
        rest = &part[end + 2 + mark.len()..];
    }
    assert_eq!(rest, b"--\r\n");
    script
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
