//! Tests Zig: single files, projects with a build.zig, and packages from elsewhere.

use std::path::PathBuf;
use std::process::Command;

use super::Silence;
use crate::harness::{Run, Workspace, call};
use crate::remedies::told;

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

/// Makes the project of docs/languages.md, with a package from an archive beside it.
fn project() -> Workspace {
    let workspace = single_file()
        .file("app/build.zig", include_str!("../fixtures/zig/build.zig"))
        .file("app/src/main.zig", include_str!("../fixtures/zig/main.zig"))
        .file("package/crc/build.zig", include_str!("../fixtures/zig/package/build.zig"))
        .file("package/crc/build.zig.zon", include_str!("../fixtures/zig/package/build.zig.zon"))
        .file("package/crc/src/crc.zig", include_str!("../fixtures/zig/package/crc.zig"));
    pack(&workspace);
    let url = format!("file://{}", workspace.path("crc.tar.gz").display());
    let manifest = include_str!("../fixtures/zig/build.zig.zon").replace("URL", &url);
    workspace.file("app/build.zig.zon", manifest)
}

/// Packs the archive of the package.
fn pack(workspace: &Workspace) {
    let status = Command::new("tar")
        .args(["-czf", "crc.tar.gz", "-C", "package", "crc"])
        .current_dir(workspace.path("."))
        .status()
        .unwrap();
    assert!(status.success());
}

/// Returns the folder of the image that the lock pins. It is in the store after a build.
fn image(workspace: &Workspace) -> PathBuf {
    let lock = workspace.read_text("run.lock.toml");
    let tree = lock.split("toolchain = \"zig\"").nth(1).unwrap();
    let tree = tree.split("tree = \"blake3:").nth(1).unwrap().split('/').next().unwrap();
    workspace.store().join("trees/blake3").join(tree)
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
    let imports = || super::imports(&workspace.read("target/wasm/doubler.wasm"));
    assert_eq!(imports(), Vec::<String>::new());
    // A debug build says why it panics.
    workspace.replace("run.toml", "\"release\"", "\"debug\"");
    workspace.replace("app/src/main.zig", "number *% 2", "number * 2");
    workspace.run(["build"]).ok();
    assert!(imports().contains(&"wasi:cli/stderr".to_owned()), "{:?}", imports());
    let component = workspace.read("target/wasm/doubler.wasm");
    let loaded = crate::harness::load(&component);
    let call = loaded.call(Some("demo:doubler/numbers@0.1.0"), "double", &["4294967295"]);
    let panic = tokio::runtime::Runtime::new().unwrap().block_on(call).unwrap_err().to_string();
    assert!(panic.contains("integer overflow"), "{panic}");
}

#[test]
fn a_project_is_built_as_its_build_zig_says() {
    let workspace = project();
    workspace.run(["build"]).ok();
    doubles(&workspace, "21", "42");
    let edited = format!("// {}", workspace.root().display());
    workspace.replace("app/src/main.zig", "comptime", &format!("{edited}\ncomptime"));
    assert_eq!(workspace.run(["build"]).ok().ran(), ["doubler:compile"]);
    // A package is kept under its hash, whatever else the manifest says, so this build needs neither the
    // server nor the file.
    std::fs::remove_file(workspace.path("crc.tar.gz")).unwrap();
    workspace.replace("app/build.zig.zon", ".version", &format!("{edited}\n    .version"));
    workspace.run(["build", "--offline"]).ok();
}

#[test]
fn packages_are_judged_by_their_hashes() {
    let workspace = project();
    let right = workspace.read_text("app/build.zig.zon");
    let hash = "crc-1.0.0-vHRdDkcBAACsrZDahX0LDRmwOjf3kzMURjDp-p5P8j2z";
    let other = hash.replace("vHRd", "vHRe");
    workspace.replace("app/build.zig.zon", hash, &other);
    refused(&workspace, 102, &["hash mismatch", hash]);
    // The fixture contains the entry that `zig fetch` adds to `.dependencies`. The command itself is not run,
    // because it adds no hash to an existing entry and takes a minute to be compiled.
    workspace.write("app/build.zig", "broken(");
    for wrong in [right.replace(&format!(".hash = \"{hash}\","), ""), right.replace(hash, "none")] {
        workspace.write("app/build.zig.zon", wrong);
        told(&workspace, "run build", 2)
            .advises(
                "take `crc` out of `.dependencies`, and let zig add it with its hash: cd app && ",
            )
            .advises(&format!(
                "zig fetch --save=crc file://{}",
                workspace.path("crc.tar.gz").display()
            ));
        workspace.write("app/build.zig.zon", &right);
        told(&workspace, "run build", 1).advises("build.zig:1:");
    }
    workspace.write("app/build.zig.zon", ".{ .name = \"x }");
    refused(&workspace, 2, &["app/build.zig.zon:1: a string without its end"]);
}

/// No store has this package. A mistake in build.zig saves the time to compile it.
#[test]
fn what_a_build_with_the_network_has_fetched_is_there_offline() {
    let workspace = project().file("app/build.zig", "broken(");
    let unique = format!("pub const unique = \"{}\";", workspace.root().display());
    workspace.write("package/crc/src/crc.zig", unique);
    pack(&workspace);
    // The message about the wrong hash contains the right one.
    let pinned = "crc-1.0.0-vHRdDkcBAACsrZDahX0LDRmwOjf3kzMURjDp-p5P8j2z";
    workspace.replace("app/build.zig.zon", "vHRdDkcB", "AAAAAAAA");
    let pinned = pinned.replace("vHRdDkcB", "AAAAAAAA");
    let said = refused(&workspace, 102, &["hash mismatch"]).stderr;
    let mut words = said.split(|c: char| c.is_whitespace() || "`,;\"()".contains(c));
    let hash = words.find(|word| word.starts_with("crc-1.0.0-") && *word != pinned);
    let hash = hash.unwrap_or_else(|| panic!("no hash in:\n{said}"));
    workspace.replace("app/build.zig.zon", &pinned, hash);
    told(&workspace, "run build --offline", 1).advises("run it once without --offline");
    told(&workspace, "run build", 1).advises("build.zig:1:");
    std::fs::remove_file(workspace.path("crc.tar.gz")).unwrap();
    workspace.replace("app/build.zig.zon", ".version", "// edited\n    .version");
    told(&workspace, "run build --offline", 1).advises("build.zig:1:");
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
    // The store can't have this package.
    workspace.replace("app/build.zig.zon", "vHRdDkcB", "AAAAAAAA");
    server.is_left_by(workspace.spawn(&["build"]), &workspace);
}

/// A script that pretends to be zig, and leaves a program where zig puts the one that runs `zig build`.
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
    // After this build, the store has the real image, whose shell is needed.
    workspace.run(["build"]).ok();
    let image = image(&workspace);
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
    // This is another package, which has to be fetched.
    let unique = format!("pub const unique = \"{}\";", workspace.root().display());
    workspace.write("package/crc/src/crc.zig", unique);
    pack(&workspace);
    // Its hash is not known. So it is fetched and then refused.
    let run = workspace.run(["build"]);
    assert!(!hacked.exists(), "{}", std::fs::read_to_string(&hacked).unwrap());
    run.exits(102).says("hash mismatch");
}
