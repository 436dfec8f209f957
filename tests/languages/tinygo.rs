//! Tests TinyGo with a stand-in (tests/fixtures/tinygo), because no registry has the real one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;
use wasmparser::{Parser, Payload};

use crate::harness::{Workspace, call, exports, prints, repository};
use crate::remedies::told;

const RUN_TOML: &str = "\
[project]
name = \"sums\"
version = \"0.1.0\"

[[component]]
name = \"hello\"
source = \"hello/main.go\"
language = \"tinygo\"
world = \"wasi:cli/command@0.2.4\"
env = { GOFLAGS = \"-tags=loud\" }

[[component]]
name = \"sums\"
source = \"sums/main.go\"
compiler = \"tinygo\"
wit = \"sums/wit\"
";

/// A lock that has only the two short tables.
const LOCK: &str = "[toolchains]\ntinygo = \"0.33.0\"\nwasm-tools = \"1.219.1\"\n";

/// The path of the archive in a project.
const ARCHIVE: &str = "vendor/tinygo0.33.0.linux-amd64.tar.gz";

/// Returns the archive of the stand-in, which is compiled once.
fn archive() -> &'static Path {
    static ARCHIVE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = ARCHIVE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (root, fixture) = (folder.path().join("tinygo"), repository().join("tests/fixtures/tinygo"));
        for name in ["bin", "lib", "targets"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let program = root.join("bin/tinygo");
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(&program).arg(fixture.join("main.go"));
        go.current_dir(folder.path()).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
        go.env("GOFLAGS", "").env("HOME", folder.path());
        assert!(go.status().expect("this test needs Go (Debian: golang-go)").success());
        std::fs::copy(&program, root.join("bin/wasm-opt")).unwrap();
        let core = wat::parse_file(fixture.join("core.wat")).unwrap();
        std::fs::write(root.join("lib/core.wasm"), core).unwrap();
        let target = r#"{"llvm-target": "wasm32-unknown-wasi", "wit-package": "{root}/lib/wasi-cli/wit/",
            "wit-world": "wasi:cli/command"}"#;
        std::fs::write(root.join("targets/wasip2.json"), target).unwrap();
        // This text makes the toolchain unique, so that no store knows it from earlier runs.
        std::fs::write(root.join("lib/unique"), folder.path().as_os_str().as_encoded_bytes())
            .unwrap();
        let path = folder.path().join("tinygo.tar.gz");
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(folder.path()).arg("-czf").arg(&path).arg("tinygo");
        assert!(tar.status().unwrap().success());
        (folder, path)
    });
    path
}

fn project() -> Workspace {
    let saying = |tag: &str, text: &str| {
        format!(
            "//go:build {tag}\n\npackage main\n\nimport \"fmt\"\n\nfunc say() {{ fmt.Println(\"{text}\") }}\n"
        )
    };
    Workspace::new()
        .file("run.toml", RUN_TOML)
        .file("run.lock.toml", LOCK)
        .file("hello/go.mod", "module example.com/hello\n\ngo 1.22\n")
        .file("hello/main.go", "package main\n\nimport \"strings\"\n\nvar _ = strings.ToUpper\n\nfunc main() { say() }\n")
        .file("hello/loud.go", saying("loud", "HELLO"))
        .file("hello/quiet.go", saying("!loud", "hello"))
        .file("sums/go.mod", "module example.com/sums\n\ngo 1.22\n")
        .file("sums/main.go", "package main\n\nfunc main() {}\n")
        .file(
            "sums/wit/sums.wit",
            "package demo:sums;\n\ninterface ops { add: func(a: u32, b: u32) -> u32; }\n\nworld sums { export ops; }\n",
        )
        .file(ARCHIVE, std::fs::read(archive()).unwrap())
}

