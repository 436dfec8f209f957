//! Tests what both protocols do with a server that works.

use std::time::{Duration, Instant};

use cache::{DigestFunction, Entry, Tree, reapi};
use prost::Message as _;

use super::server::{Op, Server, Speaks};
use super::{Place, Sample, client, client_of, hurdle, never, settings, troubles, with_both};
use crate::{ClientCertificate, Content, Header, Kept, Proxies, Tls, Trouble};

/// Uploads a sample from one machine, and has another one fetch it. Fails with `what` if not all of it arrives.
pub(super) fn round_trip(server: &Server, function: DigestFunction, what: &str) {
    let sample = Sample::new(function, 300 << 10);
    let here = client_of(server);
    assert_eq!(here.negotiate(&never), Ok(function), "{what}");
    let kept = here.keep(&sample.key, &sample.result, &sample.place.store, &never);
    assert_eq!((kept, troubles(&here)), (Kept::Uploaded, vec![]), "{what}");
    assert!(server.is_sound(function), "{what}");
    let kept = here.keep(&sample.key, &sample.result, &sample.place.store, &never);
    assert_eq!(kept, Kept::AlreadyThere, "{what}");

    let (there, other) = (Place::new(function), client_of(server));
    assert_eq!(other.negotiate(&never), Ok(function), "{what}");
    assert_eq!(other.result(&sample.key, &never).as_ref(), Some(&sample.result), "{what}");
    assert!(other.fetch(&sample.contents(), &there.store, &never), "{what}");
    assert!(sample.is_in(&there.store), "{what}");
    assert_eq!(troubles(&other), [""; 0], "{what}");
    let before = other.traffic();
    assert!(other.fetch(&sample.contents(), &there.store, &never));
    assert_eq!(other.traffic(), before, "what is there is not fetched again");
}

#[test]
fn results_travel_with_all_their_blobs() {
    with_both(|server, function| round_trip(&server, function, "plain"));
}

#[test]
fn the_action_travels_with_its_result() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let store = &sample.place.store;
        let kept = client_of(&server).keep(&sample.key, &sample.result, store, &never);
        assert_eq!(kept, Kept::Uploaded);
        let action = reapi::Action::decode(&*store.get(&sample.key).unwrap().unwrap()).unwrap();
        let read = |digest: Option<reapi::Digest>| {
            cache::Digest::from_reapi(function, &digest.unwrap()).unwrap()
        };
        let root = read(action.input_root_digest);
        for digest in [sample.key, read(action.command_digest), root] {
            assert!(server.has(&digest), "{digest}");
        }
        // A server may answer a hit only if it has every directory of the outputs.
        let tree = store.directory(&sample.tree).unwrap().unwrap();
        for entry in tree.entries.values() {
            if let Entry::Subtree(digest) = entry {
                assert!(server.has(digest));
            }
        }
        let source = cache::Digest::of(function, b"int main;");
        assert!(!server.has(&source), "the contents of inputs stay here");
        let last = server.shared.log.lock().unwrap().pop().unwrap();
        assert_eq!(last, format!("PUT ac/{}", sample.key.hex()), "the result goes last");
    });
}

#[test]
fn what_the_server_lacks_is_a_miss() {
    with_both(|server, function| {
        let sample = Sample::new(function, 300 << 10);
        let client = client_of(&server);
        assert_eq!(client.result(&sample.key, &never), None);
        let there = Place::new(function);
        assert!(!client.fetch(&sample.contents(), &there.store, &never));
        assert!(!client.fetch(&[Content::File(sample.large)], &there.store, &never));
        assert_eq!(troubles(&client), [""; 0]);
        assert!(!client.is_down());
    });
}

