//! Checks that resources that travel between parts are the same on both sides.
//!
//! `wac` compares resources by name. But two resources are the same only if they come from the same place: a part that takes
//! `wasi:io/streams` from outside can't pass its streams to a part that takes it from another part. The validation of the result would
//! find that, with a message that names nothing of it. So this looks first where the resources that interfaces use come from. (What it
//! does not see, such as a resource deep inside a record of another interface, is left to the validation.)

use std::collections::{HashMap, HashSet};

use wac_graph::types::{DefinedTypeId, FuncTypeId, ItemKind, ResourceId, Type, Types, ValueType};

use crate::link::Served;
use crate::naming::parts;
use crate::read::Component;
use crate::{ComposeError, name};

/// The place that a resource comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// It is defined by a part.
    Part(usize, ResourceId),
    /// It is imported from outside.
    Outside { import: String, resource: String },
}

/// A resource that a part imports.
struct Imported {
    origin: Origin,
    /// The name of the import that has it. Other imports only use it.
    import: String,
    resource: String,
}

/// The resources that a part imports.
type Resources = HashMap<ResourceId, Imported>;

/// Checks the links of all parts.
pub(crate) fn check(
    components: &[Component<'_>],
    links: &[Served],
    types: &Types,
) -> Result<(), ComposeError> {
    let mut check = Check { components, links, types, known: Vec::new() };
    for index in 0..components.len() {
        let resources = check.resources(index)?;
        check.enclosed(index, &resources)?;
        check.known.push(resources);
    }
    Ok(())
}

struct Check<'c> {
    components: &'c [Component<'c>],
    links: &'c [Served],
    types: &'c Types,
    /// The resources of the parts that were looked at.
    known: Vec<Resources>,
}

impl Check<'_> {
    /// Finds the origin of each resource that a part imports, and compares it where several imports have the same.
    fn resources(&self, index: usize) -> Result<Resources, ComposeError> {
        let component = &self.components[index];
        let mut resources = Resources::new();
        for (import, kind) in &component.imports {
            for (resource, id) in named_resources(self.types, *kind, import) {
                let Some(origin) = self.origin_of_import(index, import, resource) else { continue };
                let source = self.types.resolve_resource(id);
                match resources.get(&source) {
                    None => {
                        let (import, resource) = (import.clone(), resource.to_owned());
                        resources.insert(source, Imported { origin, import, resource });
                    }
                    // An import from outside has the same resources as other imports from outside. Others are looked at later.
                    Some(known) if self.links[index].contains_key(import) => {
                        self.compare(index, import, known, &origin)?;
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(resources)
    }

    /// Returns the origin of a resource of an import. There is none if the provider does not have it, which is found elsewhere.
    fn origin_of_import(&self, index: usize, import: &str, resource: &str) -> Option<Origin> {
        let Some(export) = self.links[index].get(import) else {
            return Some(Origin::Outside {
                import: name::key(import),
                resource: resource.to_owned(),
            });
        };
        let kind = self.components[export.provider].export(&export.name, self.types)?;
        let ItemKind::Instance(instance) = kind else { return None };
        match self.types[instance].exports.get(resource)? {
            ItemKind::Type(Type::Resource(id)) => Some(self.origin_of_export(export.provider, *id)),
            _ => None,
        }
    }

    /// Returns the origin of a resource that a part exports: it may be one that the part imports.
    fn origin_of_export(&self, index: usize, id: ResourceId) -> Origin {
        let source = self.types.resolve_resource(id);
        match self.known[index].get(&source) {
            Some(imported) => imported.origin.clone(),
            None => Origin::Part(index, source),
        }
    }

    fn compare(
        &self,
        index: usize,
        import: &str,
        known: &Imported,
        origin: &Origin,
    ) -> Result<(), ComposeError> {
        let export = &self.links[index][import];
        if known.origin == *origin {
            return Ok(());
        }
        let (part, provider) = (self.components[index].name, self.components[export.provider].name);
        let Imported { import: owner, resource, .. } = known;
        Err(ComposeError::Mismatch {
            part: part.to_owned(),
            import: import.to_owned(),
            provider: provider.to_owned(),
            export: export.name.clone(),
            difference: format!(
                "the resource `{resource}` of `{owner}` is not the same in both:\n  \
                 `{part}` takes it from {}\n  `{provider}` has that of {}",
                self.place(&known.origin),
                self.place(origin)
            ),
        })
    }

    fn place(&self, origin: &Origin) -> String {
        match origin {
            Origin::Part(index, _) => format!("`{}`", self.components[*index].name),
            Origin::Outside { import, .. } => {
                format!("`{import}` outside, which no dependency exports")
            }
        }
    }

    /// Checks that no import from outside uses a resource that another part provides.
    fn enclosed(&self, index: usize, resources: &Resources) -> Result<(), ComposeError> {
        let component = &self.components[index];
        for (import, kind) in &component.imports {
            if self.links[index].contains_key(import) || matches!(kind, ItemKind::Type(_)) {
                continue;
            }
            for id in used_resources(self.types, *kind) {
                let Some(imported) = resources.get(&id) else { continue };
                let Some(export) = self.links[index].get(&imported.import) else { continue };
                return Err(ComposeError::Enclosed {
                    part: component.name.to_owned(),
                    import: import.clone(),
                    resource: imported.resource.clone(),
                    interface: imported.import.clone(),
                    provider: self.components[export.provider].name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// Returns the resources that an item of this name has or is, in order.
fn named_resources<'t>(
    types: &'t Types,
    kind: ItemKind,
    name: &'t str,
) -> Vec<(&'t str, ResourceId)> {
    match kind {
        ItemKind::Type(Type::Resource(id)) => vec![(name, id)],
        ItemKind::Instance(id) => {
            let exports = types[id].exports.iter();
            let resources = exports.filter_map(|(name, kind)| match kind {
                ItemKind::Type(Type::Resource(id)) => Some((name.as_str(), *id)),
                _ => None,
            });
            resources.collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the resources that occur in the types of an item, in the order in which they do.
pub(crate) fn used_resources(types: &Types, kind: ItemKind) -> Vec<ResourceId> {
    let mut used = Used { types, seen: HashSet::new(), resources: Vec::new() };
    match kind {
        ItemKind::Instance(id) => types[id].exports.values().for_each(|kind| used.item(*kind)),
        kind => used.item(kind),
    }
    used.resources
}

struct Used<'t> {
    types: &'t Types,
    seen: HashSet<DefinedTypeId>,
    resources: Vec<ResourceId>,
}

impl Used<'_> {
    fn item(&mut self, kind: ItemKind) {
        match kind {
            ItemKind::Func(id) | ItemKind::Type(Type::Func(id)) => self.function(id),
            ItemKind::Type(Type::Resource(id)) => self.resource(id),
            ItemKind::Type(Type::Value(ty)) | ItemKind::Value(ty) => self.value(ty),
            _ => {}
        }
    }

    fn function(&mut self, id: FuncTypeId) {
        let function = &self.types[id];
        function.params.values().chain(&function.result).for_each(|ty| self.value(*ty));
    }

    fn resource(&mut self, id: ResourceId) {
        self.resources.push(self.types.resolve_resource(id));
    }

    fn value(&mut self, ty: ValueType) {
        match ty {
            ValueType::Primitive(_) => {}
            ValueType::Borrow(id) | ValueType::Own(id) => self.resource(id),
            ValueType::Defined(id) if self.seen.insert(id) => {
                parts(&self.types[id]).into_iter().for_each(|ty| self.value(ty));
            }
            ValueType::Defined(_) => {}
        }
    }
}
