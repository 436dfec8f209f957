//! Tests the full example of the configuration page, with its run.toml unchanged and with sources.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::first_build::get;
use crate::harness::{Workspace, imports, repository};

#[test]
fn its_configuration_is_that_of_the_page() {
    let read = |path: &str| std::fs::read_to_string(repository().join(path)).unwrap();
    let page = read("tests/fixtures/run-configuration.txt");
    let (_, example) = page.split_once("\nExample: Full Configuration\n").unwrap();
    let ours = read("examples/microservice-demo/run.toml");
    assert_eq!(ours.trim_end(), example.trim());
}

#[test]
fn every_service_is_valid_and_does_its_work() {
    let workspace = Workspace::example("microservice-demo");
    workspace.run(["build"]).ok();
    let component = |name: &str| workspace.read(&format!("target/wasm/{name}.wasm"));
    for name in ["api", "auth", "worker"] {
        let features = wasmparser::WasmFeatures::all();
        wasmparser::Validator::new_with_features(features).validate_all(&component(name)).unwrap();
    }
    check_imports(&component("auth"), &[]);
    check_imports(&component("api"), &["wasi:http/types", "wasi:clocks/wall-clock"]);
    let asked = ["wasi:http/types", "wasi:http/outgoing-handler", "wasi:logging/logging"];
    check_imports(&component("worker"), &asked);
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    asynchronous.block_on(async {
        let runtime = runtime::Runtime::new().unwrap();
        let load =
            |name| runtime.load(&component(name)).unwrap().granting(runtime::Grants::everything());
        check_api(&load("api")).await;
        check_auth(&load("auth")).await;
        check_worker(load("worker")).await;
    });
}

/// Checks that a component imports what its world names, and what Rust's standard library needs.
#[track_caller]
fn check_imports(component: &[u8], world: &[&str]) {
    let imports = imports(component);
    for import in &imports {
        let name = import.split('@').next().unwrap();
        let standard = name.starts_with("wasi:cli/") || name.starts_with("wasi:io/");
        assert!(standard || world.contains(&name), "{import}");
    }
    for name in world {
        assert!(imports.iter().any(|import| import.starts_with(name)), "{name}: {imports:?}");
    }
}

async fn check_api(api: &runtime::Loaded) {
    let server = api.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let ask = async |path: &'static str| {
        tokio::task::spawn_blocking(move || get(address, path)).await.unwrap()
    };
    assert_eq!(ask("/health").await, (200, "{\"status\": \"ok\"}\n".to_owned()));
    assert_eq!(ask("/other").await.0, 404);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (status, time) = ask("/time").await;
    let time = time.trim().trim_start_matches("{\"unix\": ").trim_end_matches('}');
    let time: u64 = time.parse().unwrap();
    assert_eq!(status, 200);
    assert!((now..now + 60).contains(&time), "{time} at {now}");
    server.shutdown().await;
}

async fn check_auth(auth: &runtime::Loaded) {
    let tokens = Some("demo:auth/tokens");
    let call = async |function, argument: &str| {
        auth.call(tokens, function, &[argument]).await.unwrap().unwrap()
    };
    let token = call("issue", "\"ada\"").await;
    assert!(token.starts_with("\"ada.") && token.len() == "\"ada.\"".len() + 64, "{token}");
    assert_eq!(call("check", &token).await, "ok(\"ada\")");
    assert_eq!(call("check", &token.replace("ada", "eve")).await, "err(forged)");
    assert_eq!(call("check", "\"ada\"").await, "err(malformed)");
    assert_eq!(call("check", "\"ada.xyz\"").await, "err(malformed)");
}

async fn check_worker(worker: runtime::Loaded) {
    let worker = worker.answering(|asked| {
        let body = match (asked.method.as_str(), asked.url.as_str()) {
            ("GET", "http://pages.test/words") => "three little words\n",
            ("GET", "http://pages.test/") => "",
            _ => return None,
        };
        Some(runtime::OutgoingResponse { status: 200, body: body.into() })
    });
    let count = async |url: &str| {
        let jobs = Some("demo:worker/jobs");
        worker.call(jobs, "count-words", &[&format!("\"{url}\"")]).await.unwrap().unwrap()
    };
    assert_eq!(count("http://pages.test/words").await, "ok({status: 200, words: 3})");
    assert_eq!(count("http://pages.test").await, "ok({status: 200, words: 0})");
    let refused = count("http://elsewhere.test/").await;
    assert!(refused.starts_with("err(") && refused.contains("HttpRequestDenied"), "{refused}");
    let wrong = count("pages.test").await;
    assert!(wrong.starts_with("err(") && wrong.contains("no URL"), "{wrong}");
}
