//! Registries that are folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use registry::{Address, Error, Sha256};

use crate::harness::{artifact, at, component, fetch, package, shown, version, versions};

#[test]
fn a_package_is_published_listed_fetched_and_found() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::directory(folder.path().join("new"));
    let registries = at(&address.to_string());
    let publish = |number: &str, text: &str| {
        registries.publish(&package("demo:greet"), &version(number), &artifact(text))
    };
    let published = publish("0.10.0", "ten").unwrap();
    assert!(!published.was_there);
    assert_eq!(published.digest, Sha256::of(&component("ten")));
    publish("0.9.0", "nine").unwrap();
    publish("1.0.0-rc.1+build.5", "candidate").unwrap();
    assert_eq!(versions(&registries, "demo:greet"), ["0.9.0", "0.10.0", "1.0.0-rc.1+build.5"]);

    let fetched = fetch(&registries, "demo:greet", "0.9.0").unwrap();
    assert_eq!(fetched.bytes, component("nine"));
    assert_eq!(fetched.source, format!("file://{}/new", folder.path().display()));
    let path = folder.path().join("new/demo/greet/0.9.0.wasm");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);

    // Anything else than what a lock has is refused.
    let locked = Some(Sha256::of(b"locked"));
    let error = registries.fetch(&package("demo:greet"), &version("0.9.0"), locked).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");

    // The same bytes again are fine, and others are not.
    assert!(publish("0.9.0", "nine").unwrap().was_there);
    let error = publish("0.9.0", "other").unwrap_err();
    assert!(matches!(error, Error::Exists { there: Some(there), .. } if there == fetched.sha256));
    assert_eq!(fs::read(&path).unwrap(), component("nine"));
    let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(left, 3, "no temporary file is left");

    let found = registries.search("gre").unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].package, package("demo:greet"));
    assert_eq!(found[0].latest, Some(version("1.0.0-rc.1+build.5")));
    assert!(registries.search("nothing").unwrap().is_empty());
    registries.check_access(&address).unwrap();
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let registries = at(&format!("file://{path}"));
    fs::create_dir_all(folder.path().join("demo/greet")).unwrap();
    for number in ["1.0.0", "1.1.0", "2.0.0"] {
        fs::write(folder.path().join(format!("demo/greet/{number}.wasm")), component("x")).unwrap();
    }
    // What is no version is left out.
    fs::write(folder.path().join("demo/greet/latest.wasm"), component("x")).unwrap();
    fs::write(folder.path().join("demo/greet/3.0.0.txt"), "x").unwrap();
    let check = |name: &str, number: &str, expect: &str| {
        assert_eq!(shown(&fetch(&registries, name, number).unwrap_err()), expect);
    };
    check(
        "demo:greet",
        "1.2.0",
        &format!("file://{path} has no version 1.2.0 of `demo:greet`: it has 2.0.0, 1.1.0, 1.0.0"),
    );
    check("demo:other", "1.0.0", &format!("file://{path} has no package `demo:other`"));
    let gone = at(&format!("file://{path}/gone"));
    let error = shown(&fetch(&gone, "demo:greet", "1.0.0").unwrap_err());
    assert!(error.starts_with(&format!("cannot read {path}/gone: No such file")), "{error}");
}

#[test]
fn what_is_no_package_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("demo/greet");
    fs::create_dir_all(place.join("2.0.0.wasm")).unwrap();
    fs::write(place.join("1.0.0.wasm"), "<html>").unwrap();
    fs::write(place.join("3.0.0.wasm"), component("a longer one")).unwrap();
    let mut settings = crate::harness::settings(&format!("file://{}", folder.path().display()));
    settings.network.largest_package = 20;
    let registries = crate::harness::registries(settings);
    let check = |number: &str, expect: &str| {
        let error = shown(&fetch(&registries, "demo:greet", number).unwrap_err());
        assert!(error.ends_with(expect), "{error}");
    };
    check("1.0.0", "is no WebAssembly package: it does not begin as a WebAssembly binary does");
    check("2.0.0", "2.0.0.wasm is no WebAssembly package: it is not a file");
    check("3.0.0", "3.0.0.wasm is no WebAssembly package: it is longer than 20 bytes");
    let mut text = artifact("x");
    text.bytes = b"text".to_vec();
    let error = registries.publish(&package("demo:greet"), &version("4.0.0"), &text).unwrap_err();
    assert!(matches!(error, Error::NotWasm { .. }), "{error}");
    assert!(!place.join("4.0.0.wasm").exists());
}

#[test]
fn of_many_publishers_of_one_version_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let registries = at(&format!("file://{}", folder.path().display()));
    let results: Vec<_> = std::thread::scope(|scope| {
        let publish = |number: usize| {
            let registries = &registries;
            scope.spawn(move || {
                let artifact = artifact(&format!("text {number}"));
                registries.publish(&package("demo:greet"), &version("1.0.0"), &artifact)
            })
        };
        let threads: Vec<_> = (0..8).map(publish).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    let there = won[0].as_ref().unwrap().digest;
    assert_eq!(fetch(&registries, "demo:greet", "1.0.0").unwrap().sha256, there);
    assert!(lost.into_iter().all(|lost| {
        matches!(lost, Err(Error::Exists { there: Some(found), .. }) if found == there)
    }));
}
