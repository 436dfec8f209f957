//! Tests the sandbox as its callers and its commands see it, on the real kernel.
//!
//! This binary has its own `main`, because it plays several parts: it runs the tests; it is the
//! spawner, like every program that uses the crate; it is the probe that looks around inside a
//! sandbox; and it is a caller. If root starts it, every test runs as root, as root with the rights
//! that it has in a container, as an ordinary user, and as an ordinary user without namespaces; two
//! of these run at the same time.
//!
//! The arguments are parts of the names of the tests to run. `KEEP_TEMP=1` keeps the folders.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod harness;
#[cfg(target_os = "linux")]
mod hoard;
#[cfg(target_os = "linux")]
mod stories {
    pub(crate) mod determinism;
    pub(crate) mod errors;
    pub(crate) mod escape;
    pub(crate) mod inherited;
    pub(crate) mod lifetime;
    pub(crate) mod limits;
    pub(crate) mod mounts;
    pub(crate) mod network;
    pub(crate) mod refused;
    pub(crate) mod view;
    pub(crate) mod ways;
    pub(crate) mod without_namespaces;
}
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod syscall;
#[cfg(target_os = "linux")]
mod ways;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    sandbox::run_spawner_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["probe", what, rest @ ..] => probe::run(what, rest),
        ["as", who, rest @ ..] => return harness::exit_code(harness::run_as(who, rest)),
        ["caller", isolation, folder] => {
            stories::lifetime::be_a_caller(folder.as_ref(), isolation);
        }
        ["inherit", isolation, folder] => {
            stories::inherited::be_a_caller(folder.as_ref(), isolation);
        }
        _ => return harness::run_all(&words),
    }
    std::process::ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn main() {
    let error = sandbox::Sandbox::start().expect_err("there is no sandbox on this system");
    assert!(!error.remedy().is_empty());
}
