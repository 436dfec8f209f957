//! Tests Rust: errors in the user's terms, and packages for cargo-component.
//!
//! Other files test what Rust shares with other languages: `hermetic.rs` has a syntax error, a missing
//! export, a missing lockfile and a build script that wants a network, and `lockfile.rs` has a crate with
//! other bytes.

use crate::harness::{self, Workspace, prints};

mod advice;
mod own_packages;
mod pieces;
mod repositories;
mod third_party;

/// Makes a project with one component `app` in Rust, at the root of its package.
fn app(source: &str) -> Workspace {
    let text = format!(
        "[project]\nname = \"p\"\nversion = \"0.1.0\"\n\n[[component]]\nname = \"app\"\nsource = \"{source}\"\n"
    );
    Workspace::new().file("run.toml", text)
}

impl Workspace {
    /// Writes the manifest of a package in `folder`, with these lines after `[package]`.
    fn package(self, folder: &str, name: &str, rest: &str) -> Self {
        let text = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}"
        );
        self.file(&format!("{folder}Cargo.toml"), text)
    }

    /// Writes the lockfile with these packages.
    fn cargo_lock(self, packages: &[&str]) -> Self {
        let packages = packages.iter().map(|text| format!("\n[[package]]\n{text}\n"));
        self.file("Cargo.lock", format!("version = 4\n{}", packages.collect::<String>()))
    }

    /// Returns what the built component `app` prints.
    fn app_prints(&self) -> String {
        prints(&self.read("target/wasm/app.wasm"))
    }
}

/// Returns the entry of a lockfile for a package of the checkout.
fn local(name: &str, dependencies: &str) -> String {
    format!("name = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [{dependencies}]")
}

/// The entry of a lockfile for a crate from the registry.
const ITOA: &str = "name = \"itoa\"\nversion = \"1.0.19\"\n\
     source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
     checksum = \"3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4\"";

#[test]
fn a_wrong_type_is_told_by_the_compiler() {
    let workspace = Workspace::example("polyglot");
    workspace.replace("components/calc/wit/calc.wit", "add: func(a: u32,", "add: func(a: string,");
    let run = workspace.run(["build", "-p", "calc"]).exits(1).says("calc:compile");
    assert!(run.stderr.contains("components/calc/src/lib.rs:"), "{}", run.stderr);
    assert!(run.stderr.contains("method `add` has an incompatible type for trait"));
}

#[test]
fn a_stale_lockfile_is_an_error_with_the_command_that_mends_it() {
    let workspace = Workspace::example("hello");
    let manifest = workspace.read_text("Cargo.toml");
    workspace.write("Cargo.toml", format!("{manifest}\n[dependencies]\nitoa = \"1\"\n"));
    let run = workspace.run(["build"]).exits(1).says("cargo update --workspace");
    assert!(run.stderr.contains("no matching package named `itoa` found"), "{}", run.stderr);
}

/// Makes a workspace with a package for cargo-component and one for cargo, and builds it with the shared
/// store.
fn units() -> Workspace {
    Workspace::built("cargo-component")
}

#[test]
fn both_kinds_of_packages_are_built_in_one_workspace() {
    let workspace = units();
    let component = |name: &str| workspace.read(&format!("target/wasm/{name}.wasm"));
    for name in ["units", "table"] {
        let features = wasmparser::WasmFeatures::all();
        wasmparser::Validator::new_with_features(features).validate_all(&component(name)).unwrap();
    }
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    asynchronous.block_on(async {
        let units = harness::load(&component("units"));
        let arguments = ["{value: 2, in: mile}", "metre"];
        let converted = units.call(Some("demo:units/length"), "convert", &arguments).await;
        assert_eq!(converted.unwrap().unwrap(), "{value: 3218.688, in: metre}");
        let table = harness::load(&component("table"));
        let table = table.run(&runtime::CommandInput::default()).await.unwrap();
        let text = String::from_utf8(table.stdout).unwrap();
        assert_eq!(text.lines().next(), Some("1 mi = 1609.344 m"));
    });
}

