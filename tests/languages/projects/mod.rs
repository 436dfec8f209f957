//! Tests small projects in the style of well-known ones. Each is built and run in an ordinary environment of
//! ten variables, with arguments and standard input.

use std::net::SocketAddr;

use crate::first_build::ask;
use crate::harness::{self, Workspace};

mod go;
mod javascript;
mod python;
mod rust;

/// The variables that a shell passes to every program. The tenth is the program's own.
const ORDINARY: [(&str, &str); 9] = [
    ("HOME", "/home/ada"),
    ("LANG", "en_GB.UTF-8"),
    ("LOGNAME", "ada"),
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("PWD", "/home/ada/projects/tools"),
    ("SHELL", "/bin/bash"),
    ("TERM", "xterm-256color"),
    ("TMPDIR", "/tmp"),
    ("USER", "ada"),
];

/// A program that has been loaded.
struct Program {
    name: &'static str,
    loaded: runtime::Loaded,
    asynchronous: tokio::runtime::Runtime,
}

/// The result of a run: the exit status, standard output and standard error.
type Ended = (i32, String, String);

impl Program {
    fn of(workspace: &Workspace, name: &'static str) -> Self {
        let component = workspace.read(&format!("target/wasm/{name}.wasm"));
        let asynchronous = tokio::runtime::Runtime::new().unwrap();
        Self { name, loaded: harness::load(&component), asynchronous }
    }

    /// Runs it with one more variable.
    fn run(&self, (name, value): (&str, &str), arguments: &[&str], stdin: &str) -> Ended {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let command = runtime::CommandInput {
            args: [self.name].iter().chain(arguments).map(|word| (*word).to_owned()).collect(),
            env: ORDINARY.into_iter().chain([(name, value)]).map(owned).collect(),
            stdin: runtime::Stdin::Bytes(stdin.to_owned().into()),
        };
        let output = self.asynchronous.block_on(self.loaded.run(&command)).unwrap();
        let runtime::Exit::Status(status) = output.exit else { panic!("{output:?}") };
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (status, out, err)
    }

    /// Runs it, checks that it succeeds, and returns what it prints.
    #[track_caller]
    fn prints(&self, own: (&str, &str), arguments: &[&str], stdin: &str) -> String {
        let (status, out, err) = self.run(own, arguments, stdin);
        assert_eq!((status, err.as_str()), (0, ""), "{out}");
        out
    }

    /// Runs it, checks that it fails, and returns its status and its message.
    #[track_caller]
    fn fails(&self, own: (&str, &str), arguments: &[&str], stdin: &str) -> (i32, String) {
        let (status, out, err) = self.run(own, arguments, stdin);
        assert!(status != 0 && out.is_empty(), "{status}\n{out}\n{err}");
        (status, err)
    }

    /// Serves HTTP while `asking` sends requests.
    fn serves(&self, asking: impl FnOnce(Service) + Send + 'static) {
        self.asynchronous.block_on(async {
            let server = self.loaded.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let service = Service(server.address());
            tokio::task::spawn_blocking(move || asking(service)).await.unwrap();
            server.shutdown().await;
        });
    }
}

/// A program that serves HTTP.
struct Service(SocketAddr);

impl Service {
    fn get(&self, path: &str) -> (u16, String) {
        let answer = ask(self.0, "GET", path, "", "");
        (answer.status, answer.body)
    }

    fn post(&self, path: &str, body: &str) -> (u16, String) {
        let answer = ask(self.0, "POST", path, "content-type: text/plain\r\n", body);
        (answer.status, answer.body)
    }
}
