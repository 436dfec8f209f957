//! Capabilities inside a composition: each part has its own.
//!
//! The root has all capabilities and hands on what its dependency exports. So whatever such a program does, the dependency does.

use std::io::{Read as _, Write as _};

use super::program;
use crate::harness::{Workspace, exports};

/// The capabilities of the root.
const ALL: &str = "\"stdio\", \"clock\", \"random\", \"env\", \"filesystem\", \"sockets\"";

/// Returns the program of `run exec`'s tests, as a component.
fn tool() -> Vec<u8> {
    program("").read("tool.wasm")
}

/// Makes a project whose program `outer` has all capabilities, and whose dependency is this program. `inner` are the lines of run.toml
/// about that dependency, whose file is `tool.wasm`.
fn composed(tool: &[u8], dependencies: &str, inner: &str) -> Workspace {
    let run = exports(tool);
    let run = run.iter().find(|export| export.starts_with("wasi:cli/run@")).unwrap();
    let outer = format!(
        "(component
           (import \"{run}\" (instance $inner (export \"run\" (func (result (result))))))
           (export \"{run}\" (instance $inner)))"
    );
    let manifest = format!(
        "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"outer\"\n\
         path = \"outer.wasm\"\ncapabilities = [{ALL}]\n{dependencies}\n\n{inner}\n"
    );
    Workspace::new()
        .env("SECRET", "hush")
        .file("data/file", "data\n")
        .file("outer.wasm", wat::parse_str(outer).unwrap())
        .file("tool.wasm", tool)
        .file("run.toml", manifest)
}

/// Makes such a project whose dependency is a component of it that has these capabilities.
fn sibling(tool: &[u8], capabilities: &str) -> Workspace {
    let inner = format!(
        "[[component]]\nname = \"tool\"\npath = \"tool.wasm\"\ncapabilities = [{capabilities}]"
    );
    composed(tool, "dependencies = [\"tool\"]", &inner)
}

/// Makes such a project whose dependency is a package.
fn package(capabilities: &str) -> Workspace {
    let keys = format!("path = \"tool.wasm\"{capabilities}");
    composed(&tool(), "", &format!("[dependencies]\n\"demo:tool\" = {{ {keys} }}"))
}

#[track_caller]
fn prints(workspace: &Workspace, arguments: &str, expected: &str) {
    let printed = workspace.types(&format!("run exec -q outer -- {arguments}")).stdout;
    assert_eq!(printed, expected, "{arguments}");
}

#[test]
fn a_part_does_not_get_the_capabilities_of_the_root() {
    let tool = tool();
    let workspace = sibling(&tool, "");
    prints(&workspace, "env SECRET", "(unset)\n");
    prints(&workspace, "read data/file", "");
    // Arguments of the command line are no variables, and streams are those of the whole.
    prints(&workspace, "args one 'two words'", "[outer][args][one][two words]\n");
    let inside = sibling(&tool, "\"env\", \"filesystem\"");
    prints(&inside, "env SECRET", "hush\n");
    prints(&inside, "read data/file", "data\n");
    let files = sibling(&tool, "\"filesystem\"");
    prints(&files, "read data/file", "data\n");
    prints(&files, "env SECRET", "(unset)\n");
}

#[test]
fn a_part_without_sockets_reaches_nobody() {
    let lock = Workspace::example("polyglot").read_text("run.lock.toml");
    let main = "fn main() { println!(\"{:?}\", std::net::TcpStream::connect(\"127.0.0.1:1\").unwrap_err().kind()); }";
    let project = Workspace::new()
        .file("run.lock.toml", lock)
        .file("src/main.rs", main)
        .file("Cargo.toml", "[package]\nname = \"tool\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .file("Cargo.lock", "version = 4\n\n[[package]]\nname = \"tool\"\nversion = \"0.1.0\"\n")
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"tool\"\nsource = \"src/main.rs\"\n\
             language = \"rust\"\nworld = \"wasi:cli/command@0.2.4\"\ncapabilities = [\"stdio\", \"sockets\"]\n",
        );
    project.run(["build"]).ok();
    let exec = |grant: &str| {
        project.types(&format!("run exec -q target/wasm/tool.wasm --grant {grant}")).ok()
    };
    assert_eq!(exec("sockets").stdout, "ConnectionRefused\n");
    assert_eq!(exec("sockets:127.0.0.1:1").stdout, "ConnectionRefused\n");
    let denied = exec("sockets:127.0.0.1:2");
    assert_eq!(denied.stdout, "PermissionDenied\n");
    denied.says("connect to 127.0.0.1:1").says("sockets:127.0.0.1:1");
    let tool = project.read("target/wasm/tool.wasm");
    prints(&sibling(&tool, ""), "", "PermissionDenied\n");
    prints(&sibling(&tool, "\"sockets\""), "", "ConnectionRefused\n");
}

#[test]
fn a_package_has_the_capabilities_that_its_entry_grants() {
    let without = package("");
    prints(&without, "env SECRET", "(unset)\n");
    prints(&without, "read data/file", "");
    let with = package(", capabilities = [\"env:SECRET\"]");
    prints(&with, "env SECRET", "hush\n");
    prints(&with, "read data/file", "");
    with.replace("run.toml", "\"env:SECRET\"", "\"envv\"");
    with.run(["build"]).exits(2).says("unknown capability `envv`").says("run.toml:12:53");
}

#[test]
fn the_root_does_not_get_the_capabilities_of_a_part() {
    // Here, the root is the program, and what it depends on has the capabilities.
    let workspace = program("\"stdio\"").env("SECRET", "hush");
    let rand = crate::packages::composition::rng("1.0.0", 1);
    workspace.write("rng.wasm", rand);
    let text = workspace.read_text("run.toml");
    let keys = "path = \"rng.wasm\", capabilities = [\"env\"]";
    workspace.write("run.toml", format!("{text}\n[dependencies]\n\"demo:rng\" = {{ {keys} }}\n"));
    let printed = workspace.types("run exec -q tool -- env SECRET").stdout;
    assert_eq!(printed, "(unset)\n");
}

#[test]
fn a_request_of_a_part_without_the_capability_is_refused() {
    let workspace = Workspace::built("microservice-demo");
    let worker = workspace.read("target/wasm/worker.wasm");
    let jobs = "demo:worker/jobs";
    // `error` gives the error of `count-words`, or an empty text. That result begins at address 16, and its text at address 20.
    let outer = format!(
        "(component
           (import \"{jobs}\" (instance $inner
             (type $fields (record (field \"status\" u16) (field \"words\" u32)))
             (export \"page\" (type $page (eq $fields)))
             (type $result (result $page (error string)))
             (export \"count-words\" (func (param \"url\" string) (result $result)))))
           (core module $memory
             (memory (export \"memory\") 2)
             (global $free (mut i32) (i32.const 1024))
             (func (export \"realloc\") (param i32 i32 i32 i32) (result i32)
               global.get $free
               (global.set $free (i32.and (i32.const -8)
                 (i32.add (i32.const 7) (i32.add (global.get $free) (local.get 3)))))))
           (core instance $memory (instantiate $memory))
           (core func $count (canon lower (func $inner \"count-words\")
             (memory (core memory $memory \"memory\")) (realloc (core func $memory \"realloc\"))))
           (core module $m
             (import \"\" \"count\" (func $count (param i32 i32 i32)))
             (import \"\" \"memory\" (memory 2))
             (func (export \"error\") (param i32 i32) (result i32)
               (call $count (local.get 0) (local.get 1) (i32.const 16))
               (select (i32.const 20) (i32.const 8) (i32.load8_u (i32.const 16)))))
           (core instance $i (instantiate $m (with \"\" (instance
             (export \"count\" (func $count)) (export \"memory\" (memory $memory \"memory\"))))))
           (func $error (param \"url\" string) (result string) (canon lift (core func $i \"error\")
             (memory (core memory $memory \"memory\")) (realloc (core func $memory \"realloc\"))))
           (export \"error\" (func $error)))"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let read = stream.read(&mut [0; 4096]).unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntwo words";
        stream.write_all(answer.as_bytes()).unwrap();
        read
    });
    let project = Workspace::new()
        .file("outer.wasm", wat::parse_str(outer).unwrap())
        .file("worker.wasm", worker)
        .file(
            "run.toml",
            "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"outer\"\npath = \"outer.wasm\"\n\
             capabilities = [\"http-client\"]\ndependencies = [\"worker\"]\n\n\
             [[component]]\nname = \"worker\"\npath = \"worker.wasm\"\ncapabilities = []\n",
        );
    let call = format!("error(\"http://{address}/\")");
    let refused = project.run(["exec", "-q", "outer", "--invoke", &call]).ok().stdout;
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    project.replace("run.toml", "capabilities = []", "capabilities = [\"http-client\"]");
    let answered = project.run(["exec", "-q", "outer", "--invoke", &call]).ok().stdout;
    assert_eq!(answered, "\"\"\n");
    assert!(server.join().unwrap() > 0);
}
