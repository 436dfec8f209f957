//! Zig: single files, projects with a build.zig, packages from elsewhere.

use std::process::Command;

use super::Silence;
use crate::harness::{Run, Workspace, call};

const WIT: &str = "\
package demo:doubler@0.1.0;

interface numbers {
    double: func(number: u32) -> u32;
}

world doubler {
    export numbers;
}
";

const FILE: &str = "\
const w = @import(\"bindings\");

comptime {
    _ = w;
}

export fn exports_demo_doubler_numbers_double(number: u32) u32 {
    return number *% 2;
}
";

const RUN_TOML: &str = "\
[project]
name = \"zig\"
version = \"0.1.0\"

[[component]]
name = \"doubler\"
source = \"app/src/main.zig\"
wit = \"app/wit\"

[build]
opt_level = \"release\"
";

fn single_file() -> Workspace {
    Workspace::new()
        .file("run.toml", RUN_TOML)
        .file("app/src/main.zig", FILE)
        .file("app/wit/doubler.wit", WIT)
}

/// The project of docs/languages.md, with a package from an archive beside it.
fn project() -> Workspace {
    let workspace = single_file()
        .file("app/build.zig", include_str!("../fixtures/zig/build.zig"))
        .file("app/src/main.zig", include_str!("../fixtures/zig/main.zig"))
        .file("package/crc/build.zig", include_str!("../fixtures/zig/package/build.zig"))
        .file("package/crc/build.zig.zon", include_str!("../fixtures/zig/package/build.zig.zon"))
        .file("package/crc/src/crc.zig", include_str!("../fixtures/zig/package/crc.zig"));
    let status = Command::new("tar")
        .args(["-czf", "crc.tar.gz", "-C", "package", "crc"])
        .current_dir(workspace.path("."))
        .status()
        .unwrap();
    assert!(status.success());
    let url = format!("file://{}", workspace.path("crc.tar.gz").display());
    let manifest = include_str!("../fixtures/zig/build.zig.zon").replace("URL", &url);
    workspace.file("app/build.zig.zon", manifest)
}

#[track_caller]
fn doubles(workspace: &Workspace, number: &str, expected: &str) {
    let component = workspace.read("target/wasm/doubler.wasm");
    let answer = call(&component, Some("demo:doubler/numbers@0.1.0"), "double", &[number]);
    assert_eq!(answer.as_deref(), Some(expected));
}

#[track_caller]
fn refused(workspace: &Workspace, code: i32, expected: &[&str]) -> Run {
    let run = workspace.run(["build"]).exits(code);
    for text in expected {
        assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
    }
    run
}

#[test]
fn what_a_zig_file_gets_wrong_is_told_with_zigs_words() {
    let workspace = single_file();
    workspace.write("app/src/main.zig", "export fn broken( {}");
    refused(&workspace, 1, &["app/src/main.zig:1:", "error: expected", "doubler:compile"]);
    workspace.write("app/src/main.zig", "");
    let symbol = "undefined symbol: exports_demo_doubler_numbers_double";
    refused(&workspace, 1, &[symbol, "hint: the world exports a function"]);
    workspace.write(
        "app/src/main.zig",
        FILE.replace("u32)", "u64)").replace("number *% 2", "@truncate(number)"),
    );
    refused(&workspace, 1, &["function signature mismatch", "hint: `exports_demo_doubler"]);
    workspace.write("app/src/main.zig", FILE);
    workspace.run(["build"]).ok();
    doubles(&workspace, "21", "42");
}

#[test]
fn a_project_is_built_as_its_build_zig_says() {
    let workspace = project();
    workspace.run(["build"]).ok();
    doubles(&workspace, "21", "42");
    let edited = format!("// {}", workspace.root().display());
    workspace.replace("app/src/main.zig", "comptime", &format!("{edited}\ncomptime"));
    assert_eq!(workspace.run(["build"]).ok().ran(), ["doubler:compile"]);
    // A package is kept by its hash, whatever else a manifest says: this needs neither server nor file.
    std::fs::remove_file(workspace.path("crc.tar.gz")).unwrap();
    workspace.replace("app/build.zig.zon", ".version", &format!("{edited}\n    .version"));
    workspace.run(["build", "--offline"]).ok();
}

