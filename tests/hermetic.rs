//! Tests that an action sees only what run.toml declares, and that the message about a missing file says what
//! to do.

use crate::harness::{Run, Workspace};

/// Copies the example `hello` with another `main.rs`.
pub(crate) fn hello(main: &str) -> Workspace {
    Workspace::example("hello").file("src/main.rs", main)
}

#[track_caller]
fn refused(workspace: &Workspace, expected: &[&str]) -> Run {
    let run = workspace.run(["build"]).exits(1);
    for text in expected {
        assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
    }
    assert!(!workspace.exists("target/wasm/hello.wasm"), "nothing may come out of a failed build");
    run
}

#[test]
fn an_undeclared_file_is_not_there_until_it_is_declared() {
    let main = "fn main() { print!(\"{}\", include_str!(\"../data/words.txt\")); }";
    let workspace = hello(main).file("data/words.txt", "declared\n");
    refused(
        &workspace,
        &["data/words.txt", "add `inputs = [\"data/words.txt\"]` to the component at run.toml:7"],
    );
    workspace.replace("run.toml", "wit = \"wit\"", "wit = \"wit\"\ninputs = [\"data/words.txt\"]");
    workspace.run(["build"]).ok();
    // A declared file is part of the key.
    workspace.write("data/words.txt", format!("changed in {}\n", workspace.root().display()));
    let run = workspace.run(["build"]).ok();
    assert_eq!(run.ran(), ["hello:compile", "hello:finish"]);
}

/// The tool does not say which file is missing, so the command is run once more and watched.
#[test]
fn a_file_that_the_tool_does_not_name_is_named() {
    let script = "fn main() { std::env::set_current_dir(\"data\").or_else(|_| \
                  std::env::set_current_dir(\"src\")).unwrap(); \
                  println!(\"{}\", std::fs::read_to_string(\"../data/words.txt\").unwrap()); }";
    let workspace = hello("fn main() {}").file("build.rs", script).file("data/words.txt", "words");
    let run = refused(
        &workspace,
        &["add `inputs = [\"data/words.txt\"]` to the component at run.toml:7"],
    );
    assert!(!run.stderr.contains("words.txt: "), "the tool says so itself:\n{}", run.stderr);
    let elsewhere = Workspace::new().file("words.txt", "from the host");
    let path = elsewhere.path("words.txt");
    workspace.write("build.rs", format!("fn main() {{ std::fs::read({path:?}).unwrap(); }}"));
    refused(
        &workspace,
        &[
            &format!("`{}` is a file of this machine", path.display()),
            "put a copy of it into the project",
        ],
    );
}

/// The action succeeds without the file, but would give other bytes with it.
#[test]
fn what_an_action_looks_for_is_told_by_verify() {
    let script = "fn main() { if std::path::Path::new(\"settings.toml\").exists() { panic!(); } }";
    let workspace = hello("fn main() {}").file("build.rs", script).file("settings.toml", "");
    let run = workspace.run(["verify"]).ok();
    run.says(
        "Looked for `settings.toml` is in the project but is not an input of component `hello`",
    )
    .says("add `inputs = [\"settings.toml\"]` to the component at run.toml:7");
}

#[test]
fn files_of_the_host_are_not_there() {
    let secret = Workspace::new().file("secret.txt", "from the host");
    let path = secret.path("secret.txt");
    let main = format!("fn main() {{ print!(\"{{}}\", include_str!({path:?})); }}");
    refused(&hello(&main), &["No such file or directory"]);
}

#[test]
fn a_component_that_exceeds_its_limits_is_stopped() {
    let limited = |limit: &str, script: &str| {
        let workspace = hello("fn main() {}").file("build.rs", script);
        workspace.replace("run.toml", "wit = \"wit\"", &format!("wit = \"wit\"\n{limit}"));
        workspace
    };
    let endless = "fn main() { std::thread::sleep(std::time::Duration::from_secs(600)); }";
    refused(
        &limited("timeout = \"4s\"", endless),
        &["ran into its time limit of 4 s", "`timeout` of component `hello` at run.toml:7"],
    );
    let greedy = "fn main() { let all = vec![1_u8; 3 << 30]; \
                  std::thread::sleep(std::time::Duration::from_secs(600)); drop(all); }";
    refused(
        &limited("memory = \"2GiB\"", greedy),
        &["ran out of memory (its limit is 2147483648 bytes)", "`memory` of component `hello`"],
    );
    let counts =
        "fn main() { assert_eq!(std::thread::available_parallelism().unwrap().get(), 1); }";
    limited("cpu = 1", counts).run(["build"]).ok();
    limited("memory = \"2 gigabytes\"", "fn main() {}")
        .run(["build"])
        .exits(2)
        .says("`2 gigabytes` is not a size")
        .says("expected a size like `512MiB` or `2GiB`");
}

