//! Runs Cargo in an action, whatever it compiles.

use std::collections::BTreeMap;

use engine::Process;

use crate::path::ProjectPath;
use crate::planner::{base_environment, in_action, process};

/// The target triple, for which rustc makes components directly.
pub(super) const TARGET: &str = "wasm32-wasip2";

/// The path of Cargo's target folder in every action in which Cargo compiles.
pub(super) const TARGET_DIR: &str = "build/target";

/// Returns a process that runs a script of calls of Cargo in the folder `workspace` of the sources. Variables
/// in `own` override ours.
pub(super) fn cargo_process(
    workspace: &ProjectPath,
    script: &str,
    own: BTreeMap<String, String>,
) -> Process {
    let mut env = base_environment();
    let fixed = [
        ("PATH", "/usr/lib/rust/bin:/usr/bin:/bin"),
        ("CARGO_HOME", "/tmp/cargo"),
        ("CARGO_TARGET_DIR", &format!("/{TARGET_DIR}")),
        // A checkout must not move it.
        ("CARGO_BUILD_BUILD_DIR", &format!("/{TARGET_DIR}")),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_TERM_COLOR", "always"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env.extend(own);
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    process(argv, env, in_action(workspace))
}
