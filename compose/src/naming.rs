//! Sees to it that the exports of the root use no type that has no name outside.
//!
//! An export of a component may use a record, an enum or a resource only if the component imports or exports it by name. If a dependency
//! serves the interface that has the type, the whole does not import that interface any more, and the name is gone. An interface that has
//! nothing but plain types can stay an import all the same: nothing of it runs, no host has to provide anything for it, and equal types are
//! the same wherever they come from. In other cases there is no composition, and this says why.

use std::collections::{BTreeSet, HashMap, HashSet};

use wac_graph::types::{
    DefinedType, DefinedTypeId, FuncTypeId, InterfaceId, ItemKind, ResourceId, SubtypeChecker,
    Type, Types, ValueType,
};

use crate::ComposeError;
use crate::link::Served;
use crate::read::Component;
use crate::resources::used_resources;

/// A type that needs a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Id {
    Value(DefinedTypeId),
    Resource(ResourceId),
}

/// The import that a type without a name outside comes from.
#[derive(Clone, Copy)]
struct Inside<'c> {
    /// The interface that has it.
    interface: &'c str,
    name: &'c str,
    /// The import of the type itself, if the world uses the type.
    import: Option<&'c str>,
}

/// Takes those links away from the root, which is the last component, without which its exports have names for all types. Returns the types
/// that the world of the root uses and that have to stay imports.
pub(crate) fn settle(
    components: &[Component<'_>],
    links: &mut [Served],
    types: &Types,
) -> Result<BTreeSet<String>, ComposeError> {
    let (Some(root), Some(served)) = (components.last(), links.last_mut()) else {
        return Ok(BTreeSet::new());
    };
    let mut naming = Naming {
        types,
        named: HashSet::new(),
        seen: HashSet::new(),
        inside: HashMap::new(),
        missing: Vec::new(),
    };
    naming.enter_imports(root, served);
    let mut kept = BTreeSet::new();
    for (export, kind) in &root.exports {
        naming.item(*kind);
        for inside in std::mem::take(&mut naming.missing) {
            let interface = types[root.world].imports.get(inside.interface).copied();
            if interface.is_some_and(|kind| is_plain(types, kind)) {
                served.remove(inside.interface);
            } else if let Some(import) =
                inside.import.filter(|import| naming.is_simple(root, import))
            {
                kept.insert(import.to_owned());
            } else {
                let provider = served.get(inside.interface);
                return Err(ComposeError::Hidden {
                    part: root.name.to_owned(),
                    export: export.clone(),
                    name: inside.name.to_owned(),
                    interface: inside.interface.to_owned(),
                    provider: provider
                        .map_or("", |export| components[export.provider].name)
                        .to_owned(),
                });
            }
        }
    }
    Ok(kept)
}

/// Tells if an item is an interface that has nothing but types, and no resource among them.
fn is_plain(types: &Types, kind: ItemKind) -> bool {
    let ItemKind::Instance(id) = kind else { return false };
    let mut exports = types[id].exports.values();
    exports.all(|kind| matches!(kind, ItemKind::Type(Type::Value(_))))
        && used_resources(types, kind).is_empty()
}

struct Naming<'c> {
    types: &'c Types,
    /// The types that have a name outside.
    named: HashSet<Id>,
    /// The types without a name that were looked at.
    seen: HashSet<DefinedTypeId>,
    /// The types that have a name inside only.
    inside: HashMap<Id, Inside<'c>>,
    /// Those of them that the export uses which is being looked at.
    missing: Vec<Inside<'c>>,
}

impl<'c> Naming<'c> {
    fn enter_imports(&mut self, root: &'c Component<'_>, served: &Served) {
        for (import, kind) in &root.imports {
            match kind {
                ItemKind::Instance(id) => {
                    for (name, kind) in &self.types[*id].exports {
                        let inside = Inside { interface: import, name, import: None };
                        self.enter(*kind, served.contains_key(import).then_some(inside));
                    }
                }
                ItemKind::Type(ty) => {
                    let home = home(self.types, &root.imports, import, *ty);
                    let home = home.filter(|(interface, _)| served.contains_key(*interface));
                    let inside = home.map(|(interface, name)| Inside {
                        interface,
                        name,
                        import: Some(import),
                    });
                    self.enter(*kind, inside);
                }
                _ => {}
            }
        }
    }

    fn enter(&mut self, kind: ItemKind, inside: Option<Inside<'c>>) {
        let id = match kind {
            ItemKind::Type(Type::Value(ValueType::Defined(id))) => Id::Value(id),
            ItemKind::Type(Type::Resource(id)) => Id::Resource(id),
            _ => return,
        };
        match inside {
            Some(inside) => _ = self.inside.insert(id, inside),
            None => _ = self.named.insert(id),
        }
    }

