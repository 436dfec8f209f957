//! Tests the polyglot example: it builds from a clone with one command, it runs, and later builds make only
//! what changed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::harness::{self, Workspace};

/// Returns the example, built with the shared store.
fn built() -> Workspace {
    Workspace::built("polyglot")
}

#[test]
fn every_component_is_valid_and_gives_the_right_answer() {
    let workspace = built();
    let component = |name: &str| workspace.read(&format!("target/wasm/{name}.wasm"));
    let names = [
        "api", "calc", "greeter", "report", "shop", "slug", "quote", "checksum", "sort", "banner",
        "legacy",
    ];
    for name in names {
        let features = wasmparser::WasmFeatures::all();
        wasmparser::Validator::new_with_features(features).validate_all(&component(name)).unwrap();
    }
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    asynchronous.block_on(async {
        let load = |name| harness::load(&component(name));
        let legacy = load("legacy").run(&runtime::CommandInput::default()).await.unwrap();
        let text = String::from_utf8(legacy.stdout).unwrap();
        assert_eq!(text, "Hello from a component that somebody else built!\n");
        check_calls(&load("calc"), &load("greeter")).await;
        check_zig_and_c(&load("checksum"), &load("sort"), &load("banner")).await;
        check_slug(&load("slug")).await;
        check_answers(&load("api"), "/", 200, "Hello from Rust over HTTP!\n").await;
        check_answers(&load("api"), "/nothing", 404, "not found\n").await;
        let report = "{\"language\": \"python\", \"path\": \"/x\"}\n";
        check_answers(&load("report"), "/x", 200, report).await;
        let tea = "{\"name\":\"tea\",\"cents\":450}\n";
        check_answers(&load("shop"), "/tea", 200, tea).await;
        check_answers(&load("shop"), "/coffee", 404, "there is no coffee\n").await;
        let quote = "That brain of mine is something more than merely mortal.\n";
        check_answers(&load("quote"), "/quotes/ada", 200, quote).await;
        check_answers(&load("quote"), "/quotes/nobody", 404, "nothing is known\n").await;
    });
}

async fn check_calls(calc: &runtime::Loaded, greeter: &runtime::Loaded) {
    let ops = Some("demo:calc/ops@0.1.0");
    let answer = |text: &str| Some(text.to_owned());
    assert_eq!(calc.call(ops, "add", &["40", "2"]).await.unwrap(), answer("42"));
    assert_eq!(calc.call(ops, "gcd", &["54", "24"]).await.unwrap(), answer("6"));
    let greet = Some("demo:greeter/greet@0.1.0");
    let greeting = greeter.call(greet, "greet", &["\"Ada, Grace, Edsger\""]).await.unwrap();
    assert_eq!(greeting, answer("\"Hello, Ada, Grace and Edsger, from Python!\""));
}

async fn check_zig_and_c(
    checksum: &runtime::Loaded,
    sort: &runtime::Loaded,
    banner: &runtime::Loaded,
) {
    let sums = Some("demo:checksum/sums@0.1.0");
    // These are the bytes of "123456789", whose CRC-32 is the standard check value.
    let digits = "[49, 50, 51, 52, 53, 54, 55, 56, 57]";
    let sum = checksum.call(sums, "crc32", &[digits]).await.unwrap();
    assert_eq!(sum.as_deref(), Some("3421780262"));
    let order = Some("demo:sort/order@0.1.0");
    let sorted = sort.call(order, "sort", &["[3, -1, 2]"]).await.unwrap();
    assert_eq!(sorted.as_deref(), Some("[-1, 2, 3]"));
    let frame = banner.run(&runtime::CommandInput::default()).await.unwrap();
    let text = String::from_utf8(frame.stdout).unwrap();
    assert_eq!(text, "+---------------+\n| Hello from C! |\n+---------------+\n");
}

async fn check_slug(slug: &runtime::Loaded) {
    let text = Some("demo:slug/text@0.1.0");
    let answer = slug.call(text, "slug", &["\"Hello, World!\""]).await.unwrap();
    assert_eq!(answer, Some("\"hello-world\"".to_owned()));
}

async fn check_answers(service: &runtime::Loaded, path: &'static str, status: u16, body: &str) {
    let server = service.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let answer = tokio::task::spawn_blocking(move || get(address, path)).await.unwrap();
    assert_eq!(answer, (status, body.to_owned()), "{path}");
    server.shutdown().await;
}

