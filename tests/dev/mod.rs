//! `run dev`: it serves what is built, follows edits, and loses no request.
//!
//! Most tests serve a ready-made component that they change on disk, which takes no compiler.

mod browser;
mod client;
mod commands;
mod edits;
mod limits;
mod pages;
mod serving;

use std::io::{BufRead as _, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Answer, get};

use crate::harness::Workspace;

/// The time after which somebody waits in vain. It ends nothing but a hang: whoever needs a toolchain first waits for its download.
const PATIENCE: Duration = Duration::from_secs(400);

/// A development server that runs, and is killed with its workspace.
pub(crate) struct Dev {
    process: Child,
    /// The address, such as `127.0.0.1:41234`.
    pub(crate) address: String,
    /// The text that it has printed on standard error.
    said: Arc<Mutex<String>>,
}

/// Returns the bytes of the component of `tests/fixtures/dev`, in which `page-0000` is replaced by another text of this
/// length.
pub(crate) fn page(name: &str) -> Vec<u8> {
    replaced("page", b"page-0000", name)
}

/// Returns the command of `tests/fixtures/dev`, in which `tool-0000` is replaced by another text of this length.
pub(crate) fn tool(name: &str) -> Vec<u8> {
    replaced("tool", b"tool-0000", name)
}

fn replaced(component: &str, from: &[u8], to: &str) -> Vec<u8> {
    static BUILT: std::sync::OnceLock<Workspace> = std::sync::OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let workspace = Workspace::fixture("dev");
        // Small components take less time to compile to machine code.
        workspace.run(["build", "--release"]).ok();
        workspace
    });
    let mut bytes = built.read(&format!("target/wasm/{component}.wasm"));
    assert_eq!(from.len(), to.len());
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// Makes a project with ready-made components: each one's name, its bytes, and further lines of run.toml.
pub(crate) fn ready_made(components: &[(&str, Vec<u8>, &str)], rest: &str) -> Workspace {
    let mut toml = "[project]\nname = \"pages\"\nversion = \"0.1.0\"\n".to_owned();
    let workspace = Workspace::new();
    for (name, bytes, more) in components {
        workspace.write(&format!("{name}.wasm"), bytes);
        toml += &format!("\n[[component]]\nname = \"{name}\"\npath = \"{name}.wasm\"\n");
        toml += "capabilities = [\"http-server\", \"stdio\"]\n";
        toml += more;
        toml.push('\n');
    }
    workspace.file("run.toml", toml + rest)
}

impl Dev {
    /// Starts `run dev --port 0` with further arguments, and waits for its address.
    pub(crate) fn start(workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut all = vec!["dev", "--port", "0"];
        all.extend(arguments);
        let mut process = workspace.spawn(&all);
        let stderr = BufReader::new(process.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut said = heard.lock().unwrap_or_else(PoisonError::into_inner);
                said.push_str(&line);
                said.push('\n');
            }
        });
        let mut first = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut first).unwrap();
        let this = |address: &str| Self { process, address: address.to_owned(), said };
        match first.trim_end().strip_prefix("http://") {
            Some(address) => this(address),
            None => panic!("the first line is {first:?}\n{}", this("").said()),
        }
    }

    /// Returns what it has printed on standard error so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a path as a program does.
    pub(crate) fn get(&self, path: &str) -> Answer {
        get(&self.address, path, &[])
    }

    /// Asks for a path as a browser does.
    pub(crate) fn browse(&self, path: &str) -> Answer {
        get(&self.address, path, &[("accept", "text/html,*/*;q=0.8")])
    }

    /// Waits until a path answers with this status and a text.
    #[track_caller]
    pub(crate) fn wait_for(&self, path: &str, status: u16, text: &str) -> Answer {
        self.wait(&format!("{path} to answer {status} {text:?}"), || {
            let answer = self.get(path);
            (answer.status == status && answer.text().contains(text)).then_some(answer)
        })
    }

    /// Waits until it has printed a text.
    #[track_caller]
    pub(crate) fn wait_until_said(&self, text: &str) {
        self.wait(&format!("it to say {text:?}"), || self.said().contains(text).then_some(()));
    }

    /// Waits until there is something.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < until, "waited for {what} in vain; it said:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns the status as JSON.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/_run/status.json").text()).unwrap()
    }

    /// Sends a signal, and returns the exit code and the time that it took to end.
    pub(crate) fn stop(mut self, signal: rustix::process::Signal) -> (Option<i32>, Duration) {
        let began = Instant::now();
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), signal)
            .unwrap();
        let status = self.process.wait().unwrap();
        (status.code(), began.elapsed())
    }

    /// Returns the number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // It has ended already if the test stopped it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
