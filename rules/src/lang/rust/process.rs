//! How Cargo is run in an action, whatever it compiles.

use std::collections::BTreeMap;

use engine::Process;

use crate::lang::{base_environment, process};
use crate::path::ProjectPath;

/// Where Cargo's target folder stands in every action: the same place for a layer and for what is
/// compiled on it, as Cargo's fingerprints hold absolute paths.
pub(super) const TARGET_DIR: &str = "build/target";

/// A script of calls of Cargo in the folder `workspace` of the sources. `own` wins.
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
        // A layer holds what Cargo would put here, so a checkout must not put it elsewhere.
        ("CARGO_BUILD_BUILD_DIR", &format!("/{TARGET_DIR}")),
        ("CARGO_INCREMENTAL", "0"),
        ("CARGO_TERM_COLOR", "always"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env.extend(own);
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    process(argv, env, in_action(workspace))
}

/// The path of a folder of the project in an action, without the `/` at its beginning.
pub(super) fn in_action(folder: &ProjectPath) -> String {
    if folder.is_root() { "src".to_owned() } else { format!("src/{folder}") }
}
