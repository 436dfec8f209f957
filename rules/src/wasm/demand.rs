//! Checks that a component imports only what its capabilities grant.
//!
//! This file knows the interfaces of each capability. An interface without functions, which only names types, is no use of
//! anything. Neither is `wasi:random/insecure-seed`, by which hash tables of many languages are made.

use std::fmt;

use serde::{Deserialize, Serialize};
use wit_parser::{Resolve, WorldId, WorldItem};

/// The capabilities that a component would need for some of its imports, and does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// The words of the capabilities whose interfaces the component may not import, such as `http-client`.
    pub denied: Vec<String>,
    /// The capabilities that it has, for the message. They are not part of the key.
    pub granted: Vec<String>,
    /// The place of the component in the manifest, for the message. It is not part of the key.
    pub place: String,
}

/// The error that a component imports what its capabilities do not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ungranted {
    /// The imports with the word of the capability that each of them needs, in the order of the component.
    pub imports: Vec<(String, &'static str)>,
    /// The capabilities that it lacks, and those that it has.
    pub demand: Demand,
}

impl fmt::Display for Ungranted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the component imports what its capabilities do not grant:")?;
        let mut all: Vec<&str> = self.demand.granted.iter().map(String::as_str).collect();
        for (import, word) in &self.imports {
            write!(f, "\n  `{import}` needs \"{word}\"")?;
            if !all.contains(word) {
                all.push(word);
            }
        }
        let all = all.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
        write!(f, "\nto grant it, write `capabilities = [{all}]` at {}", self.demand.place)
    }
}

impl std::error::Error for Ungranted {}

/// Returns the capability that an interface belongs to, such as `http-client` for `wasi:http/outgoing-handler@0.2.4`.
fn capability_of(interface: &str) -> Option<&'static str> {
    let name = interface.split_once('@').map_or(interface, |(name, _)| name);
    let (package, interface) = name.strip_prefix("wasi:")?.split_once('/')?;
    match (package, interface) {
        ("http", "outgoing-handler" | "client") => Some("http-client"),
        ("clocks", _) => Some("clock"),
        ("random", "insecure-seed") => None,
        ("random", _) => Some("random"),
        ("filesystem", _) => Some("filesystem"),
        ("cli", "environment") => Some("env"),
        ("cli", "exit" | "run") => None,
        ("cli", _) => Some("stdio"),
        ("sockets", _) => Some("sockets"),
        ("config", _) => Some("config"),
        ("keyvalue", _) => Some("keyvalue"),
        ("logging", _) => Some("logging"),
        _ => None,
    }
}

/// Checks that a component, whose types these are, imports no function of what it is denied.
pub(super) fn check(
    (resolve, world): (&Resolve, WorldId),
    demand: &Demand,
) -> Result<(), Ungranted> {
    let imports = ungranted(resolve, world, &demand.denied);
    if imports.is_empty() {
        return Ok(());
    }
    Err(Ungranted { imports, demand: demand.clone() })
}

fn ungranted(resolve: &Resolve, world: WorldId, denied: &[String]) -> Vec<(String, &'static str)> {
    let used = |(key, item)| match item {
        &WorldItem::Interface { id, .. } if !resolve.interfaces[id].functions.is_empty() => {
            Some(resolve.name_world_key(key))
        }
        _ => None,
    };
    let imports = resolve.worlds[world].imports.iter().filter_map(used);
    let needs = |name: String| capability_of(&name).map(|word| (name, word));
    imports
        .filter_map(needs)
        .filter(|(_, word)| denied.iter().any(|denied| denied == word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::check::decode;
    use crate::wasm::fixture::component;

    #[test]
    fn what_is_imported_has_to_be_granted() {
        let wit = "\
package demo:app;
world app {
  import wasi:http/outgoing-handler;
  import wasi:clocks/wall-clock;
  import wasi:random/insecure-seed;
  export run: func();
}
package wasi:http { interface outgoing-handler { handle: func(); } }
package wasi:clocks { interface wall-clock { record time { s: u64 } } }
package wasi:random { interface insecure-seed { seed: func() -> u64; } }";
        let (resolve, world) = decode(&component(wit)).unwrap();
        let check = |demand: &Demand| check((&resolve, world), demand);
        let demand = |denied: &[&str]| Demand {
            denied: denied.iter().map(|word| (*word).to_owned()).collect(),
            granted: vec!["http-server".to_owned()],
            place: "run.toml:7".to_owned(),
        };
        check(&demand(&[])).unwrap();
        check(&demand(&["clock", "random", "sockets"])).unwrap();
        let error = check(&demand(&["clock", "http-client"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the component imports what its capabilities do not grant:\n  \
             `wasi:http/outgoing-handler` needs \"http-client\"\n\
             to grant it, write `capabilities = [\"http-server\", \"http-client\"]` at run.toml:7"
        );
    }

    #[test]
    fn capabilities_of_interfaces() {
        assert_eq!(capability_of("wasi:http/outgoing-handler@0.2.4"), Some("http-client"));
        assert_eq!(capability_of("wasi:http/client@0.3.0"), Some("http-client"));
        assert_eq!(capability_of("wasi:http/types@0.2.4"), None);
        assert_eq!(capability_of("wasi:clocks/monotonic-clock@0.2.0"), Some("clock"));
        assert_eq!(capability_of("wasi:cli/terminal-stdout@0.2.0"), Some("stdio"));
        assert_eq!(capability_of("wasi:cli/exit@0.2.0"), None);
        assert_eq!(capability_of("demo:clocks/wall-clock"), None);
    }
}
