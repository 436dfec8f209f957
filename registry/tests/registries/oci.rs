//! Debian's registry, and what the protocol demands beyond it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use registry::{Address, Error, Facts, Interfaces, Sha256};

use crate::harness::{
    Program, artifact, at, component, fetch, package, registries, run, settings, shown, version,
    versions,
};
use crate::server::{Reply, Server, forward};

#[test]
fn a_package_is_published_listed_fetched_and_found() {
    let program = Program::docker();
    let registries = at(&format!("{}/team", program.url()));
    let publish = |number: &str, text: &str| {
        registries.publish(&package("demo:greet"), &version(number), &artifact(text))
    };
    let published = publish("0.1.0", "one").unwrap();
    assert!(!published.was_there);
    assert_eq!(published.address, format!("{}/team/demo/greet:0.1.0", program.host));
    let built = publish("0.2.0-rc.1+build.5", "two").unwrap();
    assert!(built.address.ends_with("greet:0.2.0-rc.1_build.5"), "{built:?}");
    assert_eq!(versions(&registries, "demo:greet"), ["0.1.0", "0.2.0-rc.1+build.5"]);

    let fetched = fetch(&registries, "demo:greet", "0.1.0").unwrap();
    assert_eq!(fetched.bytes, component("one"));
    assert_eq!(fetched.source, format!("{}/team", program.url()));
    assert_eq!(fetched.manifest, Some(published.digest));
    let fetched = fetch(&registries, "demo:greet", "0.2.0-rc.1+build.5").unwrap();
    assert_eq!(fetched.bytes, component("two"));

    // The same bytes again are fine, even with other annotations, and other bytes are not.
    let mut again = artifact("one");
    again.annotations.clear();
    let same = registries.publish(&package("demo:greet"), &version("0.1.0"), &again).unwrap();
    assert!(same.was_there);
    assert_eq!(same.digest, published.digest);
    let error = publish("0.1.0", "other").unwrap_err();
    let one = Sha256::of(&component("one"));
    assert!(matches!(error, Error::Exists { there: Some(there), .. } if there == one), "{error}");
    assert_eq!(fetch(&registries, "demo:greet", "0.1.0").unwrap().bytes, component("one"));

    let expect = format!(
        "{}/team has no version 0.3.0 of `demo:greet`: it has 0.2.0-rc.1+build.5, 0.1.0",
        program.url()
    );
    assert_eq!(shown(&fetch(&registries, "demo:greet", "0.3.0").unwrap_err()), expect);
    let expect = format!("{}/team has no package `demo:other`", program.url());
    assert_eq!(shown(&fetch(&registries, "demo:other", "0.3.0").unwrap_err()), expect);
    let error = registries.versions(&package("demo:other")).unwrap_err();
    assert!(matches!(error, Error::NoPackage { .. }));

    // Only what is below the prefix is a package of this registry.
    at(&program.url()).publish(&package("else:greet"), &version("1.0.0"), &again).unwrap();
    let found = registries.search("gree").unwrap();
    let found: Vec<_> = found.iter().map(|found| found.package.to_string()).collect();
    assert_eq!(found, ["demo:greet"]);
    registries
        .check_access(&format!("oci+http://{}", program.host).parse::<Address>().unwrap())
        .unwrap();
}

