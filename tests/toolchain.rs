//! Tests `run toolchain …`: adding, listing, checking, removing.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::configuration::prebuilt;
use crate::harness::{Workspace, repository};

/// Makes a project with its own compiler in `vendor`, packed like a release.
fn with_archive() -> Workspace {
    let workspace = prebuilt().private_store();
    workspace.write("tool/bin/tinygo", "#!/bin/sh\n");
    workspace.write("tool/lib/data", "data");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(workspace.path("tool/bin/tinygo"), executable).unwrap();
    let archive = workspace.path("vendor/tinygo0.35.0.linux-amd64.tar.gz");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(workspace.path(".")).arg("-czf").arg(archive).arg("tool");
    assert!(tar.status().unwrap().success());
    workspace
}

const ARCHIVE: &str = "vendor/tinygo0.35.0.linux-amd64.tar.gz";

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_toolchain_of_ones_own_is_added_listed_and_removed() {
    let workspace = with_archive();
    workspace
        .run(["toolchain", "add", "tinygo", "--path", ARCHIVE])
        .ok()
        .says("Added tinygo 0.35.0");
    let lock = workspace.read_text("run.lock.toml");
    for expected in
        ["tinygo = \"0.35.0\"", "recipe = \"added-1\"", &format!("from = \"{ARCHIVE}\"")]
    {
        assert!(lock.contains(expected), "no {expected:?} in:\n{lock}");
    }
    // No component needs it, but a sync does not remove it, even with --prune.
    workspace.run(["toolchain", "sync", "--prune"]).ok();
    assert_eq!(workspace.read_text("run.lock.toml"), lock);
    let listed = workspace.run(["toolchain", "list"]).ok().stdout;
    let row = listed.lines().find(|line| line.starts_with("tinygo")).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(row[..5], ["tinygo", "0.35.0", "x86_64-linux", "added,path", "yes"]);
    let json = workspace.run(["toolchain", "list", "--message-format", "json"]).ok().stdout;
    let json = json_lines(&json);
    assert_eq!((&json[0]["event"], &json[0]["name"]), (&"toolchain".into(), &"tinygo".into()));
    assert_eq!((&json[0]["added"], &json[0]["unpacked_bytes"]), (&true.into(), &14.into()));
    assert!(json.iter().any(|line| line["event"] == "available" && line["name"] == "rust"));
    workspace.run(["toolchain", "remove", "tingo"]).exits(2).says("did you mean `tinygo`?");
    workspace.run(["toolchain", "remove", "tinygo"]).ok().says("Removed tinygo 0.35.0");
    assert!(!workspace.read_text("run.lock.toml").contains("tinygo"));
}

#[test]
fn what_can_not_be_added_is_told() {
    let workspace = with_archive();
    workspace
        .run(["toolchain", "add", "rust", "--path", ARCHIVE])
        .exits(2)
        .says("is in the catalogue");
    workspace.run(["toolchain", "add", "x", "--path", "nowhere"]).exits(2).says("no `nowhere`");
    workspace.run(["toolchain", "add", "x"]).exits(2).says("--url");
    let url = format!("file://{}", workspace.path(ARCHIVE).display());
    let wrong = "0".repeat(64);
    workspace.run(["toolchain", "add", "x", "--url", &url, "--sha256", &wrong]).exits(102);
    assert!(!workspace.exists("run.lock.toml"));
    workspace.run(["toolchain", "add", "x", "--url", &url]).ok().says("outside the project");
}

#[test]
fn nothing_is_written_where_it_is_locked() {
    let workspace = with_archive();
    workspace.run(["toolchain", "add", "tinygo", "--path", ARCHIVE, "--locked"]).exits(2);
    workspace.run(["toolchain", "sync", "--upgrade", "--locked"]).exits(2).says("--upgrade");
    let workspace = workspace.env("CI", "true");
    workspace.run(["toolchain", "add", "tinygo", "--path", ARCHIVE]).exits(2).says("CI");
    workspace.run(["toolchain", "sync", "--upgrade"]).exits(2);
    workspace.run(["toolchain", "sync"]).ok().says("serves this project");
    assert!(!workspace.exists("run.lock.toml"));
}

