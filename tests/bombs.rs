//! Tests small input that costs much time or memory (a *bomb*): each ends within limits and with an error
//! that names it, and a signal ends `run` while it works on one.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::configuration::prebuilt;
use crate::harness::{Run, Workspace};

/// Runs `run build` with a limit of memory for each process, in MiB.
fn build_within(workspace: &Workspace, mebibytes: u64) -> Run {
    let script = format!("ulimit -d {} && exec \"$0\" \"$@\"", mebibytes << 10);
    workspace.run_through(&["sh", "-c", &script], &["build"])
}

/// Makes a project whose ready-made component has this WIT.
fn with_wit(wit: &str) -> Workspace {
    let workspace = prebuilt().file("wit/w.wit", wit);
    let component = "path = \"vendor/legacy.wasm\"\n";
    workspace.replace(
        "run.toml",
        component,
        &format!("{component}wit = \"wit/w.wit\"\nworld = \"w\"\n"),
    );
    workspace
}

/// Makes types each of which names the one before twice. 22 of them unfold to four million fields.
fn doubling(length: usize) -> String {
    let mut text = "package a:b;\ninterface i {\nrecord r0 { a: u8, b: u8 }\n".to_owned();
    for number in 1..length {
        let before = number - 1;
        text += &format!("record r{number} {{ a: r{before}, b: r{before} }}\n");
    }
    format!("{text}f: func(x: r{});\n}}\nworld w {{ export i; }}\n", length - 1)
}

/// Makes worlds each of which includes the one before. A parser needs minutes for so many.
fn slow_wit() -> String {
    let mut text = "package a:b;\nworld w0 { import f: func(); import g: func(); }\n".to_owned();
    for number in 1..100_000 {
        text += &format!("world w{number} {{ include w{}; }}\n", number - 1);
    }
    text + "world w { include w99999; }\n"
}

/// Makes a component of modules with a million types each. It is valid, and slow to validate.
fn slow_component() -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    let types = [leb(1_000_000), b"\x60\0\0".repeat(1_000_000)].concat();
    module.extend([vec![1], leb(types.len()), types].concat());
    let section = [vec![1], leb(module.len()), module].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section.repeat(20)].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let seven = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(seven);
            return bytes;
        }
        bytes.push(seven | 0x80);
    }
}

#[test]
fn types_that_unfold_to_millions_are_refused_at_their_place() {
    let started = Instant::now();
    let run = build_within(&with_wit(&doubling(22)), 200).exits(2);
    run.says("wit/w.wit:25:1: the types of function `f` unfold to 8388607 fields")
        .says("run.toml:8:");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    // Ordinary WIT stays below the limit.
    let run = with_wit(&doubling(10)).run(["build"]).exits(1);
    run.says("the component does not fit world `a:b/w`");
}

#[test]
fn wit_that_is_too_deep_or_too_long_is_an_error() {
    let mut chain = "package a:b;\ninterface i {\ntype t0 = u8;\n".to_owned();
    for number in 1..100_000 {
        chain += &format!("record t{number} {{ a: t{} }}\n", number - 1);
    }
    let chain = chain + "f: func(x: t99999);\n}\nworld w { export i; }\n";
    with_wit(&chain).run(["build"]).exits(2).says("its input is nested too deeply");

    let lists = format!("{}u8{}", "list<".repeat(100_000), ">".repeat(100_000));
    let wit = format!("package a:b;\nworld w {{ import f: func(x: {lists}); }}\n");
    with_wit(&wit).run(["build"]).exits(2).says("type nesting too deep");

    let wit = format!("package a:b;\nworld w {{}}\n//{}\n", "x".repeat(5 << 20));
    let run = with_wit(&wit).run(["build"]).exits(2);
    run.says("wit/w.wit").says("the limit for such a file is 4194304 (4 MiB)");
}

#[test]
fn a_signal_ends_the_work_of_a_worker_within_a_second() {
    for signal in ["-TERM", "-INT"] {
        ends_at_once(&with_wit(&slow_wit()), signal, 8);
        ends_at_once(&prebuilt().file("vendor/legacy.wasm", slow_component()), signal, 8);
    }
    // After SIGKILL nobody can end the worker; it dies with its parent.
    ends_at_once(&prebuilt().file("vendor/legacy.wasm", slow_component()), "-KILL", -1);
}

/// The reader of standard error has stopped reading.
#[test]
fn a_signal_ends_a_build_that_nobody_listens_to() {
    let mut components = String::new();
    for number in 0..400 {
        components +=
            &format!("\n[[component]]\nname = \"c{number}\"\npath = \"vendor/legacy.wasm\"\n");
    }
    let workspace = prebuilt();
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", text + &components);
    let mut child = workspace.spawn(&["build", "-vv"]);
    let pipe = child.stderr.take().unwrap();
    rustix::pipe::fcntl_setpipe_size(&pipe, 4096).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it said too little to wait for its reader");
    let sent = Instant::now();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert!(sent.elapsed() < Duration::from_millis(1500), "{:?}", sent.elapsed());
    drop(pipe);
}

