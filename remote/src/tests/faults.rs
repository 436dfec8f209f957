//! Servers that fail or lie. Nothing wrong may get into the store, nothing may hang, and all has to work again once the
//! server does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use cache::{Digest, DigestFunction, reapi};
use prost::Message as _;

use super::server::{Fault, Op, Server, Speaks};
use super::{Place, Sample, client, client_of, never, settings, troubles, with_both};
use crate::{Content, Kept};

/// No call of a test may take longer.
const SOON: Duration = Duration::from_secs(4);

fn filled(server: &Server, function: DigestFunction, large: usize) -> Sample {
    let sample = Sample::new(function, large);
    let kept = client_of(server).keep(&sample.key, &sample.result, &sample.place.store, &never);
    assert_eq!(kept, Kept::Uploaded);
    server.shared.log.lock().unwrap().clear();
    sample
}

/// Returns what a client says of a fault, with the host and digests replaced.
fn told(client: &crate::Client, server: &Server) -> Vec<String> {
    let host = server.address.to_string();
    let mut told = troubles(client);
    for text in &mut told {
        *text = text.replace(&host, "HOST");
    }
    told
}

#[test]
fn wrong_bytes_never_get_into_the_store() {
    for large in [300 << 10, 5 << 20] {
        with_both(|server, function| {
            let sample = filled(&server, function, large);
            for fault in [Fault::Flip, Fault::Short, Fault::Other, Fault::Bomb] {
                for content in [sample.large, sample.small] {
                    let (there, client) = (Place::new(function), client_of(&server));
                    server.fail(Op::ReadBlob, fault, usize::MAX);
                    let started = Instant::now();
                    assert!(!client.fetch(&[Content::File(content)], &there.store, &never));
                    assert!(started.elapsed() < SOON, "{fault:?} took {:?}", started.elapsed());
                    let expect = format!("the cache at HOST sent wrong bytes for {content}");
                    assert_eq!(told(&client, &server), [expect], "{fault:?}");
                    assert!(!there.store.contains(&content), "{fault:?}");
                    server.mend();
                    assert!(client.fetch(&[Content::File(content)], &there.store, &never));
                }
            }
        });
    }
}

#[test]
fn a_lie_about_a_directory_ends_a_tree() {
    with_both(|server, function| {
        let hostile = reapi::Directory {
            files: vec![reapi::FileNode { name: "../up".to_owned(), ..Default::default() }],
            ..Default::default()
        };
        for bytes in [hostile.encode_to_vec(), b"\xff\xff no message".to_vec()] {
            let digest = Digest::of(function, &bytes);
            server.shared.blobs.lock().unwrap().insert(digest.hex(), bytes);
            let (there, client) = (Place::new(function), client_of(&server));
            assert!(!client.fetch(&[Content::Tree(digest)], &there.store, &never));
            let expect = format!("the cache at HOST has no usable directory under {digest}");
            assert_eq!(told(&client, &server), [expect]);
        }
    });
}

#[test]
fn what_may_pass_is_tried_again() {
    with_both(|server, function| {
        let sample = filled(&server, function, 300 << 10);
        for fault in [Fault::Status(429), Fault::Status(503), Fault::Broken] {
            let (there, client) = (Place::new(function), client_of(&server));
            client.negotiate(&never).unwrap();
            server.fail(Op::ReadResult, fault, 2);
            if fault != Fault::Broken {
                assert!(client.result(&sample.key, &never).is_some(), "{fault:?}");
            }
            server.mend();
            server.fail(Op::ReadBlob, fault, 2);
            assert!(
                client.fetch(&[Content::File(sample.large)], &there.store, &never),
                "{fault:?}"
            );
            assert_eq!(told(&client, &server), [""; 0]);
            server.mend();
        }
    });
}