#[test]
fn comments_and_order_of_a_lock_stay() {
    let workspace = with_archive();
    workspace.write("other/bin/other", "x");
    workspace.run(["toolchain", "add", "other@1", "--path", "other"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let kept = lock
        .replace("other = \"1\"", "other = '1'   # ours")
        .replace("[[image]]", "# why\n[[image]]");
    workspace.write("run.lock.toml", &kept);
    workspace.run(["toolchain", "add", "tinygo", "--path", ARCHIVE]).ok();
    assert!(workspace.read_text("run.lock.toml").contains("other = '1'   # ours\ntinygo = "));
    workspace.run(["toolchain", "remove", "tinygo"]).ok();
    assert_eq!(workspace.read_text("run.lock.toml"), kept);
}

#[test]
fn damage_is_found_named_and_set_aside() {
    let workspace = with_archive();
    workspace.run(["toolchain", "add", "tinygo", "--path", ARCHIVE]).ok();
    workspace.run(["toolchain", "verify"]).ok().says("Sound tinygo 0.35.0");
    let data = cas_file(&workspace, b"data");
    let time = std::fs::metadata(&data).unwrap().modified().unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(&data, "bata").unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o444)).unwrap();
    std::fs::File::open(&data).unwrap().set_modified(time).unwrap();
    let found = workspace.run(["toolchain", "verify", "tinygo"]).exits(102).says("set aside");
    let fields: Vec<&str> = found.stdout.trim_end().split('\t').collect();
    let expect = ["tinygo", "x86_64-linux", "usr/lib/tinygo/lib/data", "pkg:generic/tinygo@0.35.0"];
    assert_eq!(fields[..4], expect);
    assert_eq!(std::fs::read_to_string(fields[4]).unwrap(), "bata");
    let again = workspace.run(["toolchain", "verify", "--message-format", "json"]).ok().stdout;
    assert_eq!(json_lines(&again)[0]["state"], "incomplete");
    workspace.run(["toolchain", "verify", "zig"]).exits(2).says("no toolchain `zig`");
}

/// Finds the file of a blob in the store by its content.
fn cas_file(workspace: &Workspace, content: &[u8]) -> std::path::PathBuf {
    let mut folders = vec![workspace.store().join("cas/blake3")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(&path).unwrap() == content {
                return path;
            }
        }
    }
    panic!("the store has no such blob");
}

#[test]
fn the_pages_lock_is_a_choice_where_its_versions_are_needed() {
    let page = std::fs::read_to_string(repository().join("tests/fixtures/run-configuration.txt"));
    let page = page.unwrap();
    let start = page.find("[toolchains]\n").unwrap();
    let text = &page[start..start + page[start..].find("Generated with").unwrap()];
    let workspace = Workspace::example("polyglot");
    workspace.write("run.lock.toml", text);
    let run = workspace.run(["v2", "toolchain", "sync"]).exits(2);
    let run =
        run.says("componentize-py` 0.15.0").says("run toolchain sync --upgrade componentize-py");
    assert!(run.stderr.contains("known: "), "{}", run.stderr);
    assert_eq!(workspace.read_text("run.lock.toml"), text);
    // No component needs it, so it is accepted. The output names the version that has no effect.
    let workspace = prebuilt();
    workspace.write("run.lock.toml", text);
    let run = workspace.run(["toolchain", "sync"]).ok();
    let run =
        run.says("wasm-tools 1.219.1: built into `run`").says("cargo-component 0.20.0: not pinned");
    assert!(run.stderr.contains("Kept componentize-py 0.15.0"), "{}", run.stderr);
    assert_eq!(workspace.read_text("run.lock.toml"), text);
}
