//! Tests advice about commands: names of projects and components, options, the lock.

use super::{add_to_component, told};
use crate::configuration::prebuilt;
use crate::harness::Workspace;

#[test]
fn the_name_of_a_new_project() {
    let workspace = Workspace::new();
    // One folder does not exist, one does, and some names have to be corrected.
    for (line, expect) in [
        ("run new a/b", "a/b"),
        ("run new a/c", "a/c"),
        ("run new 'my apps/My App'", "my apps/my-app"),
    ] {
        told(&workspace, line, 2).types(if expect == "a/c" { "run -C" } else { "mkdir -p" });
        assert!(workspace.exists(&format!("{expect}/run.toml")), "{line}");
    }
    let meant = told(&workspace, "run new 'My App'", 2).text("my-");
    workspace.types(&format!("run new {meant}")).ok();
    let other = told(&workspace, "run new fn", 2).text("my-");
    workspace.types(&format!("run new {other}")).ok();
    workspace.write("mine/notes.txt", "mine");
    told(&workspace, "run new mine", 2).types("run -C mine init");
    told(&workspace, "run -C mine init", 2);
    let info = told(&workspace, "run -C mine init", 2).text("run info");
    workspace.types(&format!("cd mine && {info}")).ok();
    std::fs::create_dir_all(workspace.path("!/below")).unwrap();
    let named = told(&workspace, "cd '!' && run init", 2).text("run init");
    workspace.types(&format!("cd '!' && {named}")).ok();
    let above = told(&workspace, "cd a && run new ..", 2).text("run -C");
    workspace.types(&format!("cd a && {above}")).ok();
    assert!(workspace.exists("run.toml"));
    std::fs::create_dir(workspace.path("here")).unwrap();
    let here = told(&workspace, "cd here && run new .", 2).text("run init");
    workspace.types(&format!("cd here && {here}")).ok();
    assert!(workspace.exists("here/run.toml"));
}

#[test]
fn a_folder_without_a_project() {
    let workspace = Workspace::new();
    let told = told(&workspace, "run info", 2);
    let (path, text) = told.said.split_once("create ").unwrap().1.split_once(" with:\n\n").unwrap();
    let lines = text.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).unwrap();
    workspace.write("src/lib.rs", "");
    workspace.run(["info"]).ok();
}

#[test]
fn the_name_of_a_component_or_a_toolchain() {
    let workspace = prebuilt();
    for wrong in ["legcay", "server"] {
        let name = told(&workspace, &format!("run build {wrong}"), 2).text("legacy");
        workspace.types(&format!("run build {name}")).ok();
    }
    let mut text = workspace.read_text("run.toml");
    for number in 0..20 {
        let more =
            format!("\n[[component]]\nname = \"c{number}\"\npath = \"vendor/legacy.wasm\"\n");
        text.push_str(&more);
    }
    workspace.write("run.toml", text);
    let shown = told(&workspace, "run build server", 2).types("run info").stdout;
    assert!((0..20).all(|number| shown.contains(&format!("c{number}"))), "{shown}");
    // The next lines are about toolchains.
    workspace.write("tool/bin/tool", "");
    workspace.types("run toolchain add tool@1 --path tool").ok();
    let added = told(&workspace, "run toolchain sync --upgrade tool", 2).text("run toolchain add");
    workspace.types(&added.replace("VERSION …", "2 --path tool")).ok();
    assert!(workspace.read_text("run.lock.toml").contains("tool = \"2\""));
    let name = told(&workspace, "run toolchain remove toll", 2).text("tool");
    workspace.types(&format!("run toolchain remove {name}")).ok();
    let url = "http://me:secret@127.0.0.1:9/tool-1.tar";
    told(&workspace, &format!("run toolchain add tool --url {url}"), 2)
        .advises("download the archive into the project and add it with --path");
    workspace.types("tar -cf tool-1.tar tool && run toolchain add tool --path tool-1.tar").ok();
    told(&workspace, "run toolchain add rust --path tool-1.tar", 2)
        .advises("add yours under another name");
    workspace.types("run toolchain add my-rust --path tool-1.tar").ok();
}

#[test]
fn a_lock_that_does_not_serve() {
    let workspace = Workspace::example("hello");
    std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
    told(&workspace, "run build --locked", 2).types("run toolchain sync");
    workspace.types("run build --locked").ok();
    // The lock is broken, but no toolchain is needed.
    let workspace = prebuilt();
    workspace.write("run.lock.toml", "toolchains = 1\n");
    let broken = told(&workspace, "run build", 2);
    broken.advises("or delete it and run");
    std::fs::remove_file(workspace.path("run.lock.toml")).unwrap();
    broken.types("run toolchain sync");
    workspace.types("run build").ok();
    told(&workspace, "CI=true run toolchain sync --upgrade", 2)
        .advises("with an empty variable CI");
    let workspace = workspace.env("CI", "true");
    workspace.types("CI= run toolchain sync --upgrade").ok();
}

#[test]
fn a_world_that_is_not_there() {
    let workspace = prebuilt();
    add_to_component(&workspace, "wit = \"wit\"\nworld = \"acme:app/app\"");
    workspace.write("wit/w.wit", "package demo:w;\n");
    let missing = told(&workspace, "run build", 2);
    let folder = missing.after("put its WIT under ");
    let folder = folder.split(',').next().unwrap();
    // The world is found. That the component does not fit it is another error.
    let world = "package acme:app;\nworld app { export f: func(); }\n";
    workspace.write(&format!("{folder}/app.wit"), world);
    told(&workspace, "run build", 1).advises("does not fit world `acme:app/app`");
    // The other remedy is followed.
    std::fs::remove_dir_all(workspace.path(folder)).unwrap();
    workspace.write("other/app.wit", world);
    let add = missing.text("run add acme:app --path").replace("DIR", "other");
    workspace.types(&add).ok();
    told(&workspace, "run build", 1).advises("does not fit world `acme:app/app`");
    // The component has no WIT of its own.
    workspace.replace("run.toml", "wit = \"wit\"\n", "");
    workspace.types("run remove acme:app").ok();
    let missing = told(&workspace, "run build", 2);
    workspace.types(&missing.text("run add acme:app --path").replace("DIR", "other")).ok();
    told(&workspace, "run build", 1).advises("does not fit world `acme:app/app`");
}