#[test]
fn the_second_build_runs_nothing_and_says_so() {
    let workspace = built();
    let run = workspace.run(["build"]).ok().says("nothing ran");
    assert_eq!(run.ran(), Vec::<&str>::new());
}

#[test]
fn an_edit_runs_the_compile_and_the_finish_of_its_component() {
    let workspace = built();
    let check = |file: &str, from: &str, to: &str, expected: &[&str]| {
        workspace.replace(file, from, to);
        assert_eq!(workspace.run(["build", "-j1"]).ok().ran(), expected, "{file}");
    };
    let unique = format!("edited in {}", workspace.root().display());
    check(
        "components/api/src/lib.rs",
        "not found\\n",
        &format!("{unique}\\n"),
        &["api:compile", "api:finish"],
    );
    check(
        "components/greeter/phrases.py",
        "from Python",
        &unique,
        &["greeter:compile", "greeter:finish"],
    );
    check(
        "components/shop/catalogue/catalogue.go",
        "cup",
        &unique,
        &["shop:compile example.com/shop/catalogue", "shop:link", "shop:finish"],
    );
    // The edit is undone, and the earlier results are still cached.
    check("components/api/src/lib.rs", &unique, "not found", &[]);
    let bytes = workspace.read("target/wasm/api.wasm");
    assert!(!String::from_utf8_lossy(&bytes).contains("edited in"));
}

#[test]
fn after_a_comment_only_edit_nothing_downstream_runs() {
    let workspace = built();
    let before = workspace.read("target/wasm/calc.wasm");
    let comment = format!("//! Edited in {}.\n//! Whole-number", workspace.root().display());
    workspace.replace("components/calc/src/lib.rs", "//! Whole-number", &comment);
    assert_eq!(workspace.run(["build"]).ok().ran(), ["calc:compile"]);
    assert!(workspace.read("target/wasm/calc.wasm") == before);
}

#[test]
fn files_that_no_build_reads_change_nothing() {
    let workspace = built();
    workspace.write("components/api/README.md", "words");
    workspace.write("components/api/tests/later.rs", "not compiled");
    workspace.write("notes.txt", "words");
    assert_eq!(workspace.run(["build"]).ok().ran(), Vec::<&str>::new());
}

#[test]
fn wit_may_be_one_file_among_others_of_the_project() {
    let workspace = built();
    workspace.write("wit/calc.wit", workspace.read("components/calc/wit/calc.wit"));
    workspace.write("wit/other.wit", "package demo:other;\n\nworld other {}\n");
    std::fs::remove_dir_all(workspace.path("components/calc/wit")).unwrap();
    workspace.replace("run.toml", "wit = \"components/calc/wit\"", "wit = \"wit/calc.wit\"");
    // The bindings generator finds the WIT at its default place, beside Cargo.toml.
    workspace.run(["build", "-p", "calc"]).ok();
}

#[test]
fn a_touched_file_changes_nothing() {
    let workspace = built();
    let text = workspace.read("components/api/src/lib.rs");
    workspace.write("components/api/src/lib.rs", text);
    assert_eq!(workspace.run(["build"]).ok().ran(), Vec::<&str>::new());
}

#[test]
fn what_fails_stops_its_dependents_only() {
    let workspace = built();
    let unique = format!("\"{}\"", workspace.root().display());
    workspace.write("components/calc/src/lib.rs", "syntax error");
    workspace.replace("components/api/src/lib.rs", "\"not found\\n\"", &unique);
    let run = workspace.run(["build", "-j1", "-k"]).exits(1).says("calc:compile");
    assert!(
        run.ran().contains(&"api:finish") && !run.ran().contains(&"calc:finish"),
        "{:?}",
        run.ran()
    );
}

/// Sends a GET request, and returns the status and the body of the answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = ask(address, "GET", path, "", "");
    (answer.status, answer.body)
}

/// The answer of an HTTP server.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The header lines.
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Sends a request with these header lines in addition to the usual ones.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let body = if head.contains("chunked") { unchunked(body) } else { body.to_owned() };
    Answer { status, headers: head.to_owned(), body }
}

/// Decodes the body of a chunked answer (RFC 9112, section 7.1).
fn unchunked(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        text.push_str(&rest[..length]);
        body = rest[length..].trim_start_matches("\r\n");
    }
    text
}
