//! The components of the tests, which cargo compiles from `tests/component`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use compose::Part;

#[path = "../../../runtime/src/fixture/made.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod made;

/// A component that can't wait for anything: `/t` traps, `/n` gives no response, and everything else says hello. What
/// Rust's standard library prints may wait, so this one is written in WAT.
pub(crate) fn never_waits() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(made::web)
}

/// A component that sends no requests.
pub(crate) fn plain() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compiled(""))
}

/// A component that sends requests and waits for clocks.
pub(crate) fn waits() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compiled("waits"))
}

/// A component that imports an interface of another one.
pub(crate) fn asks() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compiled("asks,waits"))
}

/// A component that serves no HTTP.
pub(crate) fn tells() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compiled("tells"))
}

/// The two components above, composed into one.
pub(crate) fn composed() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let part = |name: &str, bytes: &[u8], dependencies: &[&str]| Part {
            name: name.to_owned(),
            bytes: bytes.to_vec(),
            dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
        };
        let parts = [part("asks", asks(), &["tells"]), part("tells", tells(), &[])];
        compose::compose("asks", &parts).unwrap().bytes
    })
}

fn compiled(features: &str) -> Vec<u8> {
    // All of them are compiled to the same file.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("component");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--target", "wasm32-wasip2", "--features", features]);
    cargo.arg("--target-dir").arg(&target);
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/component"));
    // What the outer cargo sets for this package must not reach the inner one.
    cargo
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS");
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "install the target with `rustup target add wasm32-wasip2`: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    fs::read(target.join("wasm32-wasip2/debug/component.wasm")).unwrap()
}