#[test]
fn a_build_script_has_no_network() {
    let workspace = hello("fn main() {}")
        .file("build.rs", "fn main() { std::net::TcpStream::connect(\"192.0.2.1:80\").unwrap(); }");
    refused(&workspace, &["Network is unreachable", "actions have no network"]);
}

#[test]
fn a_build_script_cannot_write_to_the_sources() {
    let workspace = hello("fn main() {}")
        .file("build.rs", "fn main() { std::fs::write(\"src/generated.rs\", \"\").unwrap(); }");
    refused(&workspace, &["Read-only file system", "(a build script writes to OUT_DIR)"]);
    let path = "format!(\"{}/generated.rs\", std::env::var(\"OUT_DIR\").unwrap())";
    workspace.replace("build.rs", "\"src/generated.rs\"", path);
    workspace.run(["build"]).ok();
    assert!(!workspace.exists("src/generated.rs"));
}

#[test]
fn a_failure_shows_command_and_output_and_is_not_cached() {
    let workspace = hello("fn main() { syntax error }");
    let run = refused(
        &workspace,
        &["hello:compile", "src/main.rs:1", "--sandbox-debug", "run build hello -v"],
    );
    // The compiler has said what is wrong, so the command is shown only on request, at the end.
    assert!(!run.stderr.contains("command: rustc"), "{}", run.stderr);
    let verbose = workspace.run(["build", "-v"]).exits(1).stderr;
    let (message, command) = (verbose.find("src/main.rs:1"), verbose.find("command: rustc"));
    assert!(message.unwrap() < command.unwrap(), "{verbose}");
    assert!(run.stderr.contains("Failed"), "{}", run.stderr);
    // The action runs again, because failures are not cached.
    assert_eq!(refused(&workspace, &[]).ran(), ["hello:compile"]);
    workspace.write("src/main.rs", "fn main() {}");
    workspace.run(["build"]).ok();
}

