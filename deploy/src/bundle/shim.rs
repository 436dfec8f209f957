//! The implementations of WASI's interfaces: which file of the shims has which, and which files a component needs.
//!
//! The shims are taken as they are, from a package that is pinned like the packages of a toolchain. Files import
//! each other by relative paths in static declarations only, so the files that a component needs are found by
//! scanning for those.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::BundleError;
use crate::world::{Interface, World};

/// The npm package that implements WASI's interfaces in JavaScript. Its licence is Apache-2.0 WITH LLVM-exception.
pub const SHIM_PACKAGE: &str = "@bytecodealliance/preview2-shim";

/// The version of [`SHIM_PACKAGE`] that this program was made for. `repairs.js` depends on it.
pub const SHIM_VERSION: &str = "0.26.1";

/// The folder of the package that has the implementations for hosts other than Node.js.
const FOLDER: &str = "dist/browser";

/// The files that `handler.js` and `repairs.js` import, whatever the component needs.
const ALWAYS: [&str; 3] = ["environment.js", "http.js", "io.js"];

/// How an edge network serves an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// It works.
    Fully,
    /// It is there, because the standard libraries of some languages import it in every component, but there is
    /// nothing in it: no file, no network besides HTTP.
    Empty,
}

/// Returns how an interface is served, or `None` if it is not.
pub(crate) fn served(interface: &Interface) -> Option<Served> {
    if interface.is_wasi_3() {
        return None;
    }
    let (file, _) = implementation(interface.unversioned())?;
    Some(match file {
        "filesystem.js" | "sockets.js" => Served::Empty,
        _ => Served::Fully,
    })
}

/// Returns the file and the export of the shims that implement an interface.
fn implementation(unversioned: &str) -> Option<(&'static str, &'static str)> {
    Some(match unversioned {
        "wasi:cli/environment" => ("environment.js", "environment"),
        "wasi:cli/exit" => ("cli.js", "exit"),
        "wasi:cli/stderr" => ("cli.js", "stderr"),
        "wasi:cli/stdin" => ("cli.js", "stdin"),
        "wasi:cli/stdout" => ("cli.js", "stdout"),
        "wasi:cli/terminal-input" => ("cli.js", "terminalInput"),
        "wasi:cli/terminal-output" => ("cli.js", "terminalOutput"),
        "wasi:cli/terminal-stderr" => ("cli.js", "terminalStderr"),
        "wasi:cli/terminal-stdin" => ("cli.js", "terminalStdin"),
        "wasi:cli/terminal-stdout" => ("cli.js", "terminalStdout"),
        "wasi:clocks/monotonic-clock" => ("clocks.js", "monotonicClock"),
        "wasi:clocks/wall-clock" => ("clocks.js", "wallClock"),
        "wasi:filesystem/preopens" => ("filesystem.js", "preopens"),
        "wasi:filesystem/types" => ("filesystem.js", "types"),
        "wasi:http/outgoing-handler" => ("http.js", "outgoingHandler"),
        "wasi:http/types" => ("http.js", "types"),
        "wasi:io/error" => ("io.js", "error"),
        "wasi:io/poll" => ("io.js", "poll"),
        "wasi:io/streams" => ("io.js", "streams"),
        "wasi:random/insecure" => ("random.js", "insecure"),
        "wasi:random/insecure-seed" => ("random.js", "insecureSeed"),
        "wasi:random/random" => ("random.js", "random"),
        "wasi:sockets/instance-network" => ("sockets.js", "instanceNetwork"),
        "wasi:sockets/ip-name-lookup" => ("sockets.js", "ipNameLookup"),
        "wasi:sockets/network" => ("sockets.js", "network"),
        "wasi:sockets/tcp" => ("sockets.js", "tcp"),
        "wasi:sockets/tcp-create-socket" => ("sockets.js", "tcpCreateSocket"),
        "wasi:sockets/udp" => ("sockets.js", "udp"),
        "wasi:sockets/udp-create-socket" => ("sockets.js", "udpCreateSocket"),
        _ => return None,
    })
}

