//! Tests other people's crates whose sources are in the project, and C code that comes with a crate.

use super::{ITOA, app, local};
use crate::harness::Workspace;

/// A crate whose dependency the project patches.
const PROC_MACRO2: &str = "name = \"proc-macro2\"\nversion = \"1.0.107\"\n\
     source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
     checksum = \"985e7ec9bb745e6ce6535b544d84d6cd6f7ad8bd711c398938ae983b91a766d9\"\n\
     dependencies = [\"unicode-ident\"]";

const PATCH: &str = "[patch.crates-io]\nitoa = { path = \"third_party/itoa\" }\n";

#[test]
fn a_crate_that_the_project_patches_is_compiled_from_its_folder() {
    let workspace = app("src/main.rs")
        .package("", "app", &format!("[dependencies]\nitoa = \"1\"\n{PATCH}"))
        .file("src/main.rs", "fn main() { println!(\"{}\", itoa::hi()); }\n")
        .file(
            "third_party/itoa/Cargo.toml",
            "[package]\nname = \"itoa\"\nversion = \"1.0.99\"\nedition = \"2021\"\n",
        )
        .file("third_party/itoa/README.md", "Read me.\n")
        .file(
            "third_party/itoa/src/lib.rs",
            "#![doc = include_str!(\"../README.md\")]\npub fn hi() -> &'static str { \"patched\" }\n",
        )
        .cargo_lock(&[&local("app", "\"itoa\""), "name = \"itoa\"\nversion = \"1.0.99\""]);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "patched\n");
    let unique = workspace.root().display().to_string();
    workspace.replace("third_party/itoa/src/lib.rs", "\"patched\"", &format!("{unique:?}"));
    // No other crate depends on it, so none is compiled again.
    let ran = workspace.run(["build"]).ok();
    assert_eq!(ran.ran(), ["app:compile library of itoa", "app:compile", "app:finish"]);
    assert_eq!(workspace.app_prints(), format!("{unique}\n"));
    // The patch may also be in Cargo's configuration.
    workspace.replace("Cargo.toml", PATCH, "");
    workspace.write(".cargo/config.toml", PATCH);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), format!("{unique}\n"));
    // A build sees the whole folder, except hidden files.
    workspace.write("third_party/itoa/.hidden.md", "Read me.\n");
    workspace.replace("third_party/itoa/src/lib.rs", "README.md", ".hidden.md");
    workspace.run(["build"]).exits(1).says("third_party/itoa/src/../.hidden.md");
}

#[test]
fn so_is_one_that_only_others_depend_on() {
    let ident = "#![no_std]\n#![doc = include_str!(\"../README.md\")]\n\
                 pub fn is_xid_start(c: char) -> bool { c == '\u{2603}' || c.is_alphabetic() }\n\
                 pub fn is_xid_continue(c: char) -> bool { c == '\u{2603}' || c.is_alphanumeric() }\n";
    let workspace = app("src/main.rs")
        .package(
            "",
            "app",
            "[dependencies]\nproc-macro2 = { version = \"1\", default-features = false }\n\
             [patch.crates-io]\nunicode-ident = { path = \"third_party/ident\" }\n",
        )
        .file(
            "src/main.rs",
            "fn main() { println!(\"{}\", \"\u{2603}\".parse::<proc_macro2::TokenStream>().is_ok()); }\n",
        )
        // It belongs to a workspace of its own, as other people's crates often do.
        .file(
            "third_party/Cargo.toml",
            "[workspace]\nmembers = [\"ident\", \"absent\"]\n[workspace.package]\nversion = \"1.0.99\"\n",
        )
        .file(
            "third_party/ident/Cargo.toml",
            "[package]\nname = \"unicode-ident\"\nversion.workspace = true\nedition = \"2021\"\n",
        )
        .file("third_party/ident/README.md", "Read me.\n")
        .file("third_party/ident/src/lib.rs", ident)
        .cargo_lock(&[
            &local("app", "\"proc-macro2\""),
            PROC_MACRO2,
            "name = \"unicode-ident\"\nversion = \"1.0.99\"",
        ]);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "true\n");
    let unique = workspace.root().display().to_string();
    workspace.write("src/main.rs", format!("fn main() {{ println!({unique:?}); }}\n"));
    assert_eq!(workspace.run(["build"]).ok().ran(), ["app:compile", "app:finish"]);
    assert_eq!(workspace.app_prints(), format!("{unique}\n"));
    let snowman = "\"\u{2603}\".parse::<proc_macro2::TokenStream>().is_ok()";
    workspace.write("src/main.rs", format!("fn main() {{ println!(\"{{}}\", {snowman}); }}\n"));
    workspace.replace("third_party/ident/src/lib.rs", "c == '\u{2603}' || ", "");
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "false\n");
}

