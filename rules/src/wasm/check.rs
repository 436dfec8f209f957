//! Checks that a component exports what its world asks for.
//!
//! Versions are matched as linkers match them: `wasi:cli/run@0.2.12` fits where `@0.2.4` is asked for. A
//! component may export more than its world asks for. It may also import more, because language runtimes
//! bring imports of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wit_component::DecodedWasm;
use wit_parser::{Function, InterfaceId, Resolve, TypeId, WorldId, WorldItem, WorldKey};

use super::compare::{Comparison, Difference, definition, signature};
use super::inspect::Kind;
use crate::wit::Location;

/// The error for a component that does not have what its world asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldMismatch {
    /// The name of the world, such as `demo:calc/calc`.
    pub world: String,
    /// Everything that is missing or different, in the order of the world.
    pub gaps: Vec<Gap>,
}

/// One thing that a world asks for and that a component does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// An interface is not exported at all, or only in versions that don't fit.
    Interface {
        /// The name of the interface, such as `demo:calc/ops@0.1.0`.
        name: String,
        /// The versions of the interface that are exported but don't fit.
        others: Vec<String>,
        /// The place where the world asks for it.
        at: Option<Location>,
    },
    /// A function is not exported.
    Function {
        /// The name of the interface. `None` if the function belongs to the world itself.
        interface: Option<String>,
        /// The signature of the function, such as `add: func(a: u32, b: u32) -> u32`.
        signature: String,
        /// The place where the function is declared.
        at: Option<Location>,
    },
    /// A function or type is exported, but it differs from the one that is asked for.
    Different {
        /// The name of the interface. `None` if the function or type belongs to the world itself.
        interface: Option<String>,
        /// The function or type as the WIT declares it.
        expected: String,
        /// The function or type as the component has it.
        found: String,
        /// The place where it is declared.
        at: Option<Location>,
    },
    /// An export that should be an interface is a function, or the reverse.
    Sort {
        /// The name of the export.
        name: String,
        /// The place where the world asks for it.
        at: Option<Location>,
    },
}

/// The reason why a component could not be checked, or that it does not fit its world.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The component does not fit its world.
    #[error(transparent)]
    Mismatch(#[from] WorldMismatch),
    /// The file is not a component, or its types can't be read.
    #[error("cannot read the component's world: {0}")]
    Undecodable(String),
}

impl Gap {
    /// Makes a gap of an interface that a world of `resolve` asks for and that is not exported in any
    /// version.
    pub(super) fn interface(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Self {
        Self::Interface {
            name: resolve.name_world_key(key),
            others: Vec::new(),
            at: Location::of(&resolve.source_map, item.span()),
        }
    }

    /// Makes a gap of a function of `resolve` that is not exported.
    pub(super) fn function(
        resolve: &Resolve,
        interface: Option<&str>,
        function: &Function,
    ) -> Self {
        Self::Function {
            interface: interface.map(str::to_owned),
            signature: signature(resolve, function),
            at: Location::of(&resolve.source_map, function.span),
        }
    }
}

impl std::error::Error for WorldMismatch {}

impl fmt::Display for WorldMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the component does not fit world `{}`:", self.world)?;
        self.gaps.iter().try_for_each(|gap| write!(f, "\n  {gap}"))
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface { name, others, at } => {
                write!(f, "interface `{name}` is not exported{}", place(at.as_ref()))?;
                others.iter().try_for_each(|other| write!(f, "; `{other}` is"))
            }
            Self::Function { interface, signature, at } => {
                write!(
                    f,
                    "function `{signature}`{} is not exported{}",
                    of(interface),
                    place(at.as_ref())
                )
            }
            Self::Different { interface, expected, found, at } => {
                let name = interface.as_ref().map(|name| format!(" `{name}`")).unwrap_or_default();
                write!(f, "export{name} differs{}", place(at.as_ref()))?;
                write!(f, "\n    expected `{expected}`\n    found    `{found}`")
            }
            Self::Sort { name, at } => {
                write!(f, "export `{name}` is of another kind{}", place(at.as_ref()))
            }
        }
    }
}

fn of(interface: &Option<String>) -> String {
    interface.as_ref().map(|name| format!(" of `{name}`")).unwrap_or_default()
}

fn place(at: Option<&Location>) -> String {
    at.map(|at| format!(" (asked for in {at})")).unwrap_or_default()
}

/// Checks a component against a world of `resolve`.
pub fn check_world(component: &[u8], resolve: &Resolve, world: WorldId) -> Result<(), CheckError> {
    let (found, found_world) = decode(component).map_err(CheckError::Undecodable)?;
    check_decoded((&found, found_world), resolve, world)
}

/// Checks the types of a component against a world of `resolve`.
pub(super) fn check_decoded(
    (found, found_world): (&Resolve, WorldId),
    resolve: &Resolve,
    world: WorldId,
) -> Result<(), CheckError> {
    let mut check = Check::new(resolve, found, found_world);
    for (key, item) in &resolve.worlds[world].exports {
        check.export(key, item);
    }
    if check.gaps.is_empty() {
        return Ok(());
    }
    Err(WorldMismatch { world: world_name(resolve, world), gaps: check.gaps }.into())
}