#[test]
fn a_server_of_which_only_the_host_is_known_is_asked() {
    let program = Program::docker();
    let registries = at(&format!("http://{}/team", program.host));
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    let published = registries.publish(&name, &number, &artifact("one")).unwrap();
    assert_eq!(published.address, format!("{}/team/demo/greet:0.1.0", program.host));
    assert_eq!(fetch(&registries, "demo:greet", "0.1.0").unwrap().bytes, component("one"));

    // A server may refer to a registry elsewhere, as for wkg.
    let document = format!(
        r#"{{"preferredProtocol":"oci","oci":{{"registry":"{}","namespacePrefix":"team/"}}}}"#,
        program.host
    );
    let old = format!(r#"{{"ociRegistry":"{}","ociNamespacePrefix":"team/"}}"#, program.host);
    for document in [document, old] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/.well-known/wasm-pkg/registry.json" => Reply::json(&document),
            _ => Reply::new(500),
        });
        let registries = at(&server.url(""));
        let fetched = fetch(&registries, "demo:greet", "0.1.0").unwrap();
        assert_eq!(fetched.bytes, component("one"));
        assert_eq!(fetched.source, server.url(""), "the lock has what the user wrote");
        fetch(&registries, "demo:greet", "0.1.0").unwrap();
        assert_eq!(server.log().len(), 1, "it is asked once");
    }
    let check = |document: &'static str, expect: &str| {
        let server = Server::start(move |_| Reply::json(document));
        let error = shown(&fetch(&at(&server.url("")), "demo:greet", "0.1.0").unwrap_err());
        assert!(error.ends_with(expect), "{error}");
    };
    check(r#"{"preferredProtocol":"warg"}"#, "it prefers the protocol `warg`, which is not known");
    check(
        r#"{"preferredProtocol":"oci","oci":{"registry":"a@b"}}"#,
        "the address of the registry b has more than a host and a path: credentials are stored by `run login`",
    );
    check(
        r#"{"preferredProtocol":"oci","oci":{"namespacePrefix":"../../"}}"#,
        "use lower-case letters, digits, `.`, `_`, `-`, `/`",
    );
}

#[test]
fn the_same_package_has_the_same_manifest() {
    let (one, two) = (Program::docker(), Program::docker());
    let mut artifact = artifact("one");
    artifact.facts = Facts {
        created: 1_700_000_000,
        author: Some("A. Nobody".to_owned()),
        component: Some(Interfaces {
            exports: vec!["demo:greet/greeter@0.1.0".to_owned()],
            imports: Vec::new(),
            target: None,
        }),
    };
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    let publish = |program: &Program| {
        at(&program.url()).publish(&name, &number, &artifact).unwrap().digest.to_string()
    };
    let digest = publish(&one);
    assert_eq!(publish(&two), digest);
    // It is not the clock that decides: this digest was computed once and for all.
    assert_eq!(digest, "sha256:63f96682f23799095fb0b54e62806ac439fd7a9f93719c314a88fdb02a1f87e2");
    let reference = format!("{}/demo/greet:0.1.0", one.host);
    assert_eq!(
        run("crane", &["config", &reference]),
        format!(
            "{{\"created\":\"2023-11-14T22:13:20Z\",\"author\":\"A. Nobody\",\"architecture\":\"wasm\",\"os\":\"wasip2\",\
             \"layerDigests\":[\"{}\"],\"component\":{{\"exports\":[\"demo:greet/greeter@0.1.0\"],\"imports\":[],\"target\":null}}}}",
            Sha256::of(&component("one"))
        )
    );
}

#[test]
fn lists_of_tags_and_repositories_come_in_pages() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v2/demo/greet/tags/list?n=1000" => {
            Reply::json(r#"{"name":"demo/greet","tags":["1.0.0","latest"]}"#)
                .with("link", "</v2/demo/greet/tags/list?n=1000&last=latest>; rel=\"next\"")
        }
        "/v2/demo/greet/tags/list?n=1000&last=latest" => {
            Reply::json(r#"{"tags":["0.9.0","sha256-00","1.0.0_5","1.0","v2.0.0"]}"#)
        }
        "/v2/_catalog?n=1000" => Reply::json(r#"{"repositories":["a/b","a/b/c","A/b","plain"]}"#)
            .with("link", "<?n=1000&last=plain>; rel=\"next\""),
        "/v2/_catalog?n=1000&last=plain" => Reply::json(r#"{"repositories":["demo/greet","a/b"]}"#),
        "/v2/demo/empty/tags/list?n=1000" => Reply::json(r#"{"tags":null}"#),
        _ => Reply::new(404),
    });
    let registries = at(&format!("oci+{}", server.url("")));
    assert_eq!(versions(&registries, "demo:greet"), ["0.9.0", "1.0.0", "1.0.0+5"]);
    let found = registries.search("").unwrap();
    let found: Vec<_> = found.iter().map(|found| found.package.to_string()).collect();
    assert_eq!(found, ["a:b", "demo:greet"]);
    let error = registries.versions(&package("demo:empty")).unwrap_err();
    assert!(matches!(error, Error::NoPackage { .. }), "{error}");
}

#[test]
fn an_upload_that_breaks_off_is_begun_anew() {
    let program = Program::docker();
    let (host, puts) = (program.host.clone(), AtomicUsize::new(0));
    let server = Server::start(move |request| {
        let is_blob = request.method == "PUT" && request.path.contains("/blobs/uploads/");
        if is_blob && puts.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::new(503);
        }
        forward(&host, request, None)
    });
    let registries = at(&format!("oci+{}", server.url("")));
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    registries.publish(&name, &number, &artifact("one")).unwrap();
    assert_eq!(fetch(&at(&program.url()), "demo:greet", "0.1.0").unwrap().bytes, component("one"));
    let asked = server.asked();
    let begun = asked.iter().filter(|asked| asked.starts_with("POST ")).count();
    assert_eq!(begun, 3, "{asked:?}");
}