#[test]
fn packages_are_judged_by_their_hashes() {
    let workspace = project();
    let hash = "crc-1.0.0-vHRdDkcBAACsrZDahX0LDRmwOjf3kzMURjDp-p5P8j2z";
    let other = hash.replace("vHRd", "vHRe");
    workspace.replace("app/build.zig.zon", hash, &other);
    refused(&workspace, 102, &["hash mismatch", hash]);
    workspace.replace("app/build.zig.zon", &format!(".hash = \"{other}\","), "");
    refused(&workspace, 2, &["dependency `crc` has no `.hash`", "zig fetch --save=crc file://"]);
    workspace.write("app/build.zig.zon", ".{ .name = \"x }");
    refused(&workspace, 2, &["app/build.zig.zon:1: a string without its end"]);
}

#[test]
fn a_build_zig_downloads_nothing_and_has_to_take_the_bindings() {
    let build = "\
const std = @import(\"std\");

pub fn build(b: *std.Build) void {
    _ = b.standardTargetOptions(.{});
    _ = b.option([]const u8, \"bindings\", \"\");
    const wget = b.addSystemCommand(&.{ \"/usr/bin/busybox\", \"wget\", \"http://192.0.2.1/\" });
    b.getInstallStep().dependOn(&wget.step);
}
";
    let workspace = single_file().file("app/build.zig", build);
    let run = refused(&workspace, 1, &["Network is unreachable", "hint: actions have no network"]);
    assert!(!run.stderr.contains("debug: "), "{}", run.stderr);
    workspace.replace("app/build.zig", "    _ = b.option([]const u8, \"bindings\", \"\");\n", "");
    refused(&workspace, 1, &["invalid option: \"bindings\"", "hint: `run` calls `zig build`"]);
}

#[test]
fn a_silent_server_is_left_at_once_when_the_build_is_cancelled() {
    let workspace = project();
    let server = Silence::start();
    let url = format!("file://{}", workspace.path("crc.tar.gz").display());
    workspace.replace("app/build.zig.zon", &url, &format!("{}/x.tar.gz", server.url));
    // A package that the store can't have.
    workspace.replace("app/build.zig.zon", "vHRdDkcB", "AAAAAAAA");
    server.is_left_by(workspace.spawn(&["build"]), &workspace);
}

/// What calls itself zig, and leaves a program where zig leaves the one behind `zig build`.
const ZIG: &str = "\
#!/usr/bin/sh
busybox mkdir -p /tmp/zig/b /tmp/zig/h /tmp/zig/z /tmp/zig/o/m /tmp/zig-local
printf '#!/bin/sh\\necho zig >> HACKED\\n' > /tmp/zig/o/m/maker
busybox chmod 755 /tmp/zig/o/m/maker
busybox touch /tmp/zig-local/x
";

#[test]
fn the_programs_of_an_image_never_run_outside_the_sandbox() {
    let workspace = project();
    // The shell of the real image, which the store has after this.
    workspace.run(["build"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let tree = lock.split("toolchain = \"zig\"").nth(1).unwrap();
    let tree = tree.split("tree = \"blake3:").nth(1).unwrap().split('/').next().unwrap();
    let image = workspace.store().join("trees/blake3").join(tree);
    let folder = workspace.path("vendor/image/usr/bin");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["busybox", "sh"] {
        std::fs::copy(image.join("usr/bin/busybox"), folder.join(name)).unwrap();
    }
    let hacked = workspace.root().join("hacked");
    let script = ZIG.replace("HACKED", hacked.to_str().unwrap());
    for path in ["usr/bin/zig", "usr/lib/zig/zig"] {
        workspace.program(&format!("vendor/image/{path}"), &script);
    }
    workspace.write("vendor/image/usr/lib/zig/lib/std/std.zig", "");
    workspace.pin_image("zig", "0.17.1");
    let hash = "vHRdDkcB";
    workspace.replace("app/build.zig.zon", hash, "AAAAAAAA");
    // Another package, which has to be fetched.
    let unique = format!("pub const unique = \"{}\";", workspace.root().display());
    workspace.write("package/crc/src/crc.zig", unique);
    let status = Command::new("tar")
        .args(["-czf", "crc.tar.gz", "-C", "package", "crc"])
        .current_dir(workspace.path("."))
        .status()
        .unwrap();
    assert!(status.success());
    // Nobody knows its hash: it comes, and is refused.
    let run = workspace.run(["build"]);
    assert!(!hacked.exists(), "{}", std::fs::read_to_string(&hacked).unwrap());
    run.exits(102).says("hash mismatch");
}
