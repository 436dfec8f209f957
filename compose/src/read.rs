//! Reads the components and registers them with the graph.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use wac_graph::types::{InterfaceId, ItemKind, Package, Type, Types, WorldId};
use wac_graph::{CompositionGraph, PackageId};

use crate::{ComposeError, Part};

/// A part that was read.
pub(crate) struct Component<'p> {
    pub(crate) name: &'p str,
    pub(crate) package: PackageId,
    /// The indices of the parts that it depends on.
    pub(crate) dependencies: Vec<usize>,
    /// Its imports, in its own order.
    pub(crate) imports: Vec<(String, ItemKind)>,
    /// Its exports, in its own order.
    pub(crate) exports: Vec<(String, ItemKind)>,
    /// The type of the component.
    pub(crate) world: WorldId,
}

impl Component<'_> {
    /// Returns what it exports under a name.
    pub(crate) fn export(&self, name: &str, types: &Types) -> Option<ItemKind> {
        types[self.world].exports.get(name).copied()
    }
}

/// Returns the names of everything but types, sorted. A type is no thing to link: it comes with the interface that has it.
pub(crate) fn names(items: &[(String, ItemKind)]) -> Vec<String> {
    let items = items.iter().filter(|(_, kind)| !matches!(kind, ItemKind::Type(_)));
    let mut names: Vec<_> = items.map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

/// Calls `work`, and makes a message of a panic: `wac` asserts where it meets what it can't handle, and the bytes may come from anywhere.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    // A graph that was changed halfway is not used again.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("it has something that is not supported ({})", message.unwrap_or("no reason given"))
    })
}

/// Reads parts, each of which stands behind its dependencies.
pub(crate) fn read<'p>(
    parts: &[&'p Part],
    graph: &mut CompositionGraph,
) -> Result<Vec<Component<'p>>, ComposeError> {
    let mut components = Vec::with_capacity(parts.len());
    let mut index = HashMap::new();
    for part in parts {
        let package = package(part, graph)?;
        separate_imports(package, graph);
        let id = graph[package].ty();
        let world = &graph.types()[id];
        let items = |items: Vec<(&String, &ItemKind)>| -> Vec<(String, ItemKind)> {
            items.into_iter().map(|(name, kind)| (name.clone(), *kind)).collect()
        };
        let imports = items(world.imports.iter().collect());
        let exports = items(world.exports.iter().collect());
        if is_wit_package(&imports, &exports) {
            return Err(ComposeError::WitPackage { part: part.name.clone() });
        }
        let dependencies = part.dependencies.iter().map(|name| index[name.as_str()]);
        let mut dependencies: Vec<usize> = dependencies.collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        index.insert(part.name.as_str(), components.len());
        let name = part.name.as_str();
        components.push(Component { name, package, dependencies, imports, exports, world: id });
    }
    Ok(components)
}

fn package(part: &Part, graph: &mut CompositionGraph) -> Result<PackageId, ComposeError> {
    // What follows the magic number of a module: its version and, for a component, its layer.
    if part.bytes.starts_with(b"\0asm\x01\0\0\0") {
        return Err(ComposeError::CoreModule { part: part.name.clone() });
    }
    let unreadable = |reason| ComposeError::Unreadable { part: part.name.clone(), reason };
    if !part.bytes.starts_with(b"\0asm\x0d\0\x01\0") {
        return Err(unreadable("it does not begin like one".to_owned()));
    }
    let bytes = part.bytes.as_slice();
    let package = guarded(|| Package::from_bytes(&part.name, None, bytes, graph.types_mut()));
    let package = package.map_err(unreadable)?.map_err(|error| unreadable(format!("{error:#}")))?;
    graph.register_package(package).map_err(|error| unreadable(error.to_string()))
}

/// Gives each import an interface of its own. If a component imports two things of one type, `wac` reads that as one interface with the
/// name of the first, and would import this one only.
fn separate_imports(package: PackageId, graph: &mut CompositionGraph) {
    let world = graph[package].ty();
    let mut seen: HashSet<InterfaceId> = HashSet::new();
    let imports = graph.types()[world].imports.iter();
    let again: Vec<_> = imports
        .filter_map(|(name, kind)| match kind {
            ItemKind::Instance(id) if !seen.insert(*id) => Some((name.clone(), *id)),
            _ => None,
        })
        .collect();
    for (name, id) in again {
        let mut interface = graph.types()[id].clone();
        interface.id = name.contains(':').then(|| name.clone());
        let own = graph.types_mut().add_interface(interface);
        graph.types_mut()[world].imports.insert(name, ItemKind::Instance(own));
    }
}

/// Tells if a component is a WIT package: it exports nothing but types of components.
fn is_wit_package(imports: &[(String, ItemKind)], exports: &[(String, ItemKind)]) -> bool {
    let is_world = |(_, kind): &(_, _)| matches!(kind, ItemKind::Type(Type::World(_)));
    imports.is_empty() && !exports.is_empty() && exports.iter().all(is_world)
}