    /// Looks at something that is exported. If it is a type, it has a name from then on.
    fn item(&mut self, kind: ItemKind) {
        match kind {
            ItemKind::Func(id) | ItemKind::Type(Type::Func(id)) => self.function(id),
            ItemKind::Type(Type::Resource(id)) => _ = self.named.insert(Id::Resource(id)),
            ItemKind::Type(Type::Value(ValueType::Defined(id))) => {
                self.parts(id);
                self.named.insert(Id::Value(id));
            }
            ItemKind::Type(Type::Value(ty)) | ItemKind::Value(ty) => self.value(ty),
            ItemKind::Instance(id) => {
                self.types[id].exports.values().for_each(|kind| self.item(*kind));
            }
            _ => {}
        }
    }

    fn function(&mut self, id: FuncTypeId) {
        let function = &self.types[id];
        function.params.values().chain(&function.result).for_each(|ty| self.value(*ty));
    }

    fn value(&mut self, ty: ValueType) {
        match ty {
            ValueType::Primitive(_) => {}
            ValueType::Own(id) | ValueType::Borrow(id) => self.need(Id::Resource(id)),
            ValueType::Defined(id) if self.named.contains(&Id::Value(id)) => {}
            ValueType::Defined(id) => match &self.types[id] {
                DefinedType::Record(_)
                | DefinedType::Variant(_)
                | DefinedType::Flags(_)
                | DefinedType::Enum(_) => self.need(Id::Value(id)),
                _ if self.seen.insert(id) => self.parts(id),
                _ => {}
            },
        }
    }

    /// Notes that a type needs a name, and has one from now on: it is either given one, or the composition fails.
    fn need(&mut self, id: Id) {
        if self.named.insert(id) {
            self.missing.extend(self.inside.get(&id));
        }
    }

    /// Looks at the types that a type consists of.
    fn parts(&mut self, id: DefinedTypeId) {
        parts(&self.types[id]).into_iter().for_each(|ty| self.value(ty));
    }

    /// Tells if a type that the world uses consists of types that need no name.
    fn is_simple(&self, root: &Component<'_>, import: &str) -> bool {
        let kind = self.types[root.world].imports.get(import);
        let Some(ItemKind::Type(Type::Value(ValueType::Defined(id)))) = kind else { return false };
        let mut probe = Naming {
            types: self.types,
            named: HashSet::new(),
            seen: HashSet::new(),
            inside: HashMap::new(),
            missing: Vec::new(),
        };
        probe.parts(*id);
        // Whatever needs a name is noted there.
        probe.named.is_empty()
    }
}

/// Returns the types that a type consists of.
pub(crate) fn parts(ty: &DefinedType) -> Vec<ValueType> {
    match ty {
        DefinedType::Tuple(items) => items.clone(),
        DefinedType::List(ty)
        | DefinedType::FixedSizeList(ty, _)
        | DefinedType::Option(ty)
        | DefinedType::Alias(ty) => vec![*ty],
        DefinedType::Map(key, value) => vec![*key, *value],
        DefinedType::Result { ok, err } => ok.iter().chain(err).copied().collect(),
        DefinedType::Variant(variant) => variant.cases.values().flatten().copied().collect(),
        DefinedType::Record(record) => record.fields.values().copied().collect(),
        DefinedType::Stream(ty) | DefinedType::Future(ty) => ty.iter().copied().collect(),
        DefinedType::Flags(_) | DefinedType::Enum(_) => Vec::new(),
    }
}

/// Returns the import that has a type which a world uses, and the name of the type there. A resource has one home. A value type is at home
/// wherever an equal type is, because nothing else tells them apart.
pub(crate) fn home<'i>(
    types: &'i Types,
    imports: &'i [(String, ItemKind)],
    name: &str,
    ty: Type,
) -> Option<(&'i str, &'i str)> {
    let instances = imports.iter().filter_map(|(import, kind)| match kind {
        ItemKind::Instance(id) => Some((import.as_str(), *id)),
        _ => None,
    });
    let instances: Vec<(&str, InterfaceId)> = instances.collect();
    let is_equal = |one: &ItemKind| match (one, ty) {
        (ItemKind::Type(Type::Resource(one)), Type::Resource(other)) => {
            types.resolve_resource(*one) == types.resolve_resource(other)
        }
        (ItemKind::Type(Type::Value(_)), Type::Value(_)) => {
            let mut cache = HashSet::new();
            let mut checker = SubtypeChecker::new(&mut cache);
            checker.is_subtype(*one, types, ItemKind::Type(ty), types).is_ok()
        }
        _ => false,
    };
    let same_name = instances.iter().find_map(|(import, id)| {
        let (name, kind) = types[*id].exports.get_key_value(name)?;
        is_equal(kind).then_some((*import, name.as_str()))
    });
    same_name.or_else(|| {
        instances.iter().find_map(|(import, id)| {
            let mut exports = types[*id].exports.iter();
            exports.find(|(_, kind)| is_equal(kind)).map(|(name, _)| (*import, name.as_str()))
        })
    })
}