#[test]
fn what_does_not_pass_is_told_once_and_not_tried_again() {
    with_both(|server, function| {
        let sample = filled(&server, function, 1000);
        let check = |status: u16, expect: [&str; 2], opens: bool| {
            let client = client_of(&server);
            client.negotiate(&never).unwrap();
            let before = client.traffic().round_trips;
            server.fail(Op::ReadResult, Fault::Status(status), usize::MAX);
            assert_eq!(client.result(&sample.key, &never), None);
            assert_eq!(client.traffic().round_trips, before + 1, "{status}");
            assert_eq!(client.is_down(), opens, "{status}");
            let expect = expect[usize::from(server.speaks == Speaks::Grpc)];
            let expect = (!expect.is_empty()).then(|| format!("the cache at HOST {expect}"));
            assert_eq!(told(&client, &server), Vec::from_iter(expect));
            client.result(&sample.key, &never);
            assert_eq!(told(&client, &server), [""; 0], "each kind is told once");
            server.mend();
        };
        let refused = [
            "refused to read a result: it answered 401",
            "refused to read a result: it answered UNAUTHENTICATED (no)",
        ];
        check(401, refused, true);
        let denied = [
            "refused to read a result: it answered 403",
            "refused to read a result: it answered PERMISSION_DENIED (no)",
        ];
        check(403, denied, true);
        let rejected = [
            "rejected a request to read a result: it answered 400",
            "rejected a request to read a result: it answered INVALID_ARGUMENT (no)",
        ];
        check(400, rejected, false);
        check(404, ["", ""], false);
    });
}

#[test]
fn a_result_that_is_none_is_a_miss() {
    let server = Server::start(Speaks::Http);
    let key = Digest::of(DigestFunction::Sha256, b"key");
    server.shared.results.lock().unwrap().insert(key.hex(), b"\xff\xff\xff".to_vec());
    let client = client_of(&server);
    assert_eq!(client.result(&key, &never), None);
    let expect = "the cache at HOST rejected a request to read a result: \
                  it answered a body that is no result";
    assert_eq!(told(&client, &server), [expect]);
}

#[test]
fn slow_and_silent_servers_end_at_the_deadline() {
    for large in [30 << 10, 5 << 20] {
        with_both(|server, function| {
            let sample = filled(&server, function, large);
            for fault in [Fault::Silence, Fault::Dribble] {
                let there = Place::new(function);
                let client = client(crate::Settings { retries: 0, ..settings(&server.url()) });
                client.negotiate(&never).unwrap();
                server.fail(Op::ReadBlob, fault, usize::MAX);
                let started = Instant::now();
                assert!(!client.fetch(&[Content::File(sample.large)], &there.store, &never));
                assert!(started.elapsed() < SOON, "{fault:?} took {:?}", started.elapsed());
                assert_eq!(told(&client, &server).len(), 1);
                assert!(!there.store.contains(&sample.large));
                server.mend();
            }
        });
    }
}

#[test]
fn a_dead_server_is_left_alone_and_found_again() {
    for (speaks, function) in
        [(Speaks::Http, DigestFunction::Sha256), (Speaks::Grpc, DigestFunction::Blake3)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let url = match speaks {
            Speaks::Http => format!("http://{address}/cache"),
            Speaks::Grpc => format!("grpc://{address}"),
        };
        let client = client(settings(&url));
        let key = Digest::of(function, b"key");
        for _ in 0..3 {
            assert!(!client.is_down());
            assert_eq!(client.result(&key, &never), None);
        }
        assert!(client.is_down());
        let before = client.traffic();
        for _ in 0..100 {
            assert_eq!(client.result(&key, &never), None);
        }
        assert_eq!(client.traffic(), before, "an open breaker lets nothing through");
        let told = troubles(&client);
        let expect = format!("the cache at {address} can't be reached: ");
        assert!(told.len() == 1 && told[0].starts_with(&expect), "{told:?}");
        assert!(told[0].contains("onnection refused"), "{told:?}");

        let server = Server::start_on(speaks, TcpListener::bind(address).unwrap());
        let result = reapi::ActionResult { exit_code: 7, ..Default::default() };
        server.shared.results.lock().unwrap().insert(key.hex(), result.encode_to_vec());
        let until = Instant::now() + SOON;
        while client.result(&key, &never).is_none() {
            assert!(Instant::now() < until, "the breaker closes again");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(!client.is_down());
    }
}

#[test]
fn a_dead_server_can_not_be_negotiated_with() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(settings(&format!("grpc://{address}")));
    let trouble = client.negotiate(&never).unwrap_err().to_string();
    assert!(
        trouble.starts_with(&format!("the cache at {address} can't be reached: ")),
        "{trouble}"
    );
    let sample = Sample::new(DigestFunction::Blake3, 1000);
    let there = Place::new(DigestFunction::Blake3);
    assert!(!client.fetch(&sample.contents(), &there.store, &never));
    assert_eq!(troubles(&client), [""; 0], "what the answer said is not told again");
}
