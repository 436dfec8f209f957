//! Takes capabilities away from a component before it is composed with others that have them.
//!
//! To the host, a composed component is one component. What the host grants to one part, it grants to all of them. So a part that lacks a
//! capability of another part gets a small component put between itself and the host, the *denier*. It exports the interfaces that give
//! something of the outside, and its functions answer as the host does where nothing is granted ([`doors`]). This holds on every host,
//! also where nobody knows of capabilities.
//!
//! The denier is made of the component's own types, so it has the very versions that the component imports, and no function that it does
//! not use. Nothing is made for a component that imports no such function.

mod doors;
mod module;

use compose::{ComposeError, Part};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{InterfaceId, Resolve, TypeDefKind, WorldId, WorldItem, WorldKey};

use super::check::decode;

pub(crate) use doors::can_be_denied;

/// The reason why capabilities can't be taken away from a component.
#[derive(Debug, thiserror::Error)]
pub enum DenyError {
    /// The types of the component can't be read.
    #[error("cannot read what `{part}` imports: {reason}")]
    Undecodable {
        /// The name of the component.
        part: String,
        /// The reason.
        reason: String,
    },
    /// The denier can't be made of the component's types.
    #[error("cannot deny `{part}` {}: {reason}", .words.join(", "))]
    Encode {
        /// The name of the component.
        part: String,
        /// The capabilities that it should not have.
        words: Vec<String>,
        /// The reason.
        reason: String,
    },
    /// The denier does not fit the component.
    #[error("cannot deny `{part}` {}", .words.join(", "))]
    Compose {
        /// The name of the component.
        part: String,
        /// The capabilities that it should not have.
        words: Vec<String>,
        /// The reason.
        #[source]
        source: Box<ComposeError>,
    },
}

/// The name of the denier among the parts. It is written into nothing.
const DENIER: &str = "(denier)";

/// Returns the component without the capabilities that these words name, or `None` if it could not use them anyway.
///
/// Imports whose names `served` accepts come from another part and stay as they are.
///
/// # Errors
/// The bytes are no component, or it uses a denied interface in a way that can't be cut off, such as exporting its types.
pub(super) fn deny(
    part: &str,
    component: &[u8],
    words: &[String],
    served: impl Fn(&str) -> bool,
) -> Result<Option<Vec<u8>>, DenyError> {
    let (mut resolve, world) = decode(component)
        .map_err(|reason| DenyError::Undecodable { part: part.to_owned(), reason })?;
    let denied = denied_interfaces(&resolve, world, words, served);
    if denied.is_empty() {
        return Ok(None);
    }
    make_world(&mut resolve, world, &denied, words);
    let denier = encode(&resolve, world, words).map_err(|reason| DenyError::Encode {
        part: part.to_owned(),
        words: words.to_vec(),
        reason,
    })?;
    let parts = [
        Part {
            name: part.to_owned(),
            bytes: component.to_vec(),
            dependencies: vec![DENIER.to_owned()],
        },
        Part { name: DENIER.to_owned(), bytes: denier, dependencies: Vec::new() },
    ];
    let composed = compose::compose(part, &parts).map_err(|source| DenyError::Compose {
        part: part.to_owned(),
        words: words.to_vec(),
        source: Box::new(source),
    })?;
    Ok(Some(composed.bytes))
}

/// Returns the imports that have a door, and those that use a resource of such an import: the resource is another one then.
fn denied_interfaces(
    resolve: &Resolve,
    world: WorldId,
    words: &[String],
    served: impl Fn(&str) -> bool,
) -> Vec<InterfaceId> {
    let mut denied: Vec<InterfaceId> = Vec::new();
    // A world lists its imports behind those that they use.
    for (key, item) in &resolve.worlds[world].imports {
        let WorldItem::Interface { id, .. } = item else { continue };
        let name = resolve.name_world_key(key);
        let has_door = || {
            let mut functions = resolve.interfaces[*id].functions.values();
            functions.any(|function| doors::find(&name, function, words).is_some())
        };
        let uses_denied = || {
            let mut deps = resolve.interface_direct_deps(*id);
            deps.any(|dep| denied.contains(&dep) && has_resource(resolve, dep))
        };
        if !served(&name) && (has_door() || uses_denied()) {
            denied.push(*id);
        }
    }
    denied
}

/// Tells if an interface has a resource of its own.
fn has_resource(resolve: &Resolve, interface: InterfaceId) -> bool {
    let mut types = resolve.interfaces[interface].types.values();
    types.any(|ty| matches!(resolve.types[*ty].kind, TypeDefKind::Resource))
}

/// Tells if calls of other functions of a denied interface are handed on to the host. Where the interface has resources or uses those of
/// a denied one, all other functions need a resource that nobody has.
fn hands_on(
    resolve: &Resolve,
    interface: InterfaceId,
    denied: &[InterfaceId],
    words: &[String],
) -> bool {
    let name = resolve.id_of(interface).unwrap_or_default();
    let mut functions = resolve.interfaces[interface].functions.values();
    let mut deps = resolve.interface_direct_deps(interface);
    !has_resource(resolve, interface)
        && !deps.any(|dep| denied.contains(&dep))
        && functions.any(|function| doors::find(&name, function, words).is_none())
}

/// Turns the world of the component into that of the denier: it exports what is denied, and imports what that refers to.
fn make_world(resolve: &mut Resolve, world: WorldId, denied: &[InterfaceId], words: &[String]) {
    let mut needed: Vec<InterfaceId> = Vec::new();
    let mut next: Vec<InterfaceId> = denied.to_vec();
    while let Some(interface) = next.pop() {
        for dep in resolve.interface_direct_deps(interface) {
            if !denied.contains(&dep) && !needed.contains(&dep) {
                needed.push(dep);
                next.push(dep);
            }
        }
    }
    needed.extend(denied.iter().filter(|interface| hands_on(resolve, **interface, denied, words)));
    let is = |list: &[InterfaceId], item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => list.contains(id),
        _ => false,
    };
    let imports = std::mem::take(&mut resolve.worlds[world].imports);
    let select = |list: &[InterfaceId]| -> Vec<(WorldKey, WorldItem)> {
        let selected = imports.iter().filter(|(_, item)| is(list, item));
        selected.map(|(key, item)| (key.clone(), item.clone())).collect()
    };
    let (imported, exported) = (select(&needed), select(denied));
    resolve.worlds[world].imports = imported.into_iter().collect();
    resolve.worlds[world].exports = exported.into_iter().collect();
}

fn encode(resolve: &Resolve, world: WorldId, words: &[String]) -> Result<Vec<u8>, String> {
    let mut module = module::encode(resolve, world, words)?;
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| format!("{error:#}"))?;
    let mut encoder = ComponentEncoder::default();
    let encoded = encoder.module(&module).and_then(ComponentEncoder::encode);
    encoded.map_err(|error| format!("{error:#}"))
}

#[cfg(test)]
mod tests;
