//! Tests `run cache`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use super::servers::Server;
use super::{build, files_below};
use crate::configuration::prebuilt;

#[test]
fn the_store_is_shown_checked_and_cleared() {
    let machine = prebuilt();
    machine.run(["build"]).ok();
    machine.run(["build"]).ok();
    let stats = machine.run(["cache", "stats"]).ok().stdout;
    for text in ["KIND", "blobs", "results", "the last 30 days: 2 builds", " of at most "] {
        assert!(stats.contains(text), "{stats}");
    }
    let json = machine.run(["cache", "stats", "--message-format", "json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json["kinds"]["blobs"]["files"].as_u64().unwrap() > 0, "{json}");
    machine.run(["cache", "verify"]).ok().says("Verified ");

    let blobs = machine.store().join("cas/blake3");
    let fan = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap().path();
    let blob = std::fs::read_dir(fan).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, "damaged").unwrap();
    let damaged = machine.run(["cache", "verify"]).exits(102);
    assert!(damaged.stderr.contains("1 blob was damaged"), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("Damaged blake3:"), "{}", damaged.stderr);
    machine.run(["cache", "verify"]).ok();

    machine
        .run(["cache", "gc", "--max-size", "1KiB"])
        .ok()
        .says("what was used within the last minutes");
    machine.run(["cache", "gc", "--max-size", "1"]).exits(2).says("expected a size like");
    machine.run(["cache", "gc", "--max-age", "30d"]).ok().says("Removed 0 files");
    machine.run(["cache", "clear"]).ok().says("0 files (0 B) are left");
    machine.run(["build"]).ok();
}

#[test]
fn a_key_is_never_replaced() {
    let machine = prebuilt();
    let file = machine.root().join("key").display().to_string();
    let public = machine.run(["cache", "keygen", "--output", &file]).ok().stdout;
    assert_eq!(public.trim_end().len(), 44, "{public:?}");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let pem = std::fs::read_to_string(format!("{file}.pub")).unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
    machine.run(["cache", "keygen", "--output", &file]).exits(2).says("a key is never replaced");
}

#[test]
fn the_server_shows_how_it_is_and_stops_in_order() {
    let server = Server::own(&["--max-size", "1GiB"]);
    build(&prebuilt(), &server.grpc(), &["--upload"], &[]).ok();
    build(&prebuilt(), &server.url, &[], &[]).ok();
    assert!(get(&server.url, "/healthz").contains("ok"));
    let page = get(&server.url, "/");
    assert!(page.contains("<html") && page.contains("of at most 1.0 GiB"), "{page}");
    let metrics = get(&server.url, "/metrics");
    assert!(metrics.contains("# TYPE"), "{metrics}");
    let killed = Command::new("kill").arg(server.id().to_string()).status().unwrap();
    assert!(killed.success() && server.ended());
}

/// Gets a page over HTTP.
fn get(url: &str, path: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[test]
fn eight_builds_and_a_collection_at_once() {
    let server = Server::own(&["--max-size", "1MiB"]);
    let url = server.grpc();
    let first = prebuilt();
    build(&first, &url, &["--upload"], &[]).ok();
    let expected = first.read("target/wasm/legacy.wasm");
    let is_over = AtomicBool::new(false);
    let store = server.folder.path().join("data");
    std::thread::scope(|scope| {
        let builders: Vec<_> = (0..8)
            .map(|number| {
                let (url, expected) = (&url, &expected);
                scope.spawn(move || {
                    for round in 0..5 {
                        let machine = prebuilt();
                        let path = format!("vendor/n{number}-{round}.wasm");
                        machine.write(&path, machine.read("vendor/legacy.wasm"));
                        let run = build(&machine, url, &["--upload"], &[]).ok();
                        assert!(!run.stderr.contains("warning"), "{}", run.stderr);
                        assert!(machine.read("target/wasm/legacy.wasm") == *expected);
                    }
                })
            })
            .collect();
        let collector = scope.spawn(|| {
            let machine = prebuilt();
            let folder = machine.root().join("home/.run");
            std::fs::create_dir_all(&folder).unwrap();
            let config = format!("[store]\npath = \"{}\"\n", store.display());
            std::fs::write(folder.join("config.toml"), config).unwrap();
            let machine = machine.env("RUN_HOME", &folder);
            while !is_over.load(Ordering::Relaxed) {
                machine.run(["cache", "gc", "--max-size", "1KiB"]).ok();
            }
        });
        let ended: Vec<_> = builders.into_iter().map(|builder| builder.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        collector.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
    });
    assert!(files_below(&server.folder.path().join("data/ac")) > 0);
}
