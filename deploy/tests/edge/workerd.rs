//! Runs workerd with modules that the server got, and sends requests to it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};

use tempfile::TempDir;

use crate::api::Script;
use crate::packages;

/// A running workerd. It is stopped when this is dropped.
pub(crate) struct Workerd {
    child: Child,
    address: SocketAddr,
    /// What it wrote to standard output and standard error.
    said: Arc<Mutex<String>>,
    _folder: TempDir,
}

/// An answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Workerd {
    /// Starts workerd with an uploaded script, its bindings and its compatibility date.
    pub(crate) fn start(script: &Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut modules = String::new();
        let main = script.metadata["main_module"].as_str().unwrap();
        let first = |name: &&String| name.as_str() != main;
        let mut names: Vec<_> = script.modules.keys().collect();
        names.sort_by_key(first);
        for name in names {
            let (kind, bytes) = &script.modules[name];
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
            let kind = if kind == "application/wasm" { "wasm" } else { "esModule" };
            let _ = writeln!(modules, "(name = \"{name}\", {kind} = embed \"{name}\"),");
        }
        let mut bindings = String::new();
        for binding in script.metadata["bindings"].as_array().unwrap() {
            let _ = write!(bindings, "(name = {}, text = {}), ", binding["name"], binding["text"]);
        }
        let config = format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\
             const config :Workerd.Config = (services = [(name = \"main\", worker = .made), \
             (name = \"internet\", network = (allow = [\"local\", \"private\", \"public\"]))], \
             sockets = [(name = \"http\", address = \"127.0.0.1:0\", http = (), service = \"main\")]);\n\
             const made :Workerd.Worker = (globalOutbound = \"internet\", bindings = [{bindings}], \
             compatibilityDate = {}, modules = [\n{modules}]);\n",
            script.metadata["compatibility_date"]
        );
        fs::write(folder.path().join("config.capnp"), config).unwrap();
        let mut command = Command::new(packages::workerd());
        command.args(["serve", "config.capnp", "--control-fd=1"]).current_dir(&folder);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        listen(child.stderr.take().unwrap(), &said);
        let mut control = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            let read = control.read_line(&mut line).unwrap();
            assert!(read > 0, "workerd did not start: {}", said.lock().unwrap());
            let event: Result<serde_json::Value, _> = serde_json::from_str(&line);
            if let Some(port) = event.ok().and_then(|event| event["port"].as_u64()) {
                break u16::try_from(port).unwrap();
            }
        };
        listen(control, &said);
        Self { child, address: ([127, 0, 0, 1], port).into(), said, _folder: folder }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", b"")
    }

    /// Sends a request and reads the whole answer. `headers` are lines with their ends.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: edge.example\r\ncontent-length: {length}\r\n{headers}\
             connection: close\r\n\r\n"
        )
        .unwrap();
        stream.write_all(body).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let end =
            all.windows(4).position(|part| part == b"\r\n\r\n").expect("the answer has a head");
        let head = String::from_utf8(all[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: all[end + 4..].to_vec() }
    }

    /// Waits until workerd has written a text.
    pub(crate) fn wait_for(&self, text: &str) {
        for _ in 0..100 {
            if self.said.lock().unwrap().contains(text) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("workerd did not write `{text}`: {}", self.said.lock().unwrap());
    }
}

/// Collects what is written to a pipe, line by line.
fn listen(pipe: impl Read + Send + 'static, said: &Arc<Mutex<String>>) {
    let said = Arc::clone(said);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    });
}

impl Drop for Workerd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