/// Compares what one world imports with what another one exports, and returns what does not fit. Only
/// interfaces and functions that both name, in whatever version, are compared. Returns `None` if there are no
/// such names.
pub(super) fn misfits(
    importer: (&Resolve, WorldId),
    exporter: (&Resolve, WorldId),
) -> Option<Vec<Gap>> {
    let bare = |name: String| name.split('@').next().unwrap_or_default().to_owned();
    let names = |resolve: &Resolve, key: &WorldKey| bare(resolve.name_world_key(key));
    let exports = exporter.0.worlds[exporter.1].exports.keys();
    let exports: BTreeSet<String> = exports.map(|key| names(exporter.0, key)).collect();
    let mut check = Check::new(importer.0, exporter.0, exporter.1);
    let mut shared = false;
    for (key, item) in &importer.0.worlds[importer.1].imports {
        let is_type = matches!(item, WorldItem::Type { .. });
        if !is_type && exports.contains(&names(importer.0, key)) {
            shared = true;
            check.export(key, item);
        }
    }
    shared.then_some(check.gaps)
}

pub(super) fn decode(component: &[u8]) -> Result<(Resolve, WorldId), String> {
    // `wit-component` reads any core module as a component with an empty world.
    if Kind::of(component).map_err(|error| error.to_string())? == Kind::Module {
        return Err("it is a core module".to_owned());
    }
    match wit_component::decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err("it is a WIT package".to_owned()),
        Err(error) => Err(format!("{error:#}")),
    }
}

pub(super) fn world_name(resolve: &Resolve, world: WorldId) -> String {
    let world = &resolve.worlds[world];
    match world.package {
        Some(package) => resolve.id_of_name(package, &world.name),
        None => world.name.clone(),
    }
}

struct Check<'a> {
    comparison: Comparison<'a>,
    /// The component's exports. Of the version, a key holds only the part that matters for linking.
    exports: BTreeMap<String, (&'a WorldKey, &'a WorldItem)>,
    gaps: Vec<Gap>,
}

impl<'a> Check<'a> {
    fn new(expected: &'a Resolve, found: &'a Resolve, world: WorldId) -> Self {
        let exports = found.worlds[world].exports.iter();
        let exports = exports
            .map(|(key, item)| (found.name_canonicalized_world_key(key), (key, item)))
            .collect();
        Self { comparison: Comparison::new(expected, found), exports, gaps: Vec::new() }
    }

    fn export(&mut self, key: &WorldKey, item: &'a WorldItem) {
        let expected = self.comparison.expected;
        let name = expected.name_world_key(key);
        let at = Location::of(&expected.source_map, item.span());
        let found = self.exports.get(&expected.name_canonicalized_world_key(key)).copied();
        match (item, found.map(|(_, item)| item)) {
            (WorldItem::Type { .. }, _) => {}
            (WorldItem::Interface { .. }, None) => {
                let others = self.other_versions(&name);
                self.gaps.push(Gap::Interface { name, others, at });
            }
            (WorldItem::Interface { id, .. }, Some(WorldItem::Interface { id: found, .. })) => {
                self.interface(&name, *id, *found);
            }
            (WorldItem::Function(function), found) => match found {
                Some(WorldItem::Function(found)) => self.function(None, function, Some(found)),
                None => self.function(None, function, None),
                Some(_) => self.gaps.push(Gap::Sort { name, at }),
            },
            (WorldItem::Interface { .. }, Some(_)) => self.gaps.push(Gap::Sort { name, at }),
        }
    }

    fn interface(&mut self, name: &str, expected: InterfaceId, found: InterfaceId) {
        let functions = &self.comparison.expected.interfaces[expected].functions;
        let found = &self.comparison.found.interfaces[found].functions;
        for (function_name, function) in functions {
            self.function(Some(name), function, found.get(function_name));
        }
    }

    fn function(&mut self, interface: Option<&str>, function: &Function, found: Option<&Function>) {
        let expected = self.comparison.expected;
        let Some(found) = found else {
            return self.gaps.push(Gap::function(expected, interface, function));
        };
        let interface = interface.map(str::to_owned);
        match self.comparison.functions(function, found) {
            None => {}
            Some(Difference::Here) => self.gaps.push(Gap::Different {
                interface,
                expected: signature(expected, function),
                found: signature(self.comparison.found, found),
                at: Location::of(&expected.source_map, function.span),
            }),
            Some(Difference::Named { expected, found }) => {
                self.different_type(interface, expected, found);
            }
        }
    }

    /// Reports a type that differs. A type that several functions use is reported once.
    fn different_type(&mut self, interface: Option<String>, expected: TypeId, found: TypeId) {
        let resolve = self.comparison.expected;
        let gap = Gap::Different {
            interface,
            expected: definition(resolve, expected),
            found: definition(self.comparison.found, found),
            at: Location::of(&resolve.source_map, resolve.types[expected].span),
        };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Returns the exports that are `name` in another version.
    fn other_versions(&self, name: &str) -> Vec<String> {
        let bare = |name: &str| name.split('@').next().unwrap_or_default().to_owned();
        let wanted = bare(name);
        let names = self.exports.values().map(|(key, _)| self.comparison.found.name_world_key(key));
        names.filter(|found| bare(found) == wanted).collect()
    }
}

#[cfg(test)]
mod tests;
