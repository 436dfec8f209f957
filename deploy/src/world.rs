//! What a component needs and offers: the interfaces that it imports, with the functions that it calls, and the
//! interfaces that it exports.
//!
//! The names are read out of the component's own types. Components nested in it do not count, because their needs
//! are met inside.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem};

/// The imports and exports of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// The imported interfaces, and the functions of each that the component may call. An interface of which only
    /// types are used has no function here.
    pub imports: BTreeMap<Interface, BTreeSet<String>>,
    /// The exported interfaces. Functions that are exported without an interface are here under their own names.
    pub exports: BTreeSet<Interface>,
}

/// The name of an interface, such as `wasi:http/types@0.2.4`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface(String);

/// The reason why a component could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The bytes are no component, or not a valid one.
    #[error("not a valid WebAssembly component: {0}")]
    Invalid(String),
    /// The bytes are a WIT package in its binary form.
    #[error("this is a WIT package, which has no code")]
    Package,
}

impl World {
    /// Reads the world of a component.
    ///
    /// # Errors
    /// If the bytes are not a valid component.
    pub fn read(component: &[u8]) -> Result<Self, WorldError> {
        // The layer of a binary stands in its bytes 6 and 7: 0 for modules, 1 for components.
        if component.get(6..8) != Some(&[1, 0]) {
            let reason = "it is not a component in the binary format";
            return Err(WorldError::Invalid(reason.to_owned()));
        }
        let invalid = |error| WorldError::Invalid(format!("{error:#}"));
        let (resolve, world) = match wit_component::decode(component).map_err(invalid)? {
            DecodedWasm::Component(resolve, world) => (resolve, world),
            DecodedWasm::WitPackage(..) => return Err(WorldError::Package),
        };
        let mut read = Self::default();
        for (key, item) in &resolve.worlds[world].imports {
            let name = Interface(resolve.name_world_key(key));
            if !matches!(item, WorldItem::Type { .. }) {
                read.imports.insert(name, functions(&resolve, item));
            }
        }
        let exports = resolve.worlds[world].exports.keys();
        read.exports.extend(exports.map(|key| Interface(resolve.name_world_key(key))));
        Ok(read)
    }

    /// Returns true if the component may call a function of an interface, whatever the interface's version.
    #[must_use]
    pub fn calls(&self, interface: &str, function: &str) -> bool {
        let same = self.imports.iter().filter(|(name, _)| name.unversioned() == interface);
        same.into_iter().any(|(_, functions)| functions.contains(function))
    }

    /// Returns the exported interface with a name, whatever its version.
    #[must_use]
    pub fn export(&self, interface: &str) -> Option<&Interface> {
        self.exports.iter().find(|name| name.unversioned() == interface)
    }
}

/// Returns the functions of an imported interface. An imported function is its own only function.
fn functions(resolve: &Resolve, item: &WorldItem) -> BTreeSet<String> {
    match item {
        WorldItem::Interface { id, .. } => {
            resolve.interfaces[*id].functions.keys().cloned().collect()
        }
        WorldItem::Function(function) => BTreeSet::from([function.name.clone()]),
        WorldItem::Type { .. } => BTreeSet::new(),
    }
}

impl Interface {
    /// Returns the whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name without its version, such as `wasi:http/types`.
    #[must_use]
    pub fn unversioned(&self) -> &str {
        self.0.split_once('@').map_or(&self.0, |(name, _)| name)
    }

    /// Returns the version, if the name has one.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, version)| version)
    }

    /// Returns the package, such as `wasi:http`, if the name has one.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        self.unversioned().split_once('/').map(|(package, _)| package)
    }

    /// Returns true if the interface is of the third release of WASI, which has asynchronous functions.
    #[must_use]
    pub fn is_wasi_3(&self) -> bool {
        self.0.starts_with("wasi:") && self.version().is_some_and(|it| it.starts_with("0.3."))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Interface {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_component_itself_imports_and_exports_counts() {
        let component = wat::parse_str(
            r#"(component
                (import "wasi:random/random@0.2.4" (instance $random
                    (export "get-random-u64" (func (result u64)))))
                (component (import "wasi:sockets/tcp@0.2.0" (instance)))
                (export "demo:app/api@1.0.0" (instance $random)))"#,
        );
        let world = World::read(&component.unwrap()).unwrap();
        let imports: Vec<_> = world.imports.keys().map(Interface::as_str).collect();
        assert_eq!(imports, ["wasi:random/random@0.2.4"]);
        assert!(world.calls("wasi:random/random", "get-random-u64"));
        assert!(!world.calls("wasi:random/random", "get-random-bytes"));
        assert_eq!(world.export("demo:app/api").map(Interface::as_str), Some("demo:app/api@1.0.0"));
        assert_eq!(world.export("demo:app/other"), None);
    }

    #[test]
    fn what_is_no_component_is_refused() {
        #[track_caller]
        fn check(bytes: &[u8]) {
            let error = World::read(bytes).unwrap_err().to_string();
            assert!(error.starts_with("not a valid WebAssembly component: "), "{error}");
        }
        check(b"");
        check(b"#!/bin/sh\n");
        check(&wat::parse_str("(module)").unwrap());
        let mut cut = wat::parse_str("(component (core module (func)))").unwrap();
        cut.truncate(cut.len() - 3);
        check(&cut);
    }

    #[test]
    fn names() {
        let interface = Interface::from("wasi:http/types@0.3.1");
        assert_eq!(interface.unversioned(), "wasi:http/types");
        assert_eq!(interface.package(), Some("wasi:http"));
        assert!(interface.is_wasi_3());
        assert!(!Interface::from("wasi:http/types@0.2.4").is_wasi_3());
        assert!(!Interface::from("demo:http/types@0.3.1").is_wasi_3());
        assert_eq!(Interface::from("run").package(), None);
    }
}
