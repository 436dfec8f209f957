//! Registries that are broken or hostile. Each fault is a clear error within a bounded time, and nothing is written.

use std::fs;
use std::time::{Duration, Instant};

use registry::{Error, Login, Secret, Settings, Sha256, login};

use crate::harness::{SECRET, artifact, component, package, registries, settings, shown, version};
use crate::server::{Reply, Request, Server};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCTETS: &str = "application/octet-stream";

/// Returns the manifest of a package.
pub(crate) fn manifest(bytes: &[u8]) -> String {
    let digest = Sha256::of(bytes);
    let size = bytes.len();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{digest}","size":2}},"layers":[{{"mediaType":"application/wasm","digest":"{digest}","size":{size}}}]}}"#
    )
}

fn good() -> Vec<u8> {
    component("good")
}

/// Answers as a registry with one package does.
fn sound(request: &Request) -> Reply {
    let path = &request.path;
    if path.contains("/blobs/") {
        Reply::of(OCTETS, good())
    } else if path.contains("/tags/") {
        Reply::json(r#"{"tags":["1.0.0"]}"#)
    } else {
        Reply::of(MANIFEST, manifest(&good()))
    }
}

/// Fetches from a registry that is sound except for one kind of path, and returns the error.
fn fetch(part: &'static str, reply: Reply, change: impl Fn(&mut Settings)) -> (Server, String) {
    let server = Server::start(move |request| match request.path.contains(part) {
        true => reply.clone(),
        false => sound(request),
    });
    let kept = tempfile::tempdir().unwrap();
    let mut settings = settings(&format!("oci+{}", server.url("")));
    settings.kept = Some(kept.path().to_owned());
    settings.network.largest_package = 1 << 20;
    change(&mut settings);
    let registries = registries(settings);
    let began = Instant::now();
    let result = registries.fetch(&package("demo:greet"), &version("1.0.0"), None);
    let text = shown(&result.expect_err("a fault is an error"));
    assert!(began.elapsed() < Duration::from_secs(10), "{text}");
    assert!(text.chars().all(|c| !c.is_control()), "{text:?}");
    let written = fs::read_dir(kept.path()).unwrap().count();
    assert_eq!(written, 0, "{text}");
    let text = text.replace(&server.host(), "HOST");
    (server, text)
}

fn check(part: &'static str, reply: Reply, expect: &str) {
    let (_, error) = fetch(part, reply, |_| {});
    assert!(error.contains(expect), "{error}\nexpected: {expect}");
}

#[test]
fn statuses_are_told() {
    for part in ["/manifests/", "/blobs/"] {
        for status in [401, 403] {
            let expect = format!(
                "HOST refuses access (status {status}) without credentials: `run login HOST` stores some (it may also be that it has no such package)"
            );
            check(part, Reply::new(status), &expect);
        }
        for status in [408, 429, 500, 502, 503, 504] {
            check(
                part,
                Reply::new(status),
                &format!("(tried 2 times): the server answered with status {status}"),
            );
        }
        for status in [201, 204, 304, 400, 418] {
            check(part, Reply::new(status), &format!(" answered with status {status}"));
        }
    }
    check(
        "/manifests/",
        Reply::new(404),
        "HOST has no version 1.0.0 of `demo:greet`: it has 1.0.0",
    );
    check("/v2/", Reply::new(404), "HOST has no package `demo:greet`");
    check(
        "/blobs/",
        Reply::new(404),
        "gave an answer that makes no sense: the layer of the package is missing",
    );
    check(
        "/manifests/",
        Reply::new(429).with("retry-after", "86400"),
        "(tried once): the server answered with status 429 and asks to wait for 86400 s",
    );
    check(
        "/manifests/",
        Reply::json("{\"errors\":[{\"code\":\"TOO\\u001bBAD\",\"message\":\"no\\nway\"}]}")
            .status(400),
        "answered with status 400: TOO?BAD no?way",
    );
}

#[test]
fn the_time_to_wait_is_kept() {
    let began = Instant::now();
    let (server, _) = fetch("/manifests/", Reply::new(503).with("retry-after", "1"), |_| {});
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.log().len(), 2);
    // A date counts from the date of the answer.
    let began = Instant::now();
    let dates = Reply::new(503)
        .with("date", "Fri, 31 Dec 1999 23:59:59 GMT")
        .with("retry-after", "Sat, 01 Jan 2000 00:00:00 GMT");
    fetch("/manifests/", dates, |_| {});
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[test]
fn tampered_packages_are_refused() {
    let (bytes, actual) = (component("evil"), Sha256::of(&component("evil")));
    let expect = format!(
        "HOST/demo/greet:1.0.0 gave other bytes for `demo:greet` 1.0.0: expected {}, got {actual}",
        Sha256::of(&good())
    );
    check("/blobs/", Reply::of(OCTETS, bytes.clone()), &expect);
    let stated = Reply::of(MANIFEST, manifest(&bytes))
        .with("docker-content-digest", &Sha256::of(b"x").to_string());
    check("/manifests/", stated, ", and states another one");
    // With a lock, a registry whose manifest is consistent with itself is no better.
    let server = Server::start(move |request| match request.path.contains("/blobs/") {
        true => Reply::of(OCTETS, component("evil")),
        false => Reply::of(MANIFEST, manifest(&component("evil"))),
    });
    let registries = registries(settings(&format!("oci+{}", server.url(""))));
    let locked = Some(Sha256::of(&good()));
    let error = registries.fetch(&package("demo:greet"), &version("1.0.0"), locked).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert_eq!(server.log().len(), 1, "the wrong layer is not even fetched");
}

#[test]
fn bodies_that_are_cut_or_too_long_are_refused() {
    let cut = Reply::of(OCTETS, good()).cut(5);
    check("/blobs/", cut, "(tried 2 times): error decoding response body");
    // A body without an announced length ends whenever the connection does.
    let short = Reply::of(OCTETS, &good()[..5]);
    check("/blobs/", short, &format!("the body ended after 5 of {} bytes", good().len()));
    let long = Reply::of(OCTETS, [good(), good()].concat());
    check("/blobs/", long, &format!("is longer than {} bytes", good().len()));
    check(
        "/blobs/",
        Reply::of(OCTETS, good()).endless(),
        &format!("is longer than {} bytes", good().len()),
    );
    check(
        "/manifests/",
        Reply::of(MANIFEST, vec![b' '; 4096]).endless(),
        "is longer than 4194304 bytes",
    );
    check(
        "/manifests/",
        Reply::of(MANIFEST, "{}").with("content-length", "999999999999"),
        "is longer than 4194304 bytes",
    );
    let huge =
        manifest(&good()).replace(&format!("\"size\":{}", good().len()), "\"size\":99999999");
    check("/manifests/", Reply::of(MANIFEST, huge), "is longer than 1048576 bytes");
    // Also what is said about an error has an end, and lists have one.
    check(
        "/manifests/",
        Reply::of("text/plain", "no ").status(400).endless(),
        "answered with status 400: no no",
    );
    let page = Reply::json(r#"{"tags":["1.0.0"]}"#)
        .with("link", "</v2/demo/greet/tags/list?last=x>; rel=\"next\"");
    let server = Server::start(move |_| page.clone());
    let registries = registries(settings(&format!("oci+{}", server.url(""))));
    let error = shown(&registries.versions(&package("demo:greet")).unwrap_err());
    assert!(error.ends_with("its list has more than 200 pages"), "{error}");
}

#[test]
fn servers_that_are_too_slow_are_left() {
    let impatient = |settings: &mut Settings| {
        settings.network.idle_timeout = Duration::from_millis(300);
        settings.network.connect_timeout = Duration::from_millis(300);
    };
    let pause = Duration::from_millis(50);
    let long = vec![b' '; 4096];
    for reply in [
        Reply::of(MANIFEST, long.clone()).drip(pause),
        Reply::of(MANIFEST, long.clone()).drip(Duration::from_secs(60)),
        Reply::of(MANIFEST, long.clone()).drip_head(pause),
        Reply::of(MANIFEST, long).silent(Duration::from_secs(60)),
    ] {
        let (_, error) = fetch("/manifests/", reply, impatient);
        assert!(error.contains("(tried 2 times): the server is too slow: "), "{error}");
    }
}

#[test]
fn a_command_that_was_cancelled_stops() {
    let server = Server::start(|_| Reply::new(200).silent(Duration::from_secs(60)));
    let mut settings = settings(&format!("oci+{}", server.url("")));
    let began = Instant::now();
    settings.cancelled = std::sync::Arc::new(move || began.elapsed() > Duration::from_millis(200));
    let error = registries(settings).versions(&package("demo:greet")).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn manifests_of_other_things_are_named() {
    let check = |text: &str, kind: &str, expect: &str| {
        let expect = format!("HOST/demo/greet:1.0.0 is no WebAssembly package: {expect}");
        check("/manifests/", Reply::of(kind, text), &expect);
    };
    check(
        "<html>",
        "text/html",
        "what is there (media type `text/html`) is not a manifest: expected value",
    );
    check("{}", "application/json", "it is a manifest of the unknown kind `application/json`");
    check("[]", MANIFEST, "what is there (media type");
    check(r#"{"manifests":[]}"#, MANIFEST, "it is an index of several images");
    check("{}", "application/vnd.oci.image.index.v1+json", "it is an index of several images");
    let image = manifest(&good())
        .replace("application/vnd.wasm.config.v0+json", "application/vnd.oci.image.config.v1+json");
    check(&image, MANIFEST, "it is a container image");
    let other = "application/vnd.docker.distribution.manifest.v2+json";
    check(
        &manifest(&good()),
        other,
        &format!("its manifest is of the kind `{other}`, not `{MANIFEST}`"),
    );
    let none = manifest(&good());
    let none = none.split_once(",\"layers\"").unwrap().0;
    check(&format!("{none}}}"), MANIFEST, "it has 0 layers and not one");
}

#[test]
fn evil_names_lead_nowhere() {
    let digest = Sha256::of(&good()).to_string();
    for evil in [
        "sha256:../../../etc/passwd",
        "sha512:aa",
        "",
        "../x",
        &digest.replace("sha256:", ""),
        &format!("{digest}/.."),
    ] {
        let text = manifest(&good()).replace(&digest, evil);
        let (server, error) = fetch("/manifests/", Reply::of(MANIFEST, text), |_| {});
        assert!(
            error.contains("its layer has the digest")
                || error.contains("the digest of its layer is malformed"),
            "{error}"
        );
        assert_eq!(server.log().len(), 1, "{evil} is not asked for");
    }
    let tags =
        Reply::json(r#"{"tags":["../../1.0.0","1.0.0/..","1.0.0%2f","\u0000","1.0.0\u001b"]}"#);
    let (_, error) = fetch("/", Reply::new(404), |_| {});
    assert_eq!(error, "oci+http://HOST has no package `demo:greet`");
    let server = Server::start(move |_| tags.clone());
    let all = registries(settings(&format!("oci+{}", server.url(""))));
    assert!(matches!(all.versions(&package("demo:greet")).unwrap_err(), Error::NoPackage { .. }));
    let names = Reply::json(r#"{"repositories":["../..","a/../b","a/b\u001b","demo/greet"]}"#);
    let server = Server::start(move |_| names.clone());
    let all = registries(settings(&format!("oci+{}", server.url(""))));
    assert_eq!(all.search("").unwrap().len(), 1);
    // The next page has to be on the same server.
    let next = Reply::json(r#"{"tags":["1.0.0"]}"#)
        .with("link", "<https://example.com/v2/>; rel=\"next\"");
    let server = Server::start(move |_| next.clone());
    let all = registries(settings(&format!("oci+{}", server.url(""))));
    let error = shown(&all.versions(&package("demo:greet")).unwrap_err());
    assert!(
        error.ends_with("its next page `https://example.com/v2/` is not on the same server"),
        "{error}"
    );
}

/// Returns settings with a login for the server, and the folder of the file.
fn logged_in(server: &Server) -> (Settings, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logins.toml");
    let token = Login::Token(Secret::new(SECRET));
    login(&file, &server.host().parse().unwrap(), token).unwrap();
    let mut settings = settings(&format!("oci+{}", server.url("")));
    settings.login_file = Some(file);
    (settings, folder)
}

#[test]
fn a_redirect_to_another_host_carries_no_credentials() {
    let storage = Server::start(|_| Reply::of(OCTETS, good()));
    let to = storage.url("/blob?signature=x");
    let server = Server::start(move |request| match request.path.contains("/blobs/") {
        true if request.path.contains("moved") => Reply::redirect(&to),
        true => Reply::redirect("/v2/moved/blobs/x"),
        false => sound(request),
    });
    let (settings, _folder) = logged_in(&server);
    let fetched =
        registries(settings).fetch(&package("demo:greet"), &version("1.0.0"), None).unwrap();
    assert_eq!(fetched.bytes, good());
    let expect = format!("Bearer {SECRET}");
    assert_eq!(server.log().len(), 3);
    assert!(server.log().iter().all(|request| request.header("authorization") == Some(&expect)));
    assert_eq!(storage.asked(), ["GET /blob?signature=x"]);
    assert_eq!(storage.log()[0].header("authorization"), None);

    // A host that is redirected to can't ask for credentials either, nor can one get them back.
    let storage = Server::start(|_| Reply::new(401).with("www-authenticate", "Bearer"));
    let to = storage.url("/blob?signature=x");
    let (server, error) = fetch("/blobs/", Reply::redirect(&to), |_| {});
    let url = storage.url("/blob");
    assert_eq!(error, format!("{url} answered with status 401"));
    drop(server);
    let server = Server::start(|request| match request.path.as_str() {
        "/v2/demo/greet/manifests/1.0.0" => {
            let port = request.header("host").unwrap().rsplit(':').next().unwrap();
            Reply::redirect(&format!("http://127.0.0.1:{port}/there"))
        }
        "/there" => {
            let port = request.header("host").unwrap().rsplit(':').next().unwrap();
            Reply::redirect(&format!("http://localhost:{port}/back"))
        }
        _ => Reply::of(MANIFEST, "{}"),
    });
    let (settings, _folder) = logged_in(&server);
    registries(settings).fetch(&package("demo:greet"), &version("1.0.0"), None).unwrap_err();
    let sent: Vec<_> =
        server.log().iter().map(|request| request.header("authorization").is_some()).collect();
    assert_eq!(sent, [true, false, false]);
}

#[test]
fn redirects_that_make_no_sense_are_not_followed() {
    check(
        "/blobs/",
        Reply::redirect("/v2/x/blobs/x"),
        "which is not followed: there are too many redirects",
    );
    check("/blobs/", Reply::new(302), "which is not followed: it does not say where to");
    check("/blobs/", Reply::redirect("http://a b/"), "it leads to something that is no URL");
    check("/blobs/", Reply::redirect("file:///etc/passwd"), "neither https nor http");
    check("/blobs/", Reply::redirect("http://a:b@localhost/"), "it leads to a URL with a password");
}

#[test]
fn an_upload_goes_nowhere_else_with_credentials() {
    let storage = Server::start(|_| Reply::new(201));
    let to = storage.url("/upload?signature=x");
    let server = Server::start(move |request| match request.method.as_str() {
        "GET" | "HEAD" => Reply::new(404),
        "POST" => Reply::new(202).with("location", &to),
        _ => Reply::new(307).with("location", "/elsewhere"),
    });
    let (settings, _folder) = logged_in(&server);
    let registries = registries(settings);
    let error = registries.publish(&package("demo:greet"), &version("1.0.0"), &artifact("x"));
    // The manifest is not redirected.
    assert!(shown(&error.unwrap_err()).ends_with("only what reads may be redirected"));
    let digest = "/upload?signature=x&digest=sha256%3A";
    assert_eq!(storage.log().len(), 2);
    assert!(
        storage
            .log()
            .iter()
            .all(|put| put.path.starts_with(digest) && put.header("authorization").is_none())
    );
}

#[test]
fn a_server_that_repeats_the_credentials_does_not_get_them_shown() {
    let ask = |reply: fn(&str) -> Reply, in_docker: bool| {
        let server = Server::start(move |request| match request.header("authorization") {
            None => Reply::new(401).with("www-authenticate", "Basic"),
            Some(sent) => reply(sent),
        });
        let (mut settings, folder) = logged_in(&server);
        if in_docker {
            let config = folder.path().join("config.json");
            let text = format!(
                r#"{{"auths":{{"{}":{{"username":"ci","password":"{SECRET}"}}}}}}"#,
                server.host()
            );
            fs::write(&config, text).unwrap();
            (settings.login_file, settings.docker_config) = (None, Some(config));
        }
        shown(&registries(settings).versions(&package("demo:greet")).unwrap_err())
    };
    let text =
        |sent: &str| Reply::of("text/plain", format!("you sent {sent} ({SECRET})")).status(418);
    let error = ask(text, false);
    assert!(error.ends_with("answered with status 418: you sent Bearer *** (***)"), "{error}");
    let error = ask(text, true);
    assert!(error.ends_with("answered with status 418: you sent Basic *** (***)"), "{error}");
    let error = ask(|_| Reply::json(&format!("{{\"tags\":\"{SECRET}\"}}")), true);
    assert!(error.contains("invalid type: string \"***\", expected a sequence"), "{error}");
    let error = ask(|sent| Reply::of(sent, "<html>"), true);
    assert!(error.contains("it is not the expected JSON"), "{error}");
}
