//! Tests that a build with nothing to do opens no connection, and that this never leaves a cache without what it should have.

use std::io::copy;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::servers::Server;
use super::{SOME, other_machine};
use crate::harness::{Run, Workspace};

/// A line to a server, which counts the connections.
struct Line {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Line {
    fn to(server: &Server) -> Self {
        let (scheme, place) = server.url.split_once("://").unwrap();
        let (place, connections) = (place.to_owned(), Arc::<AtomicUsize>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let counter = Arc::clone(&connections);
        // The thread ends with the tests.
        std::thread::spawn(move || {
            for near in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                carry(&near.unwrap(), &TcpStream::connect(&place).unwrap());
            }
        });
        Self { url, connections }
    }

    /// Returns the number of connections since the last call.
    fn connections(&self) -> usize {
        self.connections.swap(0, Ordering::SeqCst)
    }
}

/// Carries bytes in both directions, on threads of its own.
fn carry(near: &TcpStream, far: &TcpStream) {
    for (from, to) in [(near, far), (far, near)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            // A connection that breaks has ended, too.
            _ = copy(&mut from, &mut to);
            _ = to.shutdown(Shutdown::Write);
        });
    }
}

#[test]
fn a_build_with_nothing_to_do_opens_no_connection() {
    let server = Server::cluster();
    let line = Line::to(&server);
    let machine = Workspace::example("polyglot");
    let build = |more: &[&str]| {
        let flags = ["build", "--remote", &line.url, "--execute", &line.url];
        let run = machine.run_all(&[&flags, more, &SOME].concat()).ok();
        (run, line.connections())
    };
    let (first, connections) = build(&["--upload"]);
    assert!(connections > 0, "{}", first.stderr);
    // What takes too long on a busy machine is made up for by the next build.
    assert!((0..5).any(|_| build(&["--upload"]).1 == 0));
    for more in [&[][..], &["--upload"]] {
        let (idle, connections) = build(more);
        assert_eq!((idle.ran().len(), connections), (0, 0), "{more:?}: {}", idle.stderr);
    }
    // A job whose purpose is to fill the cache asks it.
    let (filling, connections) = build(&["--upload", "--remote-required"]);
    assert_eq!(filling.ran(), Vec::<&str>::new());
    assert!(connections > 0, "{}", filling.stderr);
}

#[test]
fn what_a_cache_has_forgotten_is_uploaded_again_after_an_hour() {
    let server = Server::nginx();
    let machine = Workspace::example("polyglot");
    let upload = |later: Option<&str>| -> Run {
        let flags = [&["build", "--remote", &server.url, "--upload"][..], &SOME].concat();
        match later {
            Some(later) => machine.run_through(&["faketime", "-f", later], &flags).ok(),
            None => machine.run_all(&flags).ok(),
        }
    };
    let is_uploaded = |run: &Run| run.stderr.contains(" uploaded in ");
    // What takes too long on a busy machine is made up for by the next build.
    let complete = |later| (0..5).any(|_| !is_uploaded(&upload(later)));
    assert!(is_uploaded(&upload(None)));
    assert!(complete(None));
    for folder in ["ac", "cas"] {
        std::fs::remove_dir_all(server.folder.path().join("data").join(folder)).unwrap();
    }
    assert!(!is_uploaded(&upload(None)), "it is believed to have everything for a while");
    let again = upload(Some("+2h"));
    assert!(is_uploaded(&again), "{}", again.stderr);
    assert!(complete(Some("+2h")));
    let other = other_machine();
    let flags = [&["build", "--remote", &server.url, "--remote-required"][..], &SOME].concat();
    let run = other.run_all(&flags).ok();
    assert_eq!(run.ran(), Vec::<&str>::new(), "{}", run.stderr);
}