/// No other build uses its results, even if the bytes are the same.
#[test]
fn a_weaker_sandbox_is_chosen_by_flag_alone() {
    let main = format!("fn main() {{ print!(\"{}\"); }}", Workspace::new().root().display());
    let workspace = hello(&main);
    let none = ["build", "--sandbox", "none", "--message-format", "json"];
    let run = workspace.run(none).ok();
    assert!(run.stderr.contains("warning: --sandbox none: actions may see more"), "{}", run.stderr);
    assert!(run.ran().contains(&"hello:compile"), "{:?}", run.ran());
    assert!(run.stdout.contains(r#""success":true,"sandbox":"none""#), "{}", run.stdout);
    let bytes = workspace.read("target/wasm/hello.wasm");
    assert_eq!(workspace.run(none).ok().ran(), Vec::<&str>::new());
    let run = workspace.run(["build", "--message-format", "json"]).ok();
    assert!(run.ran().contains(&"hello:compile"), "{:?}", run.ran());
    assert!(run.stdout.contains(r#""sandbox":"namespaces""#), "{}", run.stdout);
    assert_eq!(workspace.read("target/wasm/hello.wasm"), bytes, "Rust shows no difference");
    let words = hello("fn main() { print!(\"{}\", include_str!(\"../data/words.txt\")); }")
        .file("data/words.txt", "words");
    let run = words.run(["build", "--sandbox", "none"]).exits(1);
    assert!(run.stderr.contains("add `inputs = [\"data/words.txt\"]`"), "{}", run.stderr);
}

#[test]
fn a_weaker_sandbox_is_refused_to_root_and_none_is_not() {
    let workspace = hello("fn main() {}");
    let run = workspace.run(["build", "--sandbox", "weak"]).exits(36);
    assert!(run.stderr.contains("this process is root"), "{}", run.stderr);
    assert!(run.stderr.contains("hint: run it as an ordinary user"), "{}", run.stderr);
    workspace.run(["build", "--sandbox", "none"]).ok();
    workspace.run(["verify", "--sandbox", "weak"]).exits(2);
}

#[test]
fn sandbox_debug_keeps_the_folder_and_says_how_to_enter() {
    let workspace = hello("fn main() { syntax error }");
    let run = workspace.run(["build", "--sandbox-debug"]).exits(1);
    let kept = run.stderr.lines().find_map(|line| line.split("sandbox is kept in ").nth(1));
    let kept = std::path::PathBuf::from(kept.unwrap_or_else(|| panic!("{}", run.stderr)));
    assert!(kept.is_dir());
    let line = |label: &str| {
        let line = run.stderr.lines().find_map(|line| line.split(label).nth(1));
        line.unwrap_or_else(|| panic!("{}", run.stderr)).to_owned()
    };
    // The printed lines work in any environment. The shell finds the sources at the same paths as the action.
    let shell = line("enter it with: ");
    let entered = types(&shell, "busybox cat /src/src/main.rs; echo changed > /out/changed\n");
    assert!(entered.ok().stdout.contains("syntax error"));
    assert!(kept.join("out/changed").is_file());
    let again = types(&line("run it again with: "), "");
    let code = again.code;
    again.exits(code).says("syntax error");
    assert_ne!(code, 0);
    // Another command may replace the shell, and its exit code is that of a shell.
    let (sandbox, _) = shell.rsplit_once(" -- ").unwrap();
    let instead = |command: &str| types(&format!("{sandbox} -- {command}"), "");
    instead("busybox sh -c 'test \"$PWD\" = /src && exit 9'").exits(9);
    instead("busybox sh -c 'kill -TERM $$'").exits(143);
    instead("no-such-program").exits(2).says("can't run `no-such-program` in the sandbox");
    types(&shell.replace("--cwd /src", "--cwd /nowhere"), "").exits(2).says("`/nowhere`");
    types(&shell.replace("--cwd", "--cvd"), "").exits(2).says("--cvd");
    std::fs::remove_dir_all(&kept).unwrap();
    types(&shell, "").exits(36).says("can't prepare the writable folder");
}

/// Runs a line in a shell without an environment, with this input.
fn types(line: &str, input: &str) -> Run {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).env_clear().stdin(Stdio::piped());
    let mut shell = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads no input may have ended already.
    let _ = shell.stdin.take().unwrap().write_all(input.as_bytes());
    Run::of(shell.wait_with_output().unwrap())
}

#[test]
fn a_missing_export_names_the_interface_and_the_file() {
    let workspace = hello("fn main() {}").file(
        "wit/hello.wit",
        "package demo:hello;\n\ninterface extra {\n    more: func();\n}\n\n\
         world hello {\n    include wasi:cli/command@0.2.4;\n    export extra;\n}\n",
    );
    refused(&workspace, &["demo:hello/extra", "wit/hello.wit"]);
}

#[test]
fn a_missing_lockfile_is_an_error_with_the_command_that_makes_it() {
    let workspace = hello("fn main() {}");
    std::fs::remove_file(workspace.path("Cargo.lock")).unwrap();
    workspace.run(["build"]).exits(2).says("cargo generate-lockfile").says("run.toml:");
}

#[test]
fn without_namespaces_it_refuses_and_says_how_to_enable_them() {
    let main = format!("fn main() {{ println!(\"{}\"); }}", std::process::id());
    let workspace = hello(&main);
    // This makes a user namespace in which no further ones may be made.
    let forbid = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let wrapper = ["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh"];
    let run = workspace.run_through(&wrapper, &["build"]).exits(36);
    assert!(run.stderr.contains("can't run actions hermetically"), "{}", run.stderr);
    assert!(run.stderr.contains("or `--sandbox none`; see `run build --help`"), "{}", run.stderr);
    assert!(!workspace.exists("target/wasm/hello.wasm"));
    workspace.run_through(&wrapper, &["build", "--sandbox", "none"]).ok();
    assert!(workspace.run(["build", "--help"]).ok().stdout.contains("--sandbox"));
}