/// Makes a project with a changed `itoa` in `third_party/vendor`.
fn vendored() -> Workspace {
    app("src/main.rs")
        .package("", "app", "[dependencies]\nitoa = \"1\"\n")
        .file("src/main.rs", "fn main() { println!(\"{}\", itoa::Buffer::new().format(7)); }\n")
        .cargo_lock(&[&local("app", "\"itoa\""), ITOA])
        .file(
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"vendored-sources\"\n\
             [source.vendored-sources]\ndirectory = \"third_party/vendor\"\n",
        )
        .file(
            "third_party/vendor/itoa/Cargo.toml",
            "[package]\nname = \"itoa\"\nversion = \"1.0.19\"\nedition = \"2021\"\n",
        )
        .file(
            "third_party/vendor/itoa/.cargo-checksum.json",
            "{\"files\":{\".hidden/target/x\":\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"},\
             \"package\":\"3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4\"}",
        )
        .file("third_party/vendor/itoa/.hidden/target/x", "x")
        .file(
            "third_party/vendor/itoa/src/lib.rs",
            "pub struct Buffer;\nimpl Buffer { pub fn new() -> Self { Self }\n\
             pub fn format(&mut self, _: i32) -> &'static str { \"PATCHED\" } }\n",
        )
}

#[test]
fn vendored_crates_are_taken_from_the_project() {
    let workspace = vendored();
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "PATCHED\n");
    workspace.replace("third_party/vendor/itoa/src/lib.rs", "PATCHED", "again");
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "again\n");
    // Cargo checks the files against the lockfile and against the crate's own list of checksums.
    workspace.write("third_party/vendor/itoa/.hidden/target/x", "y");
    workspace.run(["build"]).exits(1).says("checksum");
}

#[test]
fn vendored_crates_that_a_build_does_not_see_are_refused() {
    let workspace = vendored();
    let config = ".cargo/config.toml";
    workspace.replace(config, "directory = \"third_party/vendor\"", "directory = \"../vendor\"");
    let run =
        workspace.run(["build"]).exits(2).says("`../vendor`, which is no folder of the project");
    let (_, rest) = run.stderr.split_once("have `").unwrap();
    let (vendor, rest) = rest.split_once('`').unwrap();
    assert!(
        rest.contains("a folder of the project, and write what it prints into .cargo/config.toml"),
        "{rest}"
    );
    // The vendored crates move to another folder, whose bytes are right.
    workspace.types(&format!("{vendor} ours > printed && mv printed {config}")).ok();
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "7\n");
}

