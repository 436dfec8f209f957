//! The call of the go command: flags, environment, and the folders that it works in.

use std::collections::BTreeMap;

use super::fetch::MODULES;
use super::flags::Flags;
use crate::planner::{Request, base_environment};

/// Flags of every call of the go command.
const FLAGS: &str = "-trimpath -buildvcs=false";

/// Returns the variables of a component's `env` that decide what code Go generates of a file. All of a program
/// has to be compiled with the same ones.
pub(super) fn code_settings(request: &Request<'_>) -> BTreeMap<String, String> {
    const NAMES: [&str; 2] = ["GOEXPERIMENT", "GOWASM"];
    let env = request.env.iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
    env.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Returns these variables, and the flags that decide from which files code is generated. They are added to ours.
pub(super) fn settings(request: &Request<'_>, flags: &Flags) -> BTreeMap<String, String> {
    let mut settings = code_settings(request);
    if let Some(tags) = flags.tags_flag() {
        settings.insert("GOFLAGS".to_owned(), format!("{FLAGS} {tags}"));
    }
    settings
}

/// Returns the folder in which the go command looks for other people's modules.
pub(super) fn module_cache(fetched: bool) -> String {
    if fetched { format!("/{MODULES}") } else { "/tmp/mod".to_owned() }
}

/// Returns the command line of the go command, which is called by its path because the image has no shell.
pub(super) fn go(arguments: Vec<String>) -> Vec<String> {
    std::iter::once("/usr/lib/go/bin/go".to_owned()).chain(arguments).collect()
}

/// Returns the environment of every call: it compiles for WebAssembly and has no access to a network.
pub(super) fn environment() -> BTreeMap<String, String> {
    let mut env = base_environment();
    let fixed = [
        ("PATH", "/usr/lib/go/bin"),
        ("GOROOT", "/usr/lib/go"),
        ("GOPATH", "/tmp/go"),
        ("GOENV", "off"),
        ("GOFLAGS", FLAGS),
        ("GOPROXY", "off"),
        ("GOSUMDB", "off"),
        ("GOTELEMETRY", "off"),
        ("GOTOOLCHAIN", "local"),
        ("GOWORK", "off"),
        ("CGO_ENABLED", "0"),
        ("GOOS", "wasip1"),
        ("GOARCH", "wasm"),
    ];
    env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}
