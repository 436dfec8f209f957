//! Dependencies in git repositories.

use std::path::Path;
use std::process::Command;

use super::{Registry, app, locked};

/// Makes a commit of everything in a folder, which becomes a repository if it is none, and returns the commit's hash.
pub(super) fn commit(folder: &Path, files: &[(&str, &str)]) -> String {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    if !folder.join(".git").exists() {
        git(&["init", "-q"]);
    }
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "a change"]);
    git(&["rev-parse", "HEAD"])
}

#[test]
fn a_commit_is_pinned_until_it_is_updated() {
    let (registry, repository) = (Registry::new(), tempfile::tempdir().unwrap());
    let words = "package demo:more@0.3.0;\ninterface more { use demo:sub/types@0.1.0.{t}; more: func() -> t; }\n";
    let first = commit(
        repository.path(),
        &[
            ("wit/more.wit", words),
            ("wit/deps/sub.wit", "package demo:sub@0.1.0;\ninterface types { type t = string; }\n"),
            ("README.md", "not a part of it"),
        ],
    );
    let url = format!("file://{}", repository.path().display());
    let workspace = app(&registry.url());
    workspace.write("wit/app.wit", "package demo:app;\nworld app { import demo:more/more; }\n");
    workspace.run(["add", "demo:more", "--git", &url]).ok().says("Added demo:more 0.3.0");
    assert!(workspace.read_text("run.lock.toml").contains(&format!("git+{url}#{first}")));
    workspace.run(["build"]).ok();
    // An edit beside the WIT and a new version change nothing.
    commit(repository.path(), &[("README.md", "edited")]);
    commit(repository.path(), &[("wit/more.wit", &words.replace("0.3.0", "0.3.1"))]);
    workspace.run(["build", "--locked"]).ok().says("1 hit");
    // Another machine gets the pinned commit.
    std::fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    std::fs::remove_dir_all(workspace.path(".run")).unwrap();
    workspace.run(["build", "--frozen"]).exits(36).says("the network is switched off");
    workspace.run(["build", "--locked"]).ok();
    workspace.run(["update"]).ok().says("Updated demo:more 0.3.0 -> 0.3.1");
    assert_eq!(locked(&workspace), ["demo:more 0.3.1"]);
    workspace.run(["build"]).ok();
}

#[test]
fn other_bytes_for_a_pinned_commit_are_refused() {
    let (registry, repository) = (Registry::new(), tempfile::tempdir().unwrap());
    commit(
        repository.path(),
        &[("greet.wit", "package demo:greet@1.0.0;\ninterface greeter {}\n")],
    );
    let url = format!("file://{}", repository.path().display());
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet", "--git", &url]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let (_, digest) = lock.split_once("digest = \"sha256:").unwrap();
    let digest = &digest[..64];
    workspace.write("run.lock.toml", lock.replace(digest, &"0".repeat(64)));
    std::fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    let run = workspace.run(["build"]).exits(102);
    run.says(&format!("expected sha256:{}, got sha256:{digest}", "0".repeat(64)));
}

#[test]
fn a_folder_of_a_repository_is_chosen_by_its_path() {
    let (registry, repository) = (Registry::new(), tempfile::tempdir().unwrap());
    let files = [("a/greet.wit", "package demo:greet@1.0.0;\ninterface greeter { f: func(); }\n")];
    commit(repository.path(), &files);
    let url = format!("file://{}", repository.path().display());
    let workspace = app(&registry.url());
    let run = workspace.run(["add", "demo:greet", "--git", &url]).exits(36);
    run.says("neither a .wit file nor a .wasm file at `.`");
    workspace
        .run(["add", "demo:greet", "--git", &url, "--path", "../a"])
        .exits(2)
        .says("leaves the repository");
    workspace.run(["add", "demo:greet", "--git", &url, "--path", "a"]).ok();
    workspace.run(["build"]).ok();
    workspace
        .run(["add", "demo:hail", "--git", &url, "--path", "a"])
        .exits(2)
        .says("is package `demo:greet`");
    let run = workspace.run(["add", "demo:greet", "--git", &url, "--tag", "v9"]).exits(36);
    run.says("git did not give refs/tags/v9");
}