/// Checks that the shims are those of [`SHIM_VERSION`].
pub(super) fn check_version(shims: &BTreeMap<String, Vec<u8>>) -> Result<(), BundleError> {
    let manifest = shims.get("package.json");
    let manifest = manifest.ok_or_else(|| BundleError::ShimMissing("package.json".to_owned()))?;
    let manifest: serde_json::Value =
        serde_json::from_slice(manifest).unwrap_or(serde_json::Value::Null);
    let text = |key: &str| manifest[key].as_str().unwrap_or("nothing");
    let (name, version) = (text("name"), text("version"));
    if name == SHIM_PACKAGE && version == SHIM_VERSION {
        return Ok(());
    }
    Err(BundleError::ShimVersion(format!("{name} {version}")))
}

/// Returns the module that hands the translation what it imports, and that says whether the translation suspends
/// WebAssembly.
pub(super) fn imports(world: &World, suspends: bool) -> Result<String, BundleError> {
    let mut table: BTreeMap<&str, Option<(&str, &str)>> = BTreeMap::new();
    for (interface, functions) in &world.imports {
        let found = served(interface).and_then(|_| implementation(interface.unversioned()));
        // Without functions there is nothing to implement: types are known to both sides.
        if found.is_none() && !functions.is_empty() {
            return Err(BundleError::Import(interface.clone()));
        }
        table.insert(interface.unversioned(), found);
    }
    let files: BTreeSet<_> = table.values().flatten().map(|(file, _)| *file).collect();
    let mut text = format!(
        "// The interfaces that the component imports. The modules in shim/ are files of\n\
         // {SHIM_PACKAGE} {SHIM_VERSION}, unchanged (Apache-2.0 WITH LLVM-exception).\n"
    );
    for file in &files {
        let _ = writeln!(text, "import * as {} from \"./shim/{file}\";", stem(file));
    }
    text.push_str("\nexport const imports = {\n");
    for (interface, found) in &table {
        let _ = match found {
            Some((file, export)) => writeln!(text, "  \"{interface}\": {}.{export},", stem(file)),
            None => writeln!(text, "  \"{interface}\": {{}},"),
        };
    }
    let _ = writeln!(text, "}};\n\n{}", suspension(suspends));
    Ok(text)
}

/// Returns the declaration that says whether a bundle suspends WebAssembly.
pub(super) fn suspension(suspends: bool) -> String {
    format!("export const suspends = {suspends};")
}

/// Returns the module that has all core modules by their names, for hosts that import `.wasm` files as compiled
/// modules.
pub(super) fn cores(paths: &[String]) -> String {
    let mut text = String::from(
        "// The core WebAssembly modules of the component, which the host has compiled.\n",
    );
    for (number, path) in paths.iter().enumerate() {
        let _ = writeln!(text, "import core{number} from \"./{path}\";");
    }
    text.push_str("\nexport const cores = {\n");
    for (number, path) in paths.iter().enumerate() {
        let _ = writeln!(text, "  \"{path}\": core{number},");
    }
    text.push_str("};\n");
    text
}

/// Returns the files of the shims that a component needs, by their paths in a bundle.
pub(super) fn needed(
    world: &World,
    shims: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let interfaces = world.imports.keys().map(Interface::unversioned);
    let files = interfaces.filter_map(implementation).map(|(file, _)| file);
    let mut open: Vec<String> = files.chain(ALWAYS).map(str::to_owned).collect();
    let mut taken = BTreeMap::new();
    while let Some(file) = open.pop() {
        let path = format!("shim/{file}");
        if taken.contains_key(&path) {
            continue;
        }
        let source = format!("{FOLDER}/{file}");
        let bytes = shims.get(&source).ok_or(BundleError::ShimMissing(source))?;
        open.extend(imported(&String::from_utf8_lossy(bytes)));
        taken.insert(path, bytes.clone());
    }
    Ok(taken)
}

/// Returns the names of the files that a file of the shims imports.
fn imported(source: &str) -> impl Iterator<Item = String> {
    let after = source.split("from \"./").skip(1);
    after.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned())
}

fn stem(file: &str) -> &str {
    file.trim_end_matches(".js")
}
