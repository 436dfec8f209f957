//! The commands: `add`, `remove`, `update`, `fetch`, `tree` and `search`.

use std::fs;

use super::{Registry, app, greet, locked};
use crate::harness::Workspace;

#[test]
fn a_package_is_added_used_updated_and_removed() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    let before = workspace.read_text("run.toml");
    workspace.run(["build"]).exits(2).says("package `demo:greet` was not found");
    workspace.run(["add", "demo:greet@1.0"]).ok().says("Added demo:greet 1.1.0");
    // What was there is as it was.
    let text = workspace.read_text("run.toml");
    assert_eq!(text, format!("{before}\n[dependencies]\n\"demo:greet\" = \"1.0\"\n"));
    assert_eq!(locked(&workspace), ["demo:greet 1.1.0", "demo:words 0.1.0"]);
    workspace.run(["build"]).ok();
    workspace.run(["build", "--locked"]).ok().says("1 hit");
    // A newer version changes nothing until somebody asks for it.
    registry.publish(&greet("1.2.0"));
    workspace.run(["build"]).ok().says("1 hit");
    workspace.run(["update", "--dry-run"]).ok().says("Updated demo:greet 1.1.0 -> 1.2.0");
    assert_eq!(locked(&workspace), ["demo:greet 1.1.0", "demo:words 0.1.0"]);
    workspace.run(["update", "demo:words"]).ok().says("2 packages, nothing to change");
    workspace.run(["update", "demo:greet"]).ok().says("Updated demo:greet 1.1.0 -> 1.2.0");
    workspace.run(["update", "demo:nobody"]).exits(2).says("it has demo:greet, demo:words");
    workspace.run(["build"]).ok();
    workspace.run(["remove", "demo:greet", "--dev"]).exits(2).says("leave --dev out");
    workspace.run(["remove", "demo:greet"]).ok().says("Removed demo:words 0.1.0");
    assert!(locked(&workspace).is_empty());
    assert!(workspace.read_text("run.toml").starts_with(&before));
}

#[test]
fn the_lock_has_to_serve_where_it_may_not_be_changed() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet@=1.0.0"]).ok();
    workspace.replace("run.toml", "=1.0.0", "^1.1");
    let text = workspace.read_text("run.toml");
    let run = workspace.run(["build", "--locked"]).exits(2);
    run.says("Updated demo:greet 1.0.0 -> 1.1.0");
    assert_eq!(locked(&workspace), ["demo:greet 1.0.0", "demo:words 0.1.0"]);
    let in_ci = workspace.run(["build"]).ok().says("Updated demo:greet 1.0.0 -> 1.1.0");
    drop(in_ci);
    workspace.run(["build", "--locked"]).ok();
    // The order of run.toml does not matter to the lock.
    let lock = workspace.read_text("run.lock.toml");
    let (head, dependencies) = text.split_once("[dependencies]").unwrap();
    workspace.write("run.toml", format!("[dependencies]{dependencies}\n{head}"));
    workspace.run(["build"]).ok();
    assert_eq!(workspace.read_text("run.lock.toml"), lock);
}

#[test]
fn nothing_is_written_for_a_package_that_can_not_be_had() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    let text = workspace.read_text("run.toml");
    workspace.run(["add", "demo:nobody"]).exits(2).says("has no package `demo:nobody`");
    let run = workspace.run(["add", "demo:greet@3"]).exits(2);
    run.says("the project needs demo:greet ^3\n  there is demo:greet 1.1.0, 1.0.0");
    workspace.run(["add", "greet"]).exits(2).says("a package is `namespace:name`");
    workspace.run(["add", "demo:greet", "--features", "quieter"]).ok();
    workspace.run(["build"]).exits(2).says("has no feature `quieter`; it has louder");
    workspace.write("run.toml", &text);
    workspace.run(["add", "demo:greet@1.0", "--path", "wit"]).exits(2).says("have one only");
    assert_eq!(workspace.read_text("run.toml"), text);
}

#[test]
fn features_gate_parts_of_a_package() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.write(
        "wit/app.wit",
        "package demo:app;\nworld app { use demo:greet/greeter.{word}; import demo:greet/greeter; }\n",
    );
    workspace.run(["add", "demo:greet", "-F", "louder"]).ok();
    let line = "\"demo:greet\" = { version = \"1.1.0\", features = [\"louder\"] }\n";
    assert!(workspace.read_text("run.toml").ends_with(line));
    workspace.run(["fetch"]).ok().says("Wrote wit/deps");
    let text = workspace.read_text("wit/deps/demo-greet-1.1.0.fetched/package.wit");
    assert!(text.contains("shout") && !text.contains("@unstable"), "{text}");
    workspace.run(["build"]).ok();
}

