//! Checkouts, locks and arguments that are hostile or odd: each is told, and nothing outside of the project changes.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use super::{Registry, app, locked};

#[test]
fn copies_for_editors_stay_inside_of_the_project() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    let outside = workspace.root().join("outside");
    fs::create_dir_all(outside.join("victim.fetched")).unwrap();
    symlink(&outside, workspace.path("wit/deps")).unwrap();
    workspace.run(["fetch"]).exits(2).says("is a symbolic link");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    fs::remove_file(workspace.path("wit/deps")).unwrap();
    fs::remove_dir_all(workspace.path(".run/cache")).unwrap();
    symlink(&outside, workspace.path(".run/cache")).unwrap();
    workspace.run(["fetch"]).exits(2).says(".run/cache` is a symbolic link");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_package_may_move_from_a_repository_to_a_registry() {
    let (registry, repository) = (Registry::new(), tempfile::tempdir().unwrap());
    let wit = "package demo:greet@1.1.0;\ninterface greeter { f: func(); }\n";
    fs::write(repository.path().join("greet.wit"), wit).unwrap();
    super::repositories::commit(repository.path(), &[]);
    let url = format!("file://{}", repository.path().display());
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet", "--git", &url]).ok();
    let of_repository = workspace.read_text("run.lock.toml");
    workspace.run(["add", "demo:greet@=1.1.0"]).ok();
    assert_eq!(locked(&workspace), ["demo:greet 1.1.0", "demo:words 0.1.0"]);
    let of_registry = workspace.read_text("run.lock.toml");
    let digest = |lock: &str| lock.split_once("sha256:").unwrap().1[..64].to_owned();
    assert_ne!(digest(&of_repository), digest(&of_registry));
    fs::remove_dir_all(workspace.path(".run")).unwrap();
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    workspace.run(["build", "--locked"]).ok();
}

#[test]
fn odd_locks_are_refused_with_their_line() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let check = |from: &str, to: &str, expect: &str| {
        workspace.write("run.lock.toml", lock.replacen(from, to, 1));
        workspace.run(["build"]).exits(2).says("run.lock.toml:").says(expect);
    };
    check(&registry.url(), "git+https://example.com/x#aé", "is not where a package comes from");
    check("\"demo:greet\"", "\"../greet\"", "package name");
    check("\"wit\"", "\"image\"", "unknown variant");
    check("sha256:", "sha256:00", "is no digest of a package");
    check("needs = [\"demo:words", "needs = [\"demo:nobody", "which is not locked");
}

#[test]
fn odd_arguments_are_told() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    let text = workspace.read_text("run.toml");
    let long = format!("{}:b@1", "a".repeat(300));
    workspace.run(["add", &long]).exits(2).says("is not in kebab case");
    workspace.run(["add", "demo:near", "--path", "../nowhere"]).exits(2).says("there is no");
    let repository = ["add", "demo:x", "--git", "https://example.com/x", "--rev", "abcdef0123"];
    workspace.run(repository).exits(36).says("write the whole hash");
    assert_eq!(workspace.read_text("run.toml"), text);
    // The path is relative to where the command runs.
    workspace.write("near/near.wit", "package demo:near;\n");
    workspace.run(["-C", "wit", "add", "demo:near", "--path", "../near"]).ok();
    workspace.run(["build", "--locked"]).exits(2).says("`demo:greet` was not found");
    workspace.run(["remove", "demo:near"]).ok();
    workspace.run(["add", "demo:greet"]).ok();
    workspace.write("wit/app.wit", "package demo:app;\nworld app { import demo:nobody/x; }\n");
    workspace.run(["fetch"]).exits(2).says("package `demo:nobody` was not found");
    // Whatever version of what is built in is not asked for.
    workspace.write("wit/app.wit", "package demo:app;\nworld app { import wasi:io/poll; }\n");
    for version in ["*", "<0.3", ">0.2.0", "0.2"] {
        let text = workspace.read_text("run.toml");
        workspace.write("run.toml", format!("{text}\"wasi:io\" = \"{version}\"\n"));
        workspace.run(["build"]).ok();
        workspace.write("run.toml", text);
    }
}

#[test]
fn a_path_in_a_repository_may_have_any_name() {
    let (registry, repository) = (Registry::new(), tempfile::tempdir().unwrap());
    let wit = "package demo:greet@1.0.0;\ninterface greeter { f: func(); }\n";
    super::repositories::commit(repository.path(), &[("a&b/greet.wit", wit)]);
    let url = format!("file://{}", repository.path().display());
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet", "--git", &url, "--path", "a&b"]).ok();
    fs::remove_dir_all(workspace.path(".run")).unwrap();
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    workspace.run(["build", "--locked"]).ok();
}

#[test]
fn logins_that_could_never_be_sent_are_refused() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    let login = |arguments: &[&str], secret: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_run"))
            .arg("login")
            .args(arguments)
            .current_dir(workspace.path(""))
            .env_clear()
            .env("RUN_HOME", workspace.root().join("run-home"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may have refused its arguments before it reads.
        _ = child.stdin.take().unwrap().write_all(secret.as_bytes());
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let refused = |arguments: &[&str], secret: &str, expect: &str| {
        let (code, said) = login(arguments, secret);
        assert!(code == 2 && said.contains(expect), "{code}: {said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    };
    refused(&["registry.example.com"], "s3cr3t\nmore", "more than one line");
    refused(&["registry.example.com"], "", "there is no secret");
    refused(&["registry.example.com"], &"s3cr3t".repeat(20_000), "too long");
    refused(&["registry.example.com", "-u", "a:b"], "s3cr3t", "can't be the name of a user");
    refused(&[], "s3cr3t", "a folder, which needs no login");
    let (code, said) = login(&["registry.example.com", "-u", "ci"], "s3cr3t\n");
    assert!(code == 0 && said.contains("Stored a login for registry.example.com"), "{said}");
    let file = workspace.root().join("run-home/logins.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    workspace.run(["logout", "registry.example.com"]).ok().says("Removed the login");
    assert!(!fs::read_to_string(file).unwrap_or_default().contains("s3cr3t"));
}