#[test]
fn the_digest_function_is_negotiated() {
    let check = |functions: &[i32], wanted, expect: Result<DigestFunction, Trouble>| {
        let server = Server::start(Speaks::Grpc).odd(|odd| odd.functions = functions.to_vec());
        let client = client(crate::Settings { digest_function: wanted, ..settings(&server.url()) });
        let expect = expect.map_err(|trouble| trouble.to_string());
        let host = server.address.to_string();
        let negotiated = client.negotiate(&never);
        let negotiated = negotiated.map_err(|trouble| trouble.to_string().replace(&host, "HOST"));
        assert_eq!(negotiated, expect, "{functions:?}");
    };
    use DigestFunction::{Blake3, Sha256};
    let refused = |wanted| Err(Trouble::DigestFunction { host: "HOST".to_owned(), wanted });
    check(&[1, 9], None, Ok(Blake3));
    check(&[1, 4711], None, Ok(Sha256));
    check(&[1, 9], Some(Sha256), Ok(Sha256));
    check(&[1], Some(Blake3), refused(Some(Blake3)));
    check(&[2], None, refused(None));
    let server = Server::start(Speaks::Http);
    let forced = crate::Settings { digest_function: Some(Blake3), ..settings(&server.url()) };
    assert_eq!(client(forced).negotiate(&never), Ok(Blake3));
    assert_eq!(client_of(&server).negotiate(&never), Ok(Sha256));
}

#[test]
fn many_small_files_cost_few_round_trips() {
    let server = Server::start(Speaks::Grpc);
    let here = Place::new(DigestFunction::Blake3);
    let mut tree = Tree::default();
    for number in 0..1000 {
        let digest = here.store.put(format!("content {number}").as_bytes()).unwrap();
        server
            .shared
            .blobs
            .lock()
            .unwrap()
            .insert(digest.hex(), here.store.get(&digest).unwrap().unwrap());
        let entry = Entry::File { digest, executable: false };
        tree.insert(&format!("a{}/b/f{number}", number % 50), entry).unwrap();
    }
    let (root, messages) = tree.digest(DigestFunction::Blake3).unwrap();
    for (digest, bytes) in messages {
        server.shared.blobs.lock().unwrap().insert(digest.hex(), bytes);
    }
    let (there, client) = (Place::new(DigestFunction::Blake3), client_of(&server));
    assert!(client.fetch(&[Content::Tree(root)], &there.store, &never));
    assert!(there.store.contains_tree(&root).unwrap());
    let traffic = client.traffic();
    // The capabilities, three levels of directories, and one batch of files.
    assert_eq!(traffic.round_trips, 5, "{traffic:?}");
    assert_eq!(traffic.blobs_down, 1000 + 1 + 50 + 50);
}

#[test]
fn threads_that_want_the_same_share_it() {
    with_both(|server, function| {
        let sample = Sample::new(function, 300 << 10);
        client_of(&server).keep(&sample.key, &sample.result, &sample.place.store, &never);
        let (there, client) = (Place::new(function), client_of(&server));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(client.fetch(&sample.contents(), &there.store, &never)));
            }
        });
        assert!(sample.is_in(&there.store));
        let reads = server.count(&format!("GET cas/{}", sample.large.hex()));
        assert_eq!(reads, 1, "the large file is read once");
    });
}

#[test]
fn headers_go_with_every_call() {
    with_both(|server, function| {
        let headers = vec![Header::new("X-Token", "secret").unwrap()];
        let with_headers = crate::Settings { headers, ..settings(&server.url()) };
        assert!(!format!("{with_headers:?}").contains("secret"));
        client(with_headers).result(&cache::Digest::of(function, b"key"), &never);
        assert_eq!(server.count("token secret"), 1);
    });
}

