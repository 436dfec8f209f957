//! What visitors get from workerd after a deployment.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use deploy::{BundleError, Grants, World, bundle, check};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::api::Api;
use crate::deploys::{deploy, worker};
use crate::workerd::Workerd;
use crate::{components, packages};

/// Deploys a component and starts workerd with what the server got.
fn served(component: &[u8], options: &str) -> Workerd {
    let api = Api::start();
    deploy(&api, worker(component, options));
    Workerd::start(&api.script("shop-api"))
}

/// Starts a server that answers by path, and returns its address. It ends with the process.
fn other_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = vec![0; 4096];
            let mut length = 0;
            // The body of the only request that has one is `sent`.
            loop {
                let read = stream.read(&mut request[length..]).unwrap_or(0);
                length += read;
                let text = String::from_utf8_lossy(&request[..length]);
                let whole = text.contains("\r\n\r\n")
                    && (text.starts_with("GET") || text.ends_with("sent"));
                if read == 0 || whole {
                    break;
                }
            }
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let (head, body) = match text.split(' ').nth(1) {
                Some("/packed") => {
                    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                    encoder.write_all(b"unpacked").unwrap();
                    ("200 OK\r\ncontent-encoding: gzip", encoder.finish().unwrap())
                }
                Some("/redirect") => ("302 Found\r\nlocation: /plain", b"moved".to_vec()),
                Some("/big") => ("200 OK", vec![b'x'; 300_000]),
                _ if text.starts_with("POST") => {
                    ("200 OK", text.rsplit("\r\n").next().unwrap().into())
                }
                _ => ("200 OK", b"plain".to_vec()),
            };
            let length = body.len();
            let head =
                format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

#[test]
fn a_component_that_never_waits_is_never_suspended() {
    assert!(!bundle(components::never_waits(), packages::shims()).unwrap().suspends());
    assert!(bundle(components::waits(), packages::shims()).unwrap().suspends());
    let edge = served(components::never_waits(), "");
    assert_eq!(edge.get("/").text(), "hello from wasm\n");
    assert_eq!(edge.get("/trap").status, 500);
    assert_eq!(edge.get("/nothing").status, 500);
    assert_eq!(edge.get("/").text(), "hello from wasm\n");
    edge.wait_for("about to trap");
}

#[test]
fn requests_are_answered() {
    let edge = served(components::plain(), "vars = { GREETING = \"hi\", LEVEL = 3 }");
    assert_eq!((edge.get("/").status, edge.get("/").text()), (200, "hello".to_owned()));
    assert_eq!(edge.get("/nowhere").status, 404);
    assert_eq!(edge.get("/empty").status, 204);
    // The digest is not part of the environment.
    assert_eq!(edge.get("/environment").text(), "GREETING=hi\nLEVEL=3\n");
    let echo = edge.send("POST", "/echo", "x-test: a\r\n", b"body");
    assert_eq!((echo.status, echo.text()), (201, "body".to_owned()));
    assert!(echo.head.contains("x-seen: a"), "{}", echo.head);
    assert_eq!(edge.get("/log").text(), "logged");
    edge.wait_for("to standard output");
    edge.wait_for("to standard error");
}

#[test]
fn a_trap_is_a_500_that_tells_nothing_and_harms_nobody() {
    for component in [components::plain(), components::composed()] {
        let edge = served(component, "");
        for path in ["/trap", "/exit", "/nothing"] {
            let answer = edge.get(path);
            assert_eq!(answer.status, 500, "{path}");
            assert_eq!(answer.text(), "The component failed to answer this request.\n", "{path}");
            assert_eq!(edge.get("/").text(), "hello");
        }
        edge.wait_for("this is the panic of the test");
    }
}

#[test]
fn requests_are_sent_to_other_servers() {
    let (edge, other) = (served(components::waits(), ""), other_server());
    assert_eq!(edge.get(&format!("/fetch?{other}/plain")).text(), "200 0 plain");
    assert_eq!(edge.get(&format!("/send?{other}/")).text(), "200 0 sent");
    assert_eq!(edge.get("/fetch?127.0.0.1:1/").status, 502);
    assert_eq!(edge.get("/sleep").text(), "true");
    assert_eq!(edge.get("/file").text(), "Err(NotFound)");
    // Each of these needs a repair of the shims.
    assert_eq!(edge.get(&format!("/fetch?{other}/packed")).text(), "200 0 unpacked");
    assert_eq!(edge.get(&format!("/fetch?{other}/redirect")).text(), "302 0 moved");
    assert_eq!(edge.get(&format!("/splice?{other}/big")).body.len(), 300_000);
}

#[test]
fn faults_of_the_shims_are_mended() {
    let edge = served(components::plain(), "");
    assert_eq!(edge.send("PROPFIND", "/method", "", b"").text(), "Method::Other(\"PROPFIND\")");
    assert_eq!(edge.send("DELETE", "/method", "", b"").text(), "Method::Delete");
    assert_eq!(edge.get("/clone").text(), "1 2");
    let packed = edge.send("GET", "/packed", "accept-encoding: gzip\r\n", b"");
    assert!(packed.head.contains("content-encoding: gzip"), "{}", packed.head);
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(packed.body.as_slice()).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked, "packed");
}

#[test]
fn a_composed_component_is_one_worker() {
    let source = bundle(components::composed(), packages::shims()).unwrap();
    let inlined = source.modules().keys().filter(|path| path.contains("inline")).count();
    assert!(inlined > 0, "{:?}", source.modules().keys());
    let (edge, other) = (served(components::composed(), ""), other_server());
    // Every request has instances of its own.
    assert_eq!(edge.get("/shout").text(), "HELLO! (1)");
    assert_eq!(edge.get("/shout").text(), "HELLO! (1)");
    assert_eq!(edge.get(&format!("/fetch?{other}/plain")).text(), "200 0 plain");
}

#[test]
fn the_same_component_gives_the_same_bundle() {
    for component in [components::plain(), components::waits(), components::composed()] {
        let made = || bundle(component, packages::shims()).unwrap();
        let first = made();
        assert_eq!(first, made());
        let again = deploy::Bundle::from_files(first.modules().clone()).unwrap();
        assert_eq!(again.digest(), first.digest());
        let needed: Vec<_> =
            first.modules().keys().filter(|path| path.starts_with("shim/")).collect();
        assert!(!needed.iter().any(|path| path.contains("sockets")), "{needed:?}");
    }
}

#[test]
fn what_cannot_run_at_the_edge_is_named() {
    let refuse = |component: &[u8]| {
        let world = World::read(component).unwrap();
        check("api", &world, Grants::default()).unwrap_err().to_string()
    };
    assert!(refuse(components::asks()).contains("it imports `test:parts/words@1.0.0`"));
    assert!(refuse(components::tells()).contains("it exports `test:parts/words@1.0.0`"));
    let error = bundle(components::asks(), packages::shims()).unwrap_err();
    assert!(matches!(error, BundleError::Import(_)), "{error}");
    let error = bundle(components::tells(), packages::shims()).unwrap_err();
    assert!(matches!(error, BundleError::NoHandler), "{error}");
    let mut other = packages::shims().clone();
    other.remove("dist/browser/io.js");
    let error = bundle(components::plain(), &other).unwrap_err();
    assert!(error.to_string().contains("has no file `dist/browser/io.js`"), "{error}");
    other.insert("package.json".to_owned(), b"{\"version\":\"0.27.0\"}".to_vec());
    let error = bundle(components::plain(), &other).unwrap_err();
    assert!(error.to_string().contains("found nothing 0.27.0"), "{error}");
}
