//! The commands of all languages: their environment, limits and determinism.
//!
//! Everything that every command shares is set here, so that no language forgets it.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Process;
use sandbox::{Determinism, Isolation, Limits};

use crate::path::ProjectPath;

/// The time that commands see if there is no better one, in seconds since 1970: 1980-01-01, the first time
/// that a ZIP archive can hold.
pub const DEFAULT_EPOCH: u64 = 315_532_800;

/// The variable from which tools take the time that they write into files.
pub(crate) const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Returns the environment of every action: fixed locale, time zone and home folder, and nothing of the
/// user's.
pub(crate) fn base_environment() -> BTreeMap<String, String> {
    [
        ("HOME", "/tmp"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "UTC"),
        (SOURCE_DATE_EPOCH, &DEFAULT_EPOCH.to_string()),
        ("ZERO_AR_DATE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Returns the path at which actions see a folder of the project, without the leading `/`.
pub(crate) fn in_action(folder: &ProjectPath) -> String {
    if folder.is_root() { "src".to_owned() } else { format!("src/{folder}") }
}

/// Makes a command that sees only what it is given, but may look at the real clock. `cwd` is a path inside the
/// sandbox, without the leading `/`.
pub(crate) fn process(
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: impl Into<String>,
) -> Process {
    // The limit is generous, so that only a runaway compiler reaches it.
    let limits = Limits { timeout: Some(Duration::from_secs(3600)), ..Limits::STANDARD };
    let isolation = Isolation::default();
    Process { argv, env, cwd: cwd.into(), limits, determinism: None, stdout: None, isolation }
}

/// Makes a command that runs in the determinism layer, because its result would otherwise depend on time and
/// chance.
pub(crate) fn deterministic_process(
    argv: Vec<String>,
    env: BTreeMap<String, String>,
    cwd: impl Into<String>,
) -> Process {
    Process { determinism: Some(Determinism::at(DEFAULT_EPOCH)), ..process(argv, env, cwd) }
}