#[test]
fn tls_checks_both_sides() {
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&issuer_key).unwrap();
    let issuer = rcgen::Issuer::new(parameters, issuer_key);
    let issue = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (made.signed_by(&key, &issuer).unwrap(), key)
    };
    let ((server_certificate, server_key), (client_certificate, client_key)) =
        (issue("localhost"), issue("client"));
    with_both(|server, function| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            std::sync::Arc::new(roots),
            std::sync::Arc::clone(&provider),
        );
        let key = rustls_pki_types::PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![server_certificate.der().clone()], key)
            .unwrap();
        let alpn: &[u8] = if server.speaks == Speaks::Grpc { b"h2" } else { b"http/1.1" };
        config.alpn_protocols = vec![alpn.to_vec()];
        let port = hurdle::tls(server.address, config).port();
        let url = match server.speaks {
            Speaks::Http => format!("https://localhost:{port}/cache"),
            Speaks::Grpc => format!("grpcs://localhost:{port}"),
        };
        let roots = Some(root.pem().into_bytes());
        let certificate = client_certificate.pem().into_bytes();
        let key = client_key.serialize_pem().into_bytes();
        let own = Some(ClientCertificate { certificate, key });
        let check = |tls: Tls, expect: usize| {
            let client = client(crate::Settings { tls, retries: 0, ..settings(&url) });
            client.result(&cache::Digest::of(function, b"key"), &never);
            assert_eq!(troubles(&client).len(), expect);
        };
        check(Tls { roots: roots.clone(), client: own.clone() }, 0);
        check(Tls { roots, client: None }, 1);
        check(Tls { roots: None, client: own }, 1);
    });
}

#[test]
fn grpc_goes_through_a_proxy() {
    let server = Server::start(Speaks::Grpc);
    let proxy = hurdle::proxy(server.address);
    let check = |login: &str, expect: usize| {
        let http = Some(format!("http://{login}{proxy}"));
        let proxies = Proxies { http, ..Proxies::default() };
        let behind = crate::Settings { proxies, ..settings("grpc://cache.example:9092") };
        let client = client(behind);
        client.result(&cache::Digest::of(DigestFunction::Blake3, b"key"), &never);
        assert_eq!(troubles(&client).len(), expect);
    };
    check("user:pass@", 0);
    check("", 1);
    assert_eq!(server.count("GET ac/"), 1);
}

#[test]
fn a_cancelled_call_ends_soon() {
    with_both(|server, function| {
        let sample = Sample::new(function, 1000);
        let slow = crate::Settings {
            timeout: Duration::from_secs(60),
            retries: 9,
            ..settings(&server.url())
        };
        let client = client(slow);
        client.negotiate(&never).unwrap();
        server.fail(Op::Any, super::server::Fault::Silence, usize::MAX);
        let there = Place::new(function);
        let check = |call: &dyn Fn(&(dyn Fn() -> bool + Sync))| {
            let switch = super::Switch::default();
            let started = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(100));
                    switch.turn_on();
                });
                call(&|| switch.is_on());
            });
            assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
        };
        check(&|cancelled| assert_eq!(client.result(&sample.key, cancelled), None));
        check(&|cancelled| {
            assert!(!client.fetch(&sample.contents(), &there.store, cancelled));
        });
        check(&|cancelled| {
            let kept = client.keep(&sample.key, &sample.result, &sample.place.store, cancelled);
            assert_eq!(kept, Kept::Failed);
        });
        assert!(!client.is_down(), "whoever cancels does not blame the server");
    });
}

#[test]
fn secrets_do_not_follow_a_redirect_to_another_host() {
    let (near, far) = (Server::start(Speaks::Http), Server::start(Speaks::Http));
    let there = Place::new(DigestFunction::Sha256);
    let digest = cache::Digest::of(DigestFunction::Sha256, b"elsewhere");
    far.shared.blobs.lock().unwrap().insert(digest.hex(), b"elsewhere".to_vec());
    near.fail(Op::ReadBlob, super::server::Fault::Elsewhere(far.address.port()), usize::MAX);
    let wanted = [Content::File(digest)];
    let headers = vec![Header::new("X-Token", "secret").unwrap()];
    let with_secret = client(crate::Settings { headers, ..settings(&near.url()) });
    assert!(!with_secret.fetch(&wanted, &there.store, &never));
    assert_eq!((far.count(""), troubles(&with_secret).len()), (0, 1));
    assert!(client_of(&near).fetch(&wanted, &there.store, &never));
}