#[test]
fn fetched_packages_are_enough_without_a_registry() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    fs::remove_dir_all(workspace.path(".run/cache")).unwrap();
    workspace.run(["fetch"]).ok().says("Fetched 2 packages");
    // The copies for editors are not read, whatever they say.
    workspace.write("wit/deps/demo-greet-1.1.0.fetched/package.wit", "package demo:greet@9.0.0;\n");
    fs::remove_dir_all(registry.path()).unwrap();
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    workspace.run(["build", "--frozen"]).ok();
    workspace.run(["fetch", "--offline"]).ok();
    let text = workspace.read_text("wit/deps/demo-greet-1.1.0.fetched/package.wit");
    assert!(text.contains("hello"), "{text}");
    // A damaged file is noticed.
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    let kept = workspace.path(".run/cache/sha256");
    let files = walk(&kept);
    assert_eq!(files.len(), 2);
    for file in files {
        fs::write(file, b"\0asm\x0d\0\x01\0").unwrap();
    }
    workspace.run(["build", "--frozen"]).exits(36).says("cannot read");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn many_fetches_at_once_succeed() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:greet"]).ok();
    fs::remove_dir_all(workspace.path(".run/cache")).unwrap();
    fs::remove_dir_all(workspace.root().join("run-home")).unwrap();
    let running: Vec<_> = (0..10).map(|_| workspace.spawn(&["fetch"])).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(walk(&workspace.path(".run/cache/sha256")).len(), 2);
    assert!(workspace.exists("wit/deps/demo-words-0.1.0.fetched/package.wit"));
}

#[test]
fn the_tree_says_what_needs_what() {
    let registry = Registry::new();
    let workspace = app(&registry.url());
    let text = workspace.read_text("run.toml");
    workspace.write(
        "run.toml",
        format!(
            "{text}\n[dependencies]\n\"demo:greet\" = \"1.0\"\n\"wasi:http\" = \"0.2.0\"\n\
             \"wasi:logging\" = \"0.1.0\"\n\"demo:near\" = {{ path = \"../near\" }}\n\n\
             [dev_dependencies]\n\"demo:words\" = \"0.1\"\n"
        ),
    );
    workspace.write("../near/near.wit", "package demo:near;\n");
    assert!(workspace.run(["tree"]).ok().stdout.contains("demo:greet ^1.0 (not locked yet)"));
    workspace.run(["fetch", "--no-wit"]).ok();
    let url = registry.url();
    assert_eq!(
        workspace.run(["tree"]).ok().stdout,
        format!(
            "app 0.1.0\n\
             ├── demo:greet 1.1.0 (wit, {url})\n\
             │   └── demo:words 0.1.0 (wit, {url})\n\
             ├── demo:near * (../near)\n\
             ├── wasi:http 0.2.0 (built in)\n\
             └── wasi:logging 0.1.0-draft (built in)\n\
             [dev_dependencies]\n\
             └── demo:words 0.1.0 (wit, {url})\n"
        )
    );
    let json = workspace.run(["tree", "--message-format", "json"]).ok().stdout;
    assert_eq!(json.lines().count(), 5);
    assert!(json.contains("\"needs\":[\"demo:words 0.1.0\"]"), "{json}");
    assert_eq!(workspace.run(["search", "GREE"]).ok().stdout, "demo:greet\n");
    workspace.run(["search", "nobody"]).ok().says("no package");
}

#[test]
fn a_build_does_not_need_what_is_for_tests() {
    let workspace = app("file:///nowhere/at/all");
    workspace.write("wit/app.wit", "package demo:app;\nworld app {}\n");
    let text = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{text}\n[dev_dependencies]\n\"test:mock\" = \"1.0.0\"\n"));
    workspace.run(["build"]).ok();
    workspace.run(["fetch"]).exits(36).says("/nowhere/at/all");
    assert!(!workspace.exists("run.lock.toml"));
}

/// A version that two packages contradict each other about is explained.
#[test]
fn contradicting_needs_are_shown_with_their_chains() {
    let registry = Registry::new();
    registry.publish("package demo:words@0.1.5;\ninterface words { type word = string; }\n");
    let other = "package demo:other@1.0.0;\ninterface other { use demo:words/words@0.1.5.{word}; f: func() -> word; }\n";
    Workspace::new()
        .file(
            "run.toml",
            format!(
                "[project]\nname = \"o\"\nversion = \"1.0.0\"\n[registry]\nurl = \"{}\"\n[dependencies]\n\"demo:words\" = \"0.1.5\"\n",
                registry.url()
            ),
        )
        .file("wit/package.wit", other)
        .run(["publish", "--wit", "wit"])
        .ok();
    let workspace = app(&registry.url());
    workspace.run(["add", "demo:words@=0.1.0"]).ok();
    let run = workspace.run(["add", "demo:other"]).exits(2);
    run.says(
        "no version of `demo:words` fits everything that needs it:\n  the project needs demo:words =0.1.0\n  \
         the project → demo:other 1.0.0 needs demo:words ^0.1.5\n  there is demo:words 0.1.5, 0.1.0",
    );
}