#[test]
fn of_two_publishers_the_one_that_was_replaced_is_told() {
    let program = Program::docker();
    let host = program.host.clone();
    let server = Server::start(move |request| {
        let reply = forward(&host, request, None);
        if request.method == "PUT" && request.path.ends_with("/manifests/0.1.0") {
            // Somebody else is a moment later. To this registry the version is as new as it was to ours.
            let other = at(&format!("oci+http://{host}/stage"));
            other.publish(&package("demo:greet"), &version("0.1.0"), &artifact("other")).unwrap();
            run(
                "crane",
                &[
                    "copy",
                    &format!("{host}/stage/demo/greet:0.1.0"),
                    &format!("{host}/demo/greet:0.1.0"),
                ],
            );
        }
        reply
    });
    let registries = at(&format!("oci+{}", server.url("")));
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    let error = registries.publish(&name, &number, &artifact("one")).unwrap_err();
    let other = Sha256::of(&component("other"));
    assert!(matches!(error, Error::Exists { there: Some(there), .. } if there == other), "{error}");
}

#[test]
fn many_threads_fetch_at_once() {
    let program = Program::docker();
    let registries = at(&program.url());
    let names: Vec<_> = (0..10).map(|number| format!("demo:greet{number}")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            let registries = &registries;
            scope.spawn(move || {
                let (id, number) = (package(name), version("1.0.0"));
                registries.publish(&id, &number, &artifact(name)).unwrap();
                assert_eq!(fetch(registries, name, "1.0.0").unwrap().bytes, component(name));
            });
        }
    });
    assert_eq!(registries.search("greet").unwrap().len(), names.len());
}

#[test]
fn who_watches_is_told_of_progress_and_of_new_tries() {
    let program = Program::docker();
    let artifact = artifact("one");
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    at(&program.url()).publish(&name, &number, &artifact).unwrap();
    let (host, asked) = (program.host.clone(), AtomicUsize::new(0));
    let server = Server::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(503),
        _ => forward(&host, request, None),
    });
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut settings = settings(&format!("oci+{}", server.url("")));
    let heard = Arc::clone(&told);
    settings.watch = Arc::new(move |event| heard.lock().unwrap().push(format!("{event:?}")));
    fetch(&registries(settings), "demo:greet", "0.1.0").unwrap();
    let (size, digest) = (artifact.bytes.len(), Sha256::of(&artifact.bytes));
    let url = server.url("/v2/demo/greet");
    assert_eq!(
        *told.lock().unwrap(),
        [
            format!(
                "Retrying {{ url: \"{url}/manifests/0.1.0\", attempt: 1, reason: \"the server answered with status 503\" }}"
            ),
            format!(
                "Receiving {{ url: \"{url}/blobs/{digest}\", done: {size}, total: Some({size}) }}"
            ),
        ]
    );
}
