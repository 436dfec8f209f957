//! The sandbox as its callers and its commands see it, on the real kernel.
//!
//! This binary has its own `main`, since it plays several parts: the test run; the spawner, like
//! every program that uses the crate; the probe that looks around inside a sandbox; and a caller
//! that is killed. When root runs it, every test runs as root, as root with no more rights
//! than in a container, as an ordinary user, and as such a user without namespaces; two of these at a time.
//!
//! Arguments are parts of the names of the tests to run. `KEEP_TEMP=1` keeps the folders.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod harness;
#[cfg(target_os = "linux")]
mod hoard;
#[cfg(target_os = "linux")]
mod stories {
    pub(crate) mod debug;
    pub(crate) mod determinism;
    pub(crate) mod errors;
    pub(crate) mod escape;
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
        _ => return harness::run_all(&words),
    }
    std::process::ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn main() {
    let error = sandbox::Sandbox::start().expect_err("there is no sandbox on this system");
    assert!(!error.remedy().is_empty());
}