/// Returns how many packages TinyGo found in its cache, and how many it compiled.
fn packages(component: &[u8]) -> (usize, usize) {
    let sections = Parser::new(0).parse_all(component).find_map(|payload| match payload.unwrap() {
        Payload::CustomSection(section) if section.name() == "packages" => {
            Some(String::from_utf8(section.data().to_vec()).unwrap())
        }
        _ => None,
    });
    let text = sections.expect("the stand-in leaves such a section");
    let numbers: Vec<usize> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn a_component_that_asks_for_tinygo_is_built_by_it() {
    let workspace = project();
    // A toolchain that the lock only names can't be fetched, and the message says what to do.
    let refused = workspace.run(["build"]).exits(2);
    let (_, remedy) = refused.stderr.split_once("hint: run `run ").unwrap();
    let remedy = remedy.split('`').next().unwrap().replace("ARCHIVE", ARCHIVE);
    assert_eq!(remedy, format!("toolchain add tinygo@0.33.0 --path {ARCHIVE}"));
    workspace
        .run(["toolchain", "sync"])
        .exits(2)
        .says("toolchain `tinygo` 0.33.0 is in no registry");
    let remedy: Vec<&str> = remedy.split(' ').collect();
    // A checksum in the lock has to be right.
    workspace
        .write("run.lock.toml", format!("{LOCK}\n[checksums]\ntinygo = \"sha256:abc123...\"\n"));
    let other =
        workspace.run_all(&remedy).exits(102).says("take the line of `tinygo` out of [checksums]");
    assert!(other.stderr.contains("the lock says sha256:abc123..."), "{}", other.stderr);
    workspace.write("run.lock.toml", LOCK);
    workspace.run_all(&remedy).ok();
    workspace.run(["build"]).ok();
    // The version of Go fits that of TinyGo.
    assert!(workspace.read_text("run.lock.toml").contains("tinygo-go = \"1.23.9\""));

    let hello = workspace.read("target/wasm/hello.wasm");
    assert_eq!(prints(&hello).trim_end(), "HELLO");
    assert_eq!(exports(&hello), ["wasi:cli/run@0.2.4"]);
    let sums = workspace.read("target/wasm/sums.wasm");
    assert_eq!(call(&sums, Some("demo:sums/ops"), "add", &["6", "7"]).as_deref(), Some("13"));

    // An edit compiles the package that was edited, and finds the library compiled.
    // Something that no earlier run of this test has left in the store.
    let text = format!("HI {}", workspace.root().file_name().unwrap().display());
    workspace.replace("hello/loud.go", "HELLO", &text);
    let run = workspace.run(["build"]).ok();
    assert_eq!(run.ran(), ["hello:compile", "hello:finish"]);
    let hello = workspace.read("target/wasm/hello.wasm");
    assert_eq!(prints(&hello).trim_end(), text);
    let (found, compiled) = packages(&hello);
    assert!(found > 20 && compiled == 1, "{found} found, {compiled} compiled");

    // Whether a reproducible build is possible depends on the last finding.
    workspace.write("run.toml", format!("{RUN_TOML}\n[build]\nreproducible = true\n"));
    let remedy = "run `run verify`";
    workspace
        .run(["build"])
        .exits(104)
        .says("`[build] reproducible = true` can't be promised with tinygo 0.33.0")
        .says(remedy);
    workspace.run(["verify"]).ok().says("Verified 2 components are the same in three builds");
    workspace.run(["build"]).ok();

    // Flags that TinyGo does not support are refused.
    workspace.replace("run.toml", "-tags=loud", "-ldflags=-X=main.version=1");
    workspace
        .run(["build"])
        .exits(2)
        .says("`-ldflags=-X=main.version=1`, which is not handed to TinyGo");
}

/// Each remedy is followed word for word.
#[test]
fn what_tinygo_complains_of_is_mended_as_it_is_told() {
    let workspace = project();
    workspace.types(&format!("run toolchain add tinygo@0.33.0 --path {ARCHIVE}")).ok();
    // A variable that the linker would set is set in the source instead, in a file for a tag of its own.
    workspace.replace("run.toml", "-tags=loud", "'-ldflags=-X=main.version=1' -tags=loud");
    let flag = told(&workspace, "run build hello", 2);
    flag.advises("TinyGo gets `-tags=…`");
    flag.advises("set the variable in the source instead, in a file for a tag of its own");
    workspace.replace("run.toml", "'-ldflags=-X=main.version=1' -tags=loud", "-tags=loud,v1");
    workspace.write(
        "hello/v1.go",
        "//go:build v1\n\npackage main\n\nimport \"fmt\"\n\nfunc say() { fmt.Println(\"v1\") }\n",
    );
    workspace.replace("hello/loud.go", "//go:build loud", "//go:build loud && !v1");
    workspace.types("run build hello").ok();
    assert_eq!(prints(&workspace.read("target/wasm/hello.wasm")).trim_end(), "v1");
    // TinyGo refuses this version of Go. Components of Go's own compiler use it, so it need not be fetched.
    workspace.types("run toolchain sync --upgrade tinygo-go@1.27.3").ok();
    told(&workspace, "run build sums", 1).types("run toolchain sync --upgrade tinygo-go@");
    workspace.types("run build sums").ok();
    // This package has no files for TinyGo's target.
    workspace.write("hello/elsewhere/elsewhere_windows.go", "package elsewhere\n");
    workspace.write("hello/uses.go", "package main\n\nimport _ \"example.com/hello/elsewhere\"\n");
    let line = told(&workspace, "run build hello", 1).text("//go:build tinygo");
    workspace.write("hello/elsewhere/elsewhere.go", format!("{line}\n\npackage elsewhere\n"));
    workspace.types("run build hello").ok();
    // A program of the release is missing.
    workspace.types("tar -xzf vendor/*.gz -C vendor && rm vendor/tinygo/bin/wasm-opt").ok();
    workspace.types("run toolchain add tinygo@0.33.0 --path vendor/tinygo").ok();
    let add = told(&workspace, "run build sums", 1).text("run toolchain add tinygo@");
    workspace.types(&add.replace("VERSION", "0.33.0").replace("ARCHIVE", ARCHIVE)).ok();
    workspace.types("run build sums").ok();
}

#[test]
fn what_is_wrong_with_a_tinygo_or_its_go_is_told() {
    let workspace = project();
    // No action can start these programs.
    workspace.program("vendor/dynamic/bin/tinygo", "");
    std::fs::copy("/bin/true", workspace.path("vendor/dynamic/bin/tinygo")).unwrap();
    workspace
        .run(["toolchain", "add", "tinygo@0.33.0", "--path", "vendor/dynamic"])
        .ok()
        .says("`usr/lib/tinygo/bin/tinygo` is dynamically linked");
    workspace
        .run(["build", "sums"])
        .exits(1)
        .says("it is not the archive of a release of TinyGo 0.33 or later");
    // If the version in the lock is edited, the toolchain is treated as that version, or refused.
    workspace.run(["toolchain", "add", "tinygo", "--path", ARCHIVE]).ok();
    workspace.run(["build", "sums"]).ok();
    let lock = workspace.read_text("run.lock.toml");
    let name = |version: &str| {
        workspace.write("run.lock.toml", lock.replace("= \"1.23.9\"", &format!("= \"{version}\"")));
    };
    name("1.24.11");
    workspace
        .run(["build", "sums", "--locked"])
        .exits(2)
        .says("toolchain `tinygo-go` is 1.24.11 in the lock, whose image is that of 1.23.9");
    name("1.23.12");
    let remedy = "run toolchain sync --upgrade tinygo-go";
    workspace
        .run(["build", "sums"])
        .exits(2)
        .says("toolchain `tinygo-go` has no version `1.23.12`")
        .says(&format!("`{remedy}` pins 1.23.9"));
    let remedy: Vec<&str> = remedy.split(' ').skip(1).collect();
    workspace.run_all(&remedy).ok();
    workspace.run(["build", "sums"]).ok();
    assert_eq!(workspace.read_text("run.lock.toml"), lock);
    workspace
        .run(["toolchain", "sync", "--upgrade", "go@1.23.9"])
        .exits(2)
        .says("run toolchain sync --upgrade tinygo-go@VERSION");
}
