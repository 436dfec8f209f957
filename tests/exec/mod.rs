//! `run exec`: what a program is given, what it may do, and how it ends.

mod composed;

use std::io::{Read as _, Write as _};
use std::process::Output;
use std::time::{Duration, Instant};

use crate::harness::{Run, Workspace};

/// Makes a project with one program, which has these capabilities. It is compiled as if it had all, because the build refuses
/// what is not granted.
fn program(capabilities: &str) -> Workspace {
    let lock = Workspace::example("polyglot").read_text("run.lock.toml");
    let workspace = Workspace::new().file("main.c", include_str!("main.c"));
    workspace.write("run.lock.toml", lock);
    workspace.write("run.toml", manifest("\"stdio\", \"clock\", \"random\", \"env\""));
    workspace.run(["build"]).ok();
    std::fs::copy(workspace.path("out/tool.wasm"), workspace.path("tool.wasm")).unwrap();
    let ready = manifest(capabilities).replace("source = \"main.c\"", "path = \"tool.wasm\"");
    workspace.write("run.toml", ready.replace("language = \"c\"\n", ""));
    workspace
}

fn manifest(capabilities: &str) -> String {
    format!(
        "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"tool\"\n\
         source = \"main.c\"\nlanguage = \"c\"\nworld = \"wasi:cli/command@0.2.4\"\n\
         capabilities = [{capabilities}]\n\n[build]\noutput_dir = \"out\"\n"
    )
}

/// Runs the program and checks its exit code.
#[track_caller]
fn exec(workspace: &Workspace, arguments: &[&str], code: i32) -> Run {
    let all = [&["exec", "-q", "tool", "--"], arguments].concat();
    workspace.run_all(&all).exits(code)
}

#[track_caller]
fn prints(workspace: &Workspace, arguments: &[&str], expect: &str) {
    assert_eq!(exec(workspace, arguments, 0).stdout, expect);
}

