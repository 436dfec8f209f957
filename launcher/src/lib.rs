//! The launcher: a small static program in the input root of an action that a cluster executes. The worker starts it, and
//! it starts the command as the sandbox of this machine would: in the same folder, with exactly the same environment, and
//! with the folders of its outputs made.
//!
//! Workers differ in all of that. Some add variables, one starts every command by `env`, and the protocol has no working
//! directory that is apart from the root of the outputs. A command line may also be longer than such a worker passes on. So
//! what to do is in a file beside the launcher ([`Orders`]), and the launcher needs no arguments at all.
//!
//! This crate knows no digest and no cluster.

mod orders;

pub use orders::Orders;

/// The program, for machines like this one.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/launch"));

/// The path of the program in the input root.
pub const PATH: &str = ".run/launch";

/// The path of the file with its orders in the input root.
pub const ORDERS: &str = ".run/orders";

/// The path at which it stands once more if the input root has nothing there, because some workers start commands by
/// `/usr/bin/env -- COMMAND`.
pub const ENV: &str = "usr/bin/env";

/// The text with which each line of the launcher on standard error starts. The rest says what it could not do.
pub const COMPLAINT: &str = "run launcher: ";

/// The exit code with which the launcher ends if it could not prepare the command.
pub const UNPREPARED: i32 = 126;

/// The exit code with which the launcher ends if there is no such program.
pub const NO_PROGRAM: i32 = 127;

/// Returns what the launcher complained about, if that is how a command with this exit code and this text on standard error
/// ended.
#[must_use]
pub fn complaint(exit_code: i32, stderr: &[u8]) -> Option<String> {
    if !matches!(exit_code, UNPREPARED | NO_PROGRAM) {
        return None;
    }
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rev().find_map(|line| line.strip_prefix(COMPLAINT))?;
    Some(line.to_owned())
}
