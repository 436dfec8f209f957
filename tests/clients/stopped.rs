//! Tests a client that waits for a server that never answers. It ends at once when the build is stopped by a
//! signal, and when the build is killed.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::registry::{COMPONENTS, Pins, write_project};
use crate::harness::Workspace;

/// The time in which a build has to end.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The time in which a client has to send its request. It is long, because other tests use the machine as
/// well.
const BEGINNING: Duration = Duration::from_secs(60);

/// Registries that accept connections and never answer.
struct Silent {
    workspace: Workspace,
    listener: TcpListener,
}

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let workspace = Workspace::new();
        let pins = Pins::make(&workspace.root().join("registries"), &url);
        let workspace = workspace.with_registries(&url);
        write_project(&workspace, ".", &pins);
        Self { workspace, listener }
    }

    /// Starts the build of a component, and returns once its client has asked the registry.
    fn begin(&self, component: &str) -> (Child, TcpStream) {
        let mut build = self.workspace.spawn(&["build", "-p", component]);
        let begin = Instant::now();
        let connection = loop {
            match self.listener.accept() {
                Ok((connection, _)) => break connection,
                Err(_) if begin.elapsed() < BEGINNING => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => {
                    let _ = build.kill();
                    panic!("{component}: nothing was asked for: {error}");
                }
            }
            assert!(build.try_wait().unwrap().is_none(), "{component}: the build has ended");
        };
        connection.set_nonblocking(false).unwrap();
        connection.set_read_timeout(Some(AT_ONCE)).unwrap();
        (build, connection)
    }
}

/// Returns true if the client has closed its end of the connection, as it does when it ends.
fn is_closed(mut connection: &TcpStream) -> bool {
    let begin = Instant::now();
    let mut buffer = [0; 4096];
    while begin.elapsed() < AT_ONCE {
        match connection.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
    false
}

#[test]
fn a_signal_ends_build_and_client() {
    let silent = Silent::new();
    for component in COMPONENTS {
        let (mut build, connection) = silent.begin(component);
        let begin = Instant::now();
        let pid = build.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = build.wait().unwrap();
        let took = begin.elapsed();
        assert!(took < AT_ONCE, "{component}: {took:?}");
        assert_eq!(status.code(), Some(8), "{component}");
        assert!(is_closed(&connection), "{component}: the client lives on");
    }
}

#[test]
fn a_killed_build_takes_its_clients_along() {
    let silent = Silent::new();
    for component in COMPONENTS {
        let (mut build, connection) = silent.begin(component);
        build.kill().unwrap();
        build.wait().unwrap();
        assert!(is_closed(&connection), "{component}: the client lives on");
    }
}