#[test]
fn c_of_a_build_script_is_compiled_for_the_component() {
    let workspace = app("src/main.rs")
        .package("", "app", "[build-dependencies]\ncc = \"1\"\n")
        .file(
            "build.rs",
            "fn main() {\n    println!(\"cargo:rerun-if-changed=c/twice.c\");\n    \
             let mut build = cc::Build::new();\n    \
             for name in [\"MMAN\", \"GETPID\", \"SIGNAL\", \"PROCESS_CLOCKS\"] {\n        \
             build.define(&format!(\"_WASI_EMULATED_{name}\"), None);\n    }\n    \
             build.file(\"c/twice.c\").compile(\"twice\");\n}\n",
        )
        .file("c/twice.c", include_str!("../../fixtures/rust/twice.c"))
        .file(
            "src/main.rs",
            "unsafe extern \"C\" { fn twice(text: *const std::ffi::c_char) -> i32; }\n\
             fn main() { println!(\"{}\", unsafe { twice(c\"21\".as_ptr()) }); }\n",
        )
        .cargo_lock(&[
            &local("app", "\"cc\""),
            "name = \"cc\"\nversion = \"1.11.3\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"02f0e023adb368345ce0ca6cdfc0f24a06554468d0e8503e14a0841de79bfa69\"\n\
             dependencies = [\"find-msvc-tools\", \"shlex\"]",
            "name = \"find-msvc-tools\"\nversion = \"0.1.15\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"1c66915cc5391097de7a2b0b972e8505aa33c0df401fd3a6811dbdb32881ba48\"",
            "name = \"shlex\"\nversion = \"2.0.1\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"f8fadd59c855ef2080decdef8ff161eb6661b86933c9d82e5ba29dc602a55aba\"",
        ]);
    let run_toml = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{run_toml}inputs = [\"c/**\"]\n"));
    workspace.run(["build", "--opt-level", "release"]).ok();
    assert_eq!(workspace.app_prints(), "42\n");
    // As C++, it needs a library that is not available, unless it says that it needs none.
    std::fs::remove_file(workspace.path("c/twice.c")).unwrap();
    workspace.write("c/twice.cc", "extern \"C\" int twice(const char *) { return 43; }\n");
    workspace.replace("build.rs", "c/twice.c", "c/twice.cc");
    workspace.replace("build.rs", "build.file", "build.cpp(true).file");
    workspace.run(["build", "--opt-level", "release"]).exits(1).says("`.cpp_link_stdlib(None)`");
    workspace.replace("build.rs", ".cpp(true)", ".cpp(true).cpp_link_stdlib(None)");
    workspace.run(["build", "--opt-level", "release"]).ok();
    assert_eq!(workspace.app_prints(), "43\n");
}

/// Only packages that are compiled for the component count. Other members, tests and programs for the build
/// do not.
#[test]
fn c_that_no_component_has_needs_no_compiler() {
    let cc = "name = \"cc\"\nversion = \"1.11.3\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
         checksum = \"02f0e023adb368345ce0ca6cdfc0f24a06554468d0e8503e14a0841de79bfa69\"";
    let workspace = app("app/src/main.rs")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"native\"]\n")
        .package(
            "app/",
            "app",
            "[dev-dependencies]\ncc = \"1\"\n[target.'cfg(not(target_family = \"wasm\"))'.dependencies]\n\
             native = { path = \"../native\" }\n",
        )
        .package("native/", "native", "[build-dependencies]\ncc = \"1\"\n")
        .file("native/src/lib.rs", "")
        .file("app/src/main.rs", "fn main() { println!(\"none\"); }\n")
        .cargo_lock(&[
            &local("app", "\"cc\", \"native\""),
            &format!("{cc}\ndependencies = [\"find-msvc-tools\", \"shlex\"]"),
            "name = \"find-msvc-tools\"\nversion = \"0.1.15\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"1c66915cc5391097de7a2b0b972e8505aa33c0df401fd3a6811dbdb32881ba48\"",
            &local("native", "\"cc\""),
            "name = \"shlex\"\nversion = \"2.0.1\"\n\
             source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
             checksum = \"f8fadd59c855ef2080decdef8ff161eb6661b86933c9d82e5ba29dc602a55aba\"",
        ]);
    workspace.run(["build"]).ok();
    assert_eq!(workspace.app_prints(), "none\n");
    let lock = workspace.read_text("run.lock.toml");
    assert!(lock.contains("rust = ") && !lock.contains("zig"), "{lock}");
}

/// Both crates compile much C code for WebAssembly, and need more of the C library than Rust contains.
#[test]
fn crates_that_bring_their_own_c_are_compiled() {
    let workspace = app("src/main.rs")
        .file("Cargo.toml", include_str!("../../fixtures/rust/Cargo.toml"))
        .file("Cargo.lock", include_str!("../../fixtures/rust/Cargo.lock"))
        .file("src/main.rs", include_str!("../../fixtures/rust/src/main.rs"));
    workspace.run(["build", "--opt-level", "debug"]).ok();
    assert_eq!(workspace.app_prints(), "ba7816bf true 42\n");
}