/// If the WIT refers to another package, cargo-component needs a lockfile of its own when it is offline.
#[test]
fn wit_of_several_packages_is_bound_for_a_package_for_cargo_component() {
    let bitflags = "name = \"bitflags\"\nversion = \"2.13.2\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
         checksum = \"3ded4057c258ba199e2d26386d3af3780957ecaee6c4ef4041c6b4b8b97c0b06\"";
    let runtime = "name = \"wit-bindgen-rt\"\nversion = \"0.41.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
         checksum = \"c4db52a11d4dfb0a59f194c064055794ee6564eb1ced88c25da2cf76e50c5621\"\n\
         dependencies = [\"bitflags\"]";
    // The tool is built once, and other tests wait for it here.
    units();
    let workspace = app("src/lib.rs")
        .package(
            "",
            "app",
            "[dependencies]\nwit-bindgen-rt = { version = \"0.41\", features = [\"bitflags\"] }\n\
             [lib]\ncrate-type = [\"cdylib\"]\n[package.metadata.component]\npackage = \"demo:app\"\n",
        )
        .file(
            "src/lib.rs",
            "#[allow(warnings)]\nmod bindings;\nstruct C;\nimpl bindings::Guest for C {\n\
             fn now() -> u64 { bindings::wasi::clocks::wall_clock::now().seconds }\n}\n\
             bindings::export!(C with_types_in bindings);\n",
        )
        .file(
            "wit/world.wit",
            "package demo:app;\nworld app {\n    import wasi:clocks/wall-clock@0.2.3;\n    \
             import wasi:io/streams@0.2.3;\n    export now: func() -> u64;\n}\n",
        )
        .cargo_lock(&[&local("app", "\"wit-bindgen-rt\""), bitflags, runtime]);
    let run_toml = workspace.read_text("run.toml");
    workspace.write("run.toml", format!("{run_toml}wit = \"wit\"\n"));
    workspace.run(["build"]).ok();
    let imports = super::imports(&workspace.read("target/wasm/app.wasm"));
    assert!(imports.contains(&"wasi:clocks/wall-clock".to_owned()), "{imports:?}");
    assert!(!workspace.exists("Cargo-component.lock"));
}

#[test]
fn bindings_are_made_in_the_action_and_never_in_the_checkout() {
    let workspace = units();
    assert!(!workspace.exists("units/src/bindings.rs"));
    // A file that another tool has left there is not read.
    workspace.write("units/src/bindings.rs", "not Rust");
    assert_eq!(workspace.run(["build"]).ok().ran(), Vec::<&str>::new());
    assert_eq!(workspace.read_text("units/src/bindings.rs"), "not Rust");
}

#[test]
fn an_edit_compiles_one_package_and_the_same_code_gives_the_same_bytes() {
    let workspace = units();
    let before = workspace.read("target/wasm/units.wasm");
    let comment = format!("//! Edited in {}.\n//! Lengths", workspace.root().display());
    workspace.replace("units/src/lib.rs", "//! Lengths", &comment);
    assert_eq!(workspace.run(["build"]).ok().ran(), ["units:compile"]);
    assert!(workspace.read("target/wasm/units.wasm") == before);
}

#[test]
fn an_error_in_a_package_for_cargo_component_is_the_compilers() {
    let workspace = units();
    workspace.replace("units/wit/units.wit", "to: %unit)", "to: %unit, digits: u8)");
    let run = workspace.run(["build"]).exits(1).says("units:compile");
    assert!(run.stderr.contains("units/src/lib.rs:"), "{}", run.stderr);
    assert!(run.stderr.contains("method `convert` has 2 parameters"), "{}", run.stderr);
}

#[test]
fn a_world_from_a_registry_is_refused_with_advice() {
    let check = |from: &str, to: &str, expect: &[&str]| {
        let workspace = Workspace::example("cargo-component");
        let file = if from.starts_with("wit") { "run.toml" } else { "units/Cargo.toml" };
        workspace.replace(file, from, to);
        let run = workspace.run(["build"]).exits(2);
        for text in expect {
            assert!(run.stderr.contains(text), "no {text:?} in:\n{}", run.stderr);
        }
    };
    check(
        "path = \"wit\"\nworld = \"units\"",
        "package = \"demo:units\"\nversion = \"1.0.0\"\nworld = \"units\"",
        &[
            "run.toml:10:",
            "`demo:units/units@1.0.0`, from a registry",
            "include demo:units/units@1.0.0",
        ],
    );
    check("world = \"units\"", "world = \"metres\"", &["world `metres`, run.toml `units`"]);
    check("wit = \"units/wit\"", "", &["units/Cargo.toml", "add `wit = \"units/wit\"`"]);
}
