//! Tests that Bazel can use `run cache serve`, over both protocols.

use std::path::Path;
use std::process::Command;

use super::servers::{Server, installed};

#[test]
fn bazel_finds_everything_that_it_has_built_before() {
    let server = Server::own(&[]);
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    std::fs::create_dir(&workspace).unwrap();
    std::fs::write(workspace.join("WORKSPACE"), "").unwrap();
    let rule = |number: usize| {
        format!(
            "genrule(name = \"g{number}\", srcs = [\"in.txt\"], outs = [\"o{number}.txt\"], \
             cmd = \"(echo {number}; cat $(SRCS); head -c {} /dev/zero) > $@\")\n",
            number * 300_000
        )
    };
    std::fs::write(workspace.join("BUILD"), (0..20).map(rule).collect::<String>()).unwrap();
    std::fs::write(workspace.join("in.txt"), "input").unwrap();
    for url in [server.grpc(), server.url.clone()] {
        // Each protocol begins with other actions.
        std::fs::write(workspace.join("in.txt"), &url).unwrap();
        let first =
            bazel(&workspace, folder.path(), &["build", "//...", &format!("--remote_cache={url}")]);
        assert!(!first.contains("remote cache hit"), "{first}");
        bazel(&workspace, folder.path(), &["clean", "--expunge"]);
        let second =
            bazel(&workspace, folder.path(), &["build", "//...", &format!("--remote_cache={url}")]);
        assert!(second.contains("20 remote cache hit"), "{second}");
    }
    bazel(&workspace, folder.path(), &["shutdown"]);
}

/// Runs Bazel and returns what it prints.
fn bazel(workspace: &Path, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(installed("bazel", "bazel-bootstrap"));
    command.arg(format!("--output_user_root={}", folder.join("bazel").display()));
    command.args(arguments).current_dir(workspace).env("HOME", folder);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    text
}
