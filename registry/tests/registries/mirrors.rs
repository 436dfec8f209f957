//! A registry and its mirrors: which of them are asked, and when.

use registry::{Address, Error, Registries, Settings, Sha256};

use crate::harness::{
    Program, artifact, at, component, fetch, package, registries, settings, shown, version,
    versions,
};
use crate::server::{Reply, Server};

fn oci(server: &Server) -> Address {
    format!("oci+{}", server.url("")).parse().unwrap()
}

fn with_mirrors(first: &Address, mirrors: Vec<Address>) -> Registries {
    let mut settings: Settings = settings(&first.to_string());
    settings.default.mirrors = mirrors;
    registries(settings)
}

/// Starts a second registry that has the package.
fn mirror() -> Program {
    let program = Program::docker();
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    at(&program.url()).publish(&name, &number, &artifact("one")).unwrap();
    program
}

#[test]
fn a_mirror_helps_when_the_registry_cannot_be_reached() {
    let mirror = mirror();
    let address: Address = mirror.url().parse().unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("oci+http://{}", listener.local_addr().unwrap()).parse().unwrap()
    };
    let failing = |reply: Reply| oci(&Server::start(move |_| reply.clone()));
    let long = component("a body that is cut");
    let downs = [
        closed,
        failing(Reply::new(500)),
        failing(Reply::new(503).with("retry-after", "0")),
        failing(Reply::new(429).with("retry-after", "3600")),
        failing(Reply::json("{\"a\":").body(long).cut(5)),
    ];
    for down in downs {
        let registries = with_mirrors(&down, vec![down.clone(), address.clone()]);
        assert_eq!(versions(&registries, "demo:greet"), ["0.1.0"], "{down}");
        let fetched = fetch(&registries, "demo:greet", "0.1.0").unwrap();
        assert_eq!(fetched.bytes, component("one"));
        assert_eq!(fetched.source, down.to_string(), "a lock names the registry");
        assert_eq!(fetched.served_by, address.to_string());
    }
}

#[test]
fn what_was_down_once_is_asked_last() {
    let mirror = mirror();
    let down = Server::start(|_| Reply::new(500));
    let registries = with_mirrors(&oci(&down), vec![mirror.url().parse().unwrap()]);
    for _ in 0..5 {
        fetch(&registries, "demo:greet", "0.1.0").unwrap();
    }
    assert_eq!(down.log().len(), 2, "one request and one more try");
}

#[test]
fn a_mirror_that_is_behind_is_passed_over() {
    let (behind, mirror) = (Program::docker(), mirror());
    let down = Server::start(|_| Reply::new(500));
    let addresses = vec![behind.url().parse().unwrap(), mirror.url().parse().unwrap()];
    let registries = with_mirrors(&oci(&down), addresses);
    assert_eq!(fetch(&registries, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
    // If no mirror has it, the error says what each of them said.
    let error = fetch(&registries, "demo:greet", "9.0.0").unwrap_err();
    let text = shown(&error);
    assert!(text.starts_with("cannot reach a registry of `demo:greet`: "), "{text}");
    for part in [
        format!("{}: {} has no package `demo:greet`", behind.url(), behind.url()),
        format!("{0}: {0} has no version 9.0.0 of `demo:greet`: it has 0.1.0", mirror.url()),
        format!(
            "{}: cannot reach http://{}/v2/demo/greet/manifests/9.0.0 (tried 2 times): the server answered with status 500",
            oci(&down),
            down.host()
        ),
    ] {
        assert!(text.contains(&part), "{text}\n{part}");
    }
}

#[test]
fn what_the_registry_says_is_not_overruled_by_a_mirror() {
    let mirror = mirror();
    let bytes = component("tampered");
    let manifest = crate::hostile::manifest(&bytes);
    let tampered = move |request: &crate::server::Request| match request.path.contains("/blobs/") {
        true => Reply::of("application/octet-stream", component("tampEred")),
        false => Reply::of("application/vnd.oci.image.manifest.v1+json", manifest.clone()),
    };
    let check = |server: Server, matches: &dyn Fn(&Error) -> bool| {
        let registries = with_mirrors(&oci(&server), vec![mirror.url().parse().unwrap()]);
        let error = fetch(&registries, "demo:greet", "0.1.0").unwrap_err();
        assert!(matches(&error), "{}", shown(&error));
    };
    check(Server::start(|_| Reply::new(401)), &|error| matches!(error, Error::Refused { .. }));
    check(Server::start(|_| Reply::new(403)), &|error| matches!(error, Error::Refused { .. }));
    check(Server::start(|_| Reply::new(404)), &|error| matches!(error, Error::NoPackage { .. }));
    check(Server::start(|_| Reply::json("{}")), &|error| matches!(error, Error::NotWasm { .. }));
    check(Server::start(tampered), &|error| {
        let text = error.to_string();
        matches!(error, Error::Mismatch { .. }) && text.starts_with("localhost:")
    });
}

#[test]
fn a_mirror_with_other_bytes_is_named_and_nothing_else_is_tried() {
    let (mirror, other) = (mirror(), Program::docker());
    let down = Server::start(|_| Reply::new(500));
    at(&other.url())
        .publish(&package("demo:greet"), &version("0.1.0"), &artifact("other"))
        .unwrap();
    let addresses = vec![other.url().parse().unwrap(), mirror.url().parse().unwrap()];
    let registries = with_mirrors(&oci(&down), addresses);
    let (expected, actual) = (Sha256::of(&component("one")), Sha256::of(&component("other")));
    let error = registries.fetch(&package("demo:greet"), &version("0.1.0"), Some(expected));
    assert_eq!(
        shown(&error.unwrap_err()),
        format!(
            "{}/demo/greet:0.1.0 gave other bytes for `demo:greet` 0.1.0: expected {expected}, got {actual}",
            other.host
        )
    );
}

#[test]
fn nothing_is_published_in_a_mirror() {
    let mirror = Program::docker();
    let down = Server::start(|_| Reply::new(500));
    let registries = with_mirrors(&oci(&down), vec![mirror.url().parse().unwrap()]);
    let error = registries.publish(&package("demo:greet"), &version("0.1.0"), &artifact("one"));
    assert!(shown(&error.unwrap_err()).starts_with("cannot reach "));
    assert!(at(&mirror.url()).search("").unwrap().is_empty());
}

#[test]
fn a_folder_is_a_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::directory(folder.path());
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    at(&address.to_string()).publish(&name, &number, &artifact("one")).unwrap();
    let down = Server::start(|_| Reply::new(500));
    let registries = with_mirrors(&down.url("").parse().unwrap(), vec![address]);
    assert_eq!(fetch(&registries, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
}
