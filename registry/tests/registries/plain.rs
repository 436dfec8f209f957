//! Registries that speak plain HTTP and JSON.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use registry::{Address, Error, Secret, Sha256, Token};

use crate::harness::{
    SECRET, artifact, at, component, fetch, package, registries, settings, shown, version, versions,
};
use crate::server::{Reply, Request, Server};

/// Starts a registry that keeps packages in memory, and lets only those publish who have the token.
fn registry() -> Server {
    let packages: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
    Server::start(move |request| answer(&mut packages.lock().unwrap(), request))
}

fn answer(packages: &mut BTreeMap<String, Vec<u8>>, request: &Request) -> Reply {
    let Some(place) = request.path.strip_prefix("/packages/") else {
        return match request.path.strip_prefix("/packages?q=") {
            Some("gre") => Reply::json(
                r#"{"packages":[{"name":"demo:greet","description":"Says\u001b[31m hello","latest":"1.1.0"}]}"#,
            ),
            Some(_) => Reply::json(r#"{"packages":[]}"#),
            None => Reply::new(404),
        };
    };
    match (request.method.as_str(), place.matches('/').count()) {
        ("GET", 1) => {
            let listed: Vec<_> = packages
                .iter()
                .filter_map(|(path, bytes)| Some((path.strip_prefix(&format!("{place}/"))?, bytes)))
                .map(|(version, bytes)| {
                    let (hex, yanked) = (Sha256::of(bytes).hex(), version == "1.0.0");
                    format!(r#"{{"version":"{version}","sha256":"{hex}","yanked":{yanked}}}"#)
                })
                .collect();
            match listed.is_empty() {
                true => Reply::new(404),
                false => Reply::json(&format!(r#"{{"versions":[{}]}}"#, listed.join(","))),
            }
        }
        ("GET", 2) => match packages.get(place) {
            Some(bytes) => Reply::of("application/wasm", bytes.clone()),
            None => Reply::new(404),
        },
        ("POST", 2) => {
            let token = format!("Bearer {SECRET}");
            if request.header("authorization") != Some(&token) {
                return Reply::new(401).with("www-authenticate", "Bearer realm=\"packages\"");
            }
            assert_eq!(request.header("content-type"), Some("application/wasm"));
            assert!(request.header("content-digest").unwrap().starts_with("sha-256=:"));
            match packages.get(place) {
                Some(bytes) if *bytes == request.body => Reply::new(200),
                Some(_) => Reply::new(409),
                None => {
                    packages.insert(place.to_owned(), request.body.clone());
                    Reply::new(201)
                }
            }
        }
        _ => Reply::new(405),
    }
}

#[test]
fn a_package_is_published_listed_fetched_and_found() {
    let server = registry();
    let mut settings = settings(&server.url("/"));
    settings.token = Some(Token { secret: Secret::new(SECRET), from: "RUN_AUTH_TOKEN".to_owned() });
    let with_token = registries(settings);
    let publish = |number: &str, text: &str| {
        with_token.publish(&package("demo:greet"), &version(number), &artifact(text))
    };
    let published = publish("1.0.0", "one").unwrap();
    assert!(!published.was_there);
    assert_eq!(published.address, server.url("/packages/demo/greet/1.0.0"));
    publish("1.1.0", "more").unwrap();
    assert!(publish("1.0.0", "one").unwrap().was_there);
    let error = publish("1.0.0", "other").unwrap_err();
    let one = Sha256::of(&component("one"));
    assert!(matches!(error, Error::Exists { there: Some(there), .. } if there == one), "{error}");

    // Everybody may read.
    let anonymous = at(&server.url(""));
    assert_eq!(versions(&anonymous, "demo:greet"), ["1.0.0", "1.1.0"]);
    let releases = anonymous.versions(&package("demo:greet")).unwrap();
    assert_eq!(releases[0].sha256, Some(one));
    assert!(releases[0].yanked && !releases[1].yanked);
    let fetched = fetch(&anonymous, "demo:greet", "1.1.0").unwrap();
    assert_eq!(fetched.bytes, component("more"));
    assert_eq!(fetched.source, server.url(""));
    let found = anonymous.search("gre").unwrap();
    assert_eq!(found[0].description.as_deref(), Some("Says?[31m hello"));
    assert_eq!(found[0].latest, Some(version("1.1.0")));

    let error = anonymous.publish(&package("demo:greet"), &version("2.0.0"), &artifact("two"));
    let host = server.host();
    let expect = format!(
        "{host} refuses access (status 401) without credentials: `run login {host}` stores some (it may also be that it has no such package)"
    );
    assert_eq!(shown(&error.unwrap_err()), expect);
    let error = shown(&fetch(&anonymous, "demo:greet", "3.0.0").unwrap_err());
    assert!(
        error.ends_with("has no version 3.0.0 of `demo:greet`: it has 1.1.0, 1.0.0"),
        "{error}"
    );
    // Anything else than what a lock has is refused.
    let locked = Some(Sha256::of(b"locked"));
    let error = anonymous.fetch(&package("demo:greet"), &version("1.0.0"), locked).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    // What the server speaks was asked once.
    let asked = server.asked();
    let questions = asked.iter().filter(|asked| asked.ends_with("registry.json")).count();
    assert_eq!(questions, 2, "once for each of the two clients: {asked:?}");
}

#[test]
fn what_is_not_in_the_protocol_is_an_error() {
    let check = |list: Reply, package: Reply, expect: &str| {
        let server = Server::start(move |request| match request.path.as_str() {
            "/packages/demo/greet" => list.clone(),
            "/packages/demo/greet/1.0.0" => package.clone(),
            _ => Reply::new(404),
        });
        let error = shown(&fetch(&at(&server.url("")), "demo:greet", "1.0.0").unwrap_err());
        let error = error.replace(&server.url(""), "URL");
        assert_eq!(error, expect);
    };
    let list = || Reply::json(r#"{"versions":[{"version":"1.0.0"}]}"#);
    let wasm = || Reply::of("application/wasm", component("x"));
    check(
        list(),
        Reply::of("text/html", "<html>"),
        "URL/packages/demo/greet/1.0.0 gave an answer that makes no sense: its media type is `text/html`, not application/wasm",
    );
    check(
        list(),
        Reply::of("application/wasm", "<html>"),
        "`demo:greet` 1.0.0 of URL is no WebAssembly package: it does not begin as a WebAssembly binary does",
    );
    let other = Sha256::of(b"other").to_string();
    let actual = Sha256::of(&component("x"));
    check(
        Reply::json(&format!(r#"{{"versions":[{{"version":"1.0.0","sha256":"{other}"}}]}}"#)),
        wasm(),
        &format!("URL gave other bytes for `demo:greet` 1.0.0: expected {other}, got {actual}"),
    );
    check(
        Reply::json(r#"{"versions":[{"version":"../../etc"}]}"#),
        wasm(),
        "URL/packages/demo/greet gave an answer that makes no sense: it is not the expected JSON (media type \
         `application/json`): unexpected character '.' while parsing major version number at line 1 column 35",
    );
    check(
        Reply::json(r#"{"versions":[{"version":"1.0.0","sha256":"../../etc/passwd"}]}"#),
        wasm(),
        "URL/packages/demo/greet gave an answer that makes no sense: it is not the expected JSON (media type \
         `application/json`): `../../etc/passwd` is not `sha256:` with 64 hexadecimal digits at line 1 column 60",
    );
}

#[test]
fn a_server_that_takes_only_put_is_published_to() {
    let server = Server::start(|request| match request.method.as_str() {
        "PUT" => Reply::new(201),
        "POST" => Reply::new(405),
        _ => Reply::new(404),
    });
    let registries = at(&server.url("/team/"));
    registries.publish(&package("demo:greet"), &version("1.0.0"), &artifact("x")).unwrap();
    assert_eq!(server.asked().last().unwrap(), "PUT /team/packages/demo/greet/1.0.0");
    registries.check_access(&server.url("/team").parse::<Address>().unwrap()).unwrap();
    assert!(matches!(registries.search("x").unwrap_err(), Error::NoSearch { .. }));
}