#[test]
fn arguments_input_and_output_pass_through() {
    let workspace = program("\"stdio\"");
    prints(
        &workspace,
        &["args", "two words", "", "--help", "ü"],
        "[tool][args][two words][][--help][ü]\n",
    );
    let warned = exec(&workspace, &["warn"], 0);
    assert_eq!((&*warned.stdout, &*warned.stderr), ("", "to stderr\n"));
    let bytes: Vec<u8> = (0..=255u8).cycle().take(300_000).collect();
    let mut child = workspace.spawn_with_input(&["exec", "-q", "tool", "--", "cat"]);
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let sender = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    sender.join().unwrap();
    assert!(status.success() && stdout == bytes);
    // A program whose reader has gone does not run on.
    let start = Instant::now();
    workspace.types("run exec -q tool -- flood 1000000000 | head -1").ok();
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn every_end_has_its_exit_code() {
    let workspace = program("\"stdio\"");
    exec(&workspace, &["exit", "0"], 0);
    exec(&workspace, &["exit", "1"], 1);
    // WASI 0.2 tells success from failure, and nothing more.
    exec(&workspace, &["exit", "42"], 1);
    exec(&workspace, &["trap"], 134).says("about to trap\n").says("error: the component trapped");
    let start = Instant::now();
    workspace.types("run exec tool --timeout 1s -- loop").exits(124).says("time limit");
    assert!(start.elapsed() < Duration::from_secs(20));
    workspace.types("run exec tool --memory 32MiB -- eat").exits(137).says("its limit of 32 MiB");
    workspace
        .types("run exec tool --timeout 1 -- loop")
        .exits(2)
        .says("--timeout: `1` is not a time");
}

#[test]
fn without_capabilities_a_program_gets_nothing() {
    let workspace = program("").env("SECRET", "hush");
    workspace.write("data/file", "data\n");
    let silent = exec(&workspace, &["args"], 0);
    assert_eq!(silent.stdout, "");
    silent.says("warning: the program may not write to standard output (`wasi:cli/stdout`): add \"stdio\" to its `capabilities` (run.toml:5)");
    let granted = |words: &str, rest: &str| {
        workspace.types(&format!("run exec -q tool --grant stdio {words} -- {rest}")).stdout
    };
    assert_eq!(granted("", "env SECRET"), "(unset)\n");
    assert_eq!(granted("--grant env", "env SECRET"), "hush\n");
    assert_eq!(granted("--grant env:SECRET", "env SECRET"), "hush\n");
    assert_eq!(granted("--grant env:OTHER", "env SECRET"), "(unset)\n");
    assert_eq!(granted("--grant env:OTHER --env OTHER=given", "env OTHER"), "given\n");
    assert_eq!(granted("", "time"), "315532800\n");
    assert_ne!(granted("--grant clock", "time"), "315532800\n");
    // The virtual clock moves by what the program wants to sleep.
    let start = Instant::now();
    assert_eq!(granted("", "sleep 3600"), "3600\n");
    assert!(start.elapsed() < Duration::from_secs(600));
    assert_eq!(granted("--grant clock", "sleep 1"), "1\n");
    assert_eq!(granted("", "random"), granted("", "random"));
    assert_ne!(granted("--grant random", "random"), granted("--grant random", "random"));
}

#[test]
fn files_are_those_of_granted_folders() {
    let workspace = program("\"stdio\"");
    workspace.write("data/file", "data\n");
    workspace.write("other/file", "other\n");
    let read = |grant: &str, path: &str, code: i32| {
        workspace.types(&format!("run exec -q tool {grant} -- read {path}")).exits(code).stdout
    };
    read("", "data/file", 1);
    assert_eq!(read("--grant filesystem:data", "data/file", 0), "data\n");
    read("--grant filesystem:data", "other/file", 1);
    read("--grant filesystem:data", "data/../other/file", 1);
    std::os::unix::fs::symlink("../other/file", workspace.path("data/link")).unwrap();
    read("--grant filesystem:data", "data/link", 1);
    assert_eq!(read("--grant filesystem", "other/file", 0), "other\n");
    let write = |grant: &str, path: &str, code: i32| {
        workspace.types(&format!("run exec -q tool {grant} -- write {path}")).exits(code);
    };
    write("--grant filesystem:data", "data/new", 1);
    write("--grant filesystem:data:rw", "data/new", 0);
    assert_eq!(workspace.read_text("data/new"), "written\n");
    workspace
        .types("run exec tool --grant filesystem:nowhere -- read x")
        .exits(36)
        .says("cannot open `")
        .says("nowhere` for the component");
}

#[test]
fn machine_code_is_made_once() {
    let workspace = program("\"stdio\"").private_store();
    let first = workspace.run(["exec", "tool", "--", "args"]).ok();
    let second = workspace.run(["exec", "tool", "--", "args"]).ok();
    assert_eq!(second.stdout, first.stdout);
    assert!(!second.stderr.contains("machine code"), "{}", second.stderr);
    first.says("Running tool:machine code");
}

#[test]
fn what_is_wrong_with_a_command_is_told() {
    let workspace = program("\"stdio\"");
    workspace.types("run exec tol").exits(2).says("there is no component `tol`").says("`tool`");
    workspace.types("run exec missing.wasm").exits(2).says("cannot read");
    workspace.types("run exec main.c").exits(2).says("cannot compile the component");
    workspace
        .types("run exec tool --grant clok")
        .exits(2)
        .says("unknown capability `clok`")
        .says("did you mean `clock`");
    workspace.types("run exec tool --env X").exits(2).says("expected a name, `=` and a value");
    workspace.types("run exec tool --invoke 'f('").exits(2).says("is no call such as");
    workspace.types("run exec tool --invoke f").exits(2).says("there is no function `f`");
    // A file needs no project, and gets its standard streams.
    let output = workspace.types("cp tool.wasm /tmp/x-$$.wasm; cd /; run exec -q /tmp/x-$$.wasm -- args; rm /tmp/x-$$.wasm").ok();
    assert!(output.stdout.ends_with(".wasm][args]\n"), "{}", output.stdout);
}

#[test]
fn functions_are_called_by_their_names() {
    let workspace = Workspace::built("polyglot");
    let call = |component: &str, call: &str| {
        workspace.run(["exec", "-q", component, "--invoke", call]).ok().stdout
    };
    assert_eq!(call("calc", "demo:calc/ops#add(40, 2)"), "42\n");
    assert_eq!(call("calc", "demo:calc/ops@0.1.0#add(1, 1)"), "2\n");
    workspace
        .run(["exec", "calc", "--invoke", "demo:calc/ops#add(1)"])
        .exits(2)
        .says("function `add` takes 2 arguments, not 1");
    workspace
        .run(["exec", "calc", "--invoke", "demo:calc/ops#add(1, x)"])
        .exits(2)
        .says("argument `b` should be a `");
    workspace
        .run(["exec", "calc", "--invoke", "demo:calc/op#add(1, 1)"])
        .exits(2)
        .says("the component exports `demo:calc/ops@0.1.0`, not `demo:calc/op`");
    workspace
        .run(["exec", "calc"])
        .exits(2)
        .says("the component is not a command")
        .says("--invoke");
}

#[test]
fn requests_reach_the_hosts_that_are_granted() {
    let workspace = Workspace::built("microservice-demo");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 18\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        stream.write_all(b"three little words").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let call = format!("demo:worker/jobs#count-words(\"http://{address}/words\")");
    let answer = workspace.run(["exec", "-q", "worker", "--invoke", &call]).ok().stdout;
    assert_eq!(answer, "ok({status: 200, words: 3})\n");
    assert!(server.join().unwrap().starts_with("GET /words HTTP/1.1\r\n"));
    // A file is granted nothing by anybody's run.toml.
    let refused = workspace.run(["exec", "target/wasm/worker.wasm", "--invoke", &call]).ok();
    assert!(refused.stdout.contains("HttpRequestDenied"), "{}", refused.stdout);
    refused.says(&format!("`--grant http-client:{address}` allows it"));
    // Nothing is sent without a network.
    let offline = workspace.run(["exec", "-q", "--offline", "worker", "--invoke", &call]).ok();
    assert!(offline.stdout.starts_with("err("), "{}", offline.stdout);
}

#[test]
fn a_build_refuses_what_is_not_granted() {
    let workspace = Workspace::example("microservice-demo");
    workspace.replace("run.toml", "capabilities = [\"http-client\"]", "capabilities = [\"stdio\"]");
    workspace
        .run(["build", "worker"])
        .exits(1)
        .says("the component imports what its capabilities do not grant:")
        .says("`wasi:http/outgoing-handler@0.2.")
        .says("needs \"http-client\"")
        .says("write `capabilities = [\"stdio\", \"http-client\"]` at run.toml:");
}