/// Builds, waits until a worker works, sends a signal, and checks that everything has ended a second later.
#[track_caller]
fn ends_at_once(workspace: &Workspace, signal: &str, code: i32) {
    let child = workspace.spawn(&["build"]);
    let worker = worker_of(&child);
    std::thread::sleep(Duration::from_millis(500));
    let sent = Instant::now();
    let killed =
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let run = Run::of(child.wait_with_output().unwrap()).exits(code);
    // This is one second, and some time for a busy machine.
    assert!(sent.elapsed() < Duration::from_millis(1500), "{signal}: {:?}", sent.elapsed());
    while Path::new(&format!("/proc/{worker}/exe")).exists() {
        assert!(
            sent.elapsed() < Duration::from_secs(2),
            "{signal}: the worker lives\n{}",
            run.stderr
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a build has a worker, and returns its process number.
fn worker_of(child: &Child) -> String {
    let parent = child.id();
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
            let status = String::from_utf8_lossy(&read("status")).into_owned();
            if read("cmdline").starts_with(b"run-worker\0")
                && status.contains(&format!("PPid:\t{parent}\n"))
            {
                return process.file_name().into_string().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no worker of {parent} appeared");
}

#[test]
fn a_component_limits_the_work_on_its_wit() {
    let workspace = Workspace::example("hello").file("wit/w.wit", slow_wit());
    let limit = |key: &str, value: &str| {
        let text = workspace.read_text("run.toml");
        let text: Vec<&str> = text.lines().filter(|line| !is_limit(line)).collect();
        let component = text.iter().position(|line| line.starts_with("source = ")).unwrap();
        let mut text: Vec<String> = text.into_iter().map(str::to_owned).collect();
        for line in [
            "wit = \"wit/w.wit\"".to_owned(),
            "world = \"w\"".to_owned(),
            format!("{key} = \"{value}\""),
        ] {
            text.insert(component + 1, line);
        }
        workspace.write("run.toml", text.join("\n"));
        workspace.run(["build", "--locked"]).exits(2)
    };
    let started = Instant::now();
    let run = limit("timeout", "1s");
    run.says("its WIT can't be read: ran into its time limit of 1 s").says("`timeout`");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    // This is the smallest limit of a worker.
    limit("memory", "1MiB").says("ran out of memory (its limit is 134217728 bytes)");
}

fn is_limit(line: &str) -> bool {
    ["wit", "world", "timeout", "memory"].iter().any(|key| line.starts_with(&format!("{key} = ")))
}

#[test]
fn locks_and_manifests_that_are_too_long_are_refused_before_they_are_read() {
    for (example, file, limit) in [
        ("hello", "Cargo.lock", "16777216 (16 MiB)"),
        ("hello", "Cargo.toml", "16777216 (16 MiB)"),
        ("hello", "run.lock.toml", "16777216 (16 MiB)"),
        ("hello", "run.toml", "16777216 (16 MiB)"),
    ] {
        let workspace = Workspace::example(example);
        let path = workspace.path(file);
        std::fs::File::options().write(true).open(path).unwrap().set_len(4 << 30).unwrap();
        let run = build_within(&workspace, 200).exits(2).says(file);
        run.says(&format!("it has 4294967296 bytes; the limit for such a file is {limit}"));
    }
}

#[test]
fn a_ready_made_component_that_is_too_long_is_refused_before_it_is_read() {
    let workspace = prebuilt();
    let path = workspace.path("vendor/legacy.wasm");
    std::fs::File::options().write(true).open(path).unwrap().set_len(6 << 30).unwrap();
    let run = build_within(&workspace, 200).exits(2);
    run.says("`vendor/legacy.wasm` has 6442450944 bytes; the limit for a component is 1073741824")
        .says("run.toml:7:");
}

#[test]
fn patterns_that_no_stack_would_bear_are_refused() {
    let workspace = Workspace::example("hello");
    let text = workspace.read_text("run.toml");
    let pattern = format!("inputs = [\"{}a{}\"]", "{".repeat(200_000), "}".repeat(200_000));
    let source = text.lines().find(|line| line.starts_with("source = ")).unwrap();
    workspace.write("run.toml", text.replace(source, &format!("{source}\n{pattern}")));
    workspace
        .run(["build", "--locked"])
        .exits(2)
        .says("pattern has 400001 bytes, the limit is 1024");
}
