//! Tests releases as their makers and their users see them: keys, making, checking elsewhere, and what is refused.

use std::path::Path;
use std::process::Command;

use crate::harness::Workspace;

/// The smallest component.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

const MANIFEST: &str = "[project]\nname = \"shop\"\nversion = \"1.2.0\"\n\
    repository = \"https://git.example/shop\"\n\n\
    [[component]]\nname = \"api\"\npath = \"api.wasm\"\n";

fn git(folder: &Path, arguments: &[&str]) {
    let author = ["-c", "user.name=A", "-c", "user.email=a@example.com"];
    let status =
        Command::new("git").current_dir(folder).args(author).args(arguments).status().unwrap();
    assert!(status.success(), "git {arguments:?}");
}

/// Makes a committed project, and a pair of keys beside it.
fn committed() -> Workspace {
    let workspace = Workspace::new().file("run.toml", MANIFEST).file("api.wasm", COMPONENT);
    git(&workspace.path(""), &["init", "-q"]);
    git(&workspace.path(""), &["add", "."]);
    git(&workspace.path(""), &["commit", "-qm", "first"]);
    workspace.run(["release", "keygen", "--output", "../ci.key"]).ok();
    workspace
}

/// Makes a release beside the project.
fn released(workspace: &Workspace) -> Vec<u8> {
    let made = workspace.run(["release", "--key", "../ci.key", "--output", "../shop.tar.zst"]).ok();
    let key = std::fs::read_to_string(workspace.root().join("ci.key")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret));
    std::fs::read(workspace.root().join("shop.tar.zst")).unwrap()
}

/// Gives the release and the public key to a machine that has no project.
fn elsewhere(archive: &[u8], workspace: &Workspace) -> Workspace {
    let key = std::fs::read(workspace.root().join("ci.key.pub")).unwrap();
    Workspace::new().private_store().file("shop.tar.zst", archive).file("ci.pub", key)
}

const VERIFY: [&str; 5] = ["verify", "--release", "shop.tar.zst", "--key", "ci.pub"];

#[test]
fn a_release_is_the_same_each_time_and_is_verified_elsewhere() {
    let workspace = committed();
    let archive = released(&workspace);
    assert!(archive == released(&workspace), "the same commit and key give the same bytes");
    let other = elsewhere(&archive, &workspace);
    other.run(VERIFY).ok();
    let demanding = ["clean-sources", "strong-sandbox", "reproduced"];
    let mut arguments = VERIFY.to_vec();
    demanding.iter().for_each(|word| arguments.extend(["--require", word]));
    arguments.extend(["--project", "shop", "--minimum", "1.2.0"]);
    other.run_all(&arguments).ok();
    let explained = other.run(["release", "explain", "shop.tar.zst", "--key", "ci.pub"]).ok();
    for text in ["shop-1.2.0", "components/api.wasm", "git+https://git.example/shop"] {
        assert!(explained.stdout.contains(text), "{text}: {}", explained.stdout);
    }
}

#[test]
fn what_is_not_proved_is_refused() {
    let workspace = committed();
    let mut archive = released(&workspace);
    let other = elsewhere(&archive, &workspace);
    other.run(["release", "keygen", "--output", "wrong"]).ok();
    other.run(["verify", "--release", "shop.tar.zst", "--key", "wrong.pub"]).exits(102);
    other.run(["verify", "--release", "shop.tar.zst"]).exits(2).says("no key");
    for unmet in [
        ["--require", "signatures:2"],
        ["--require", "builder:https://ci.example/builder"],
        ["--project", "other"],
        ["--minimum", "1.3.0"],
    ] {
        other.run_all(&[&VERIFY[..], &unmet].concat()).exits(104);
    }
    other.run_all(&[&VERIFY[..], &["--require", "clean"]].concat()).exits(2).says("--require");
    let middle = archive.len() / 2;
    archive[middle] ^= 1;
    other.write("shop.tar.zst", &archive);
    other.run(VERIFY).exits(102);
}

#[test]
fn the_policy_is_that_of_the_own_project() {
    let workspace = committed();
    let other = elsewhere(&released(&workspace), &workspace);
    let policy = "[project]\nname = \"user\"\nversion = \"0.1.0\"\n\n[release]\nrequire = [\"reproduced\"]\n\n\
                  [[release.keys]]\nname = \"ci\"\nkey = \"ci.pub\"\nexpires = \"2999-12-31\"\n";
    other.write("run.toml", policy);
    other.run(["verify", "--release", "shop.tar.zst"]).ok();
    other.replace("run.toml", "2999", "2020");
    other.run(VERIFY).exits(102);
    other.replace("run.toml", "2020-12-31", "tomorrow");
    other.run(VERIFY).exits(2).says("run.toml:11");
    other.replace("run.toml", "expires", "expiry");
    other.run(VERIFY).exits(2).says("unknown key `expiry`");
}

#[test]
fn only_what_is_committed_is_released() {
    let workspace = committed();
    let release = ["release", "--key", "../ci.key", "--output", "../shop.tar.zst"];
    workspace.write("notes.txt", "");
    workspace.run(release).exits(2).says("notes.txt");
    workspace.run_all(&[&release[..], &["--allow-dirty"]].concat()).ok();
    let archive = std::fs::read(workspace.root().join("shop.tar.zst")).unwrap();
    let other = elsewhere(&archive, &workspace);
    other.run(VERIFY).ok();
    other.run_all(&[&VERIFY[..], &["--require", "clean-sources"]].concat()).exits(104);
    std::fs::remove_file(workspace.path("notes.txt")).unwrap();
    git(&workspace.path(""), &["config", "filter.x.clean", "touch ran"]);
    workspace.run(release).exits(36).says("filters");
}

#[test]
fn keys_are_never_replaced_or_shown() {
    let workspace = committed();
    workspace.run(["release", "keygen", "--output", "../ci.key"]).exits(2).says("never replaced");
    workspace.run(["release"]).exits(2).says("RUN_RELEASE_KEY");
    let key = std::fs::read_to_string(workspace.root().join("ci.key")).unwrap();
    let workspace = workspace.env("RUN_RELEASE_KEY", &key);
    let made = workspace.run(["release", "-v"]).ok();
    let secret = key.lines().nth(1).unwrap();
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret));
    assert!(workspace.exists("target/wasm/shop-1.2.0.tar.zst"));
    let help = workspace.run(["release", "--help"]).ok();
    assert!(help.stdout.contains("run release keygen --output ci.key"), "{}", help.stdout);
}
