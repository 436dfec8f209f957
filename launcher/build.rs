//! Compiles `src/program.rs` for the machine that this crate is compiled for. The program stands alone: it needs no
//! standard library, no C library and no loader, so it runs in any input root.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=src/program.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let program = folder("OUT_DIR").join("launch");
    let compiled = compiler(&program).status();
    let compiled = compiled.unwrap_or_else(|error| panic!("the compiler does not start: {error}"));
    assert!(compiled.success(), "src/program.rs can't be compiled: {compiled}");
}

/// Returns the call of the compiler that compiles this crate, for a static program without anything else in it.
fn compiler(program: &Path) -> Command {
    let source = folder("CARGO_MANIFEST_DIR").join("src/program.rs");
    let mut rustc = Command::new(folder("RUSTC"));
    rustc.args(["--edition", "2024", "--crate-type", "bin", "--crate-name", "launch"]);
    rustc.arg("--target").arg(folder("TARGET")).arg("-o").arg(program).arg(source);
    // Nothing that varies from build to build is in the program, so that all machines upload the same one.
    for option in ["opt-level=s", "panic=abort", "strip=symbols", "relocation-model=static"] {
        rustc.args(["-C", option]);
    }
    for option in ["-nostdlib", "-nostartfiles", "-static", "-no-pie", "-Wl,--build-id=none"] {
        rustc.arg("-C").arg(format!("link-arg={option}"));
    }
    if let Some(linker) = variable("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", Path::new(&linker).display()));
    }
    rustc
}

fn folder(name: &str) -> PathBuf {
    variable(name).unwrap_or_else(|| panic!("Cargo sets {name}")).into()
}

#[expect(clippy::disallowed_methods, reason = "Cargo tells a build script everything in variables")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
