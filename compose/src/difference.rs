//! Tells in words in what an export differs from the import that it should serve.
//!
//! The types of functions are written as in WIT. A type that has a name in its interface is written by name, so a record that differs is
//! told once, at the record, and not at every function that takes it.

use std::collections::HashMap;
use std::fmt::Write as _;

use wac_graph::types::{
    DefinedType, DefinedTypeId, FuncTypeId, ItemKind, ResourceId, Type, Types, ValueType,
};

/// The number of items whose difference is told.
const TOLD: usize = 8;
/// The length that the text of a type may have. Types that are built of types may be longer than anybody reads.
const LONGEST: usize = 300;

/// Compares an import with an export. Returns nothing if both look the same when they are written down.
pub(crate) fn between(types: &Types, imported: ItemKind, exported: ItemKind) -> Option<String> {
    let mut differences = Vec::new();
    if let (ItemKind::Instance(imported), ItemKind::Instance(exported)) = (imported, exported) {
        let import = Writer::of_interface(types, imported);
        let export = Writer::of_interface(types, exported);
        for (name, kind) in &types[imported].exports {
            let wanted = import.item(*kind);
            differences.extend(match types[exported].exports.get(name) {
                None => Some(format!("`{name}` is not exported: {wanted}")),
                Some(other) => different(name, &wanted, &export.item(*other)),
            });
        }
    } else {
        let writer = Writer { types, names: HashMap::new(), resources: HashMap::new() };
        differences.extend(different("", &writer.item(imported), &writer.item(exported)));
    }
    let hidden = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    if hidden > 0 {
        differences.push(format!("{hidden} more differ"));
    }
    (!differences.is_empty()).then(|| differences.join("\n"))
}

fn different(name: &str, imported: &str, exported: &str) -> Option<String> {
    let name = if name.is_empty() { "it".to_owned() } else { format!("`{name}`") };
    let text = format!("{name} differs:\n  imported: {imported}\n  exported: {exported}");
    (imported != exported).then_some(text)
}

/// Writes types of one side.
struct Writer<'t> {
    types: &'t Types,
    names: HashMap<DefinedTypeId, &'t str>,
    resources: HashMap<ResourceId, &'t str>,
}

impl<'t> Writer<'t> {
    fn of_interface(types: &'t Types, id: wac_graph::types::InterfaceId) -> Self {
        let (mut names, mut resources) = (HashMap::new(), HashMap::new());
        for (name, kind) in &types[id].exports {
            match kind {
                ItemKind::Type(Type::Value(ValueType::Defined(id))) => {
                    names.insert(*id, name.as_str());
                }
                ItemKind::Type(Type::Resource(id)) => {
                    resources.insert(*id, name.as_str());
                }
                _ => {}
            }
        }
        Self { types, names, resources }
    }

    fn item(&self, kind: ItemKind) -> String {
        let mut text = String::new();
        match kind {
            ItemKind::Func(id) => self.function(&mut text, id),
            ItemKind::Type(Type::Value(ValueType::Defined(id))) => self.defined(&mut text, id),
            ItemKind::Type(Type::Value(ty)) | ItemKind::Value(ty) => self.value(&mut text, ty),
            kind => text.push_str(kind.desc(self.types)),
        }
        if text.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        text
    }

    fn function(&self, text: &mut String, id: FuncTypeId) {
        let function = &self.types[id];
        text.push_str(if function.is_async { "async func(" } else { "func(" });
        self.fields(text, function.params.iter().map(|(name, ty)| (name, Some(*ty))));
        text.push(')');
        if let Some(result) = function.result {
            text.push_str(" -> ");
            self.value(text, result);
        }
    }

    fn value(&self, text: &mut String, ty: ValueType) {
        // Each type that is written after this makes the text longer, so this is the end of any amount of work.
        if text.len() > LONGEST {
            return;
        }
        match ty {
            ValueType::Primitive(ty) => text.push_str(ty.desc()),
            ValueType::Own(id) => text.push_str(self.resource(id)),
            ValueType::Borrow(id) => {
                let _ = write!(text, "borrow<{}>", self.resource(id));
            }
            ValueType::Defined(id) => match self.names.get(&id) {
                Some(name) => text.push_str(name),
                None => self.defined(text, id),
            },
        }
    }

    fn resource(&self, id: ResourceId) -> &str {
        self.resources.get(&id).copied().unwrap_or(&self.types[id].name)
    }

    /// Writes what a type consists of.
    fn defined(&self, text: &mut String, id: DefinedTypeId) {
        let types = self.types;
        match &types[id] {
            DefinedType::Alias(ty) => self.value(text, *ty),
            DefinedType::List(ty) => self.generic(text, "list", &[Some(*ty)]),
            DefinedType::Option(ty) => self.generic(text, "option", &[Some(*ty)]),
            DefinedType::Map(key, value) => self.generic(text, "map", &[Some(*key), Some(*value)]),
            DefinedType::Result { ok, err } => self.generic(text, "result", &[*ok, *err]),
            DefinedType::Stream(ty) => self.generic(text, "stream", &[*ty]),
            DefinedType::Future(ty) => self.generic(text, "future", &[*ty]),
            DefinedType::Tuple(items) => {
                let items: Vec<_> = items.iter().copied().map(Some).collect();
                self.generic(text, "tuple", &items);
            }
            DefinedType::FixedSizeList(ty, length) => {
                text.push_str("list<");
                self.value(text, *ty);
                let _ = write!(text, ", {length}>");
            }
            DefinedType::Record(record) => {
                let fields = record.fields.iter().map(|(name, ty)| (name, Some(*ty)));
                self.braced(text, "record", fields);
            }
            DefinedType::Variant(variant) => {
                self.braced(text, "variant", variant.cases.iter().map(|(name, ty)| (name, *ty)));
            }
            DefinedType::Flags(flags) => {
                self.braced(text, "flags", flags.0.iter().map(|name| (name, None)));
            }
            DefinedType::Enum(cases) => {
                self.braced(text, "enum", cases.0.iter().map(|name| (name, None)));
            }
        }
    }

    fn generic(&self, text: &mut String, name: &str, parameters: &[Option<ValueType>]) {
        text.push_str(name);
        let given = parameters.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        for (index, parameter) in parameters[..given].iter().enumerate() {
            text.push_str(if index == 0 { "<" } else { ", " });
            match parameter {
                Some(ty) => self.value(text, *ty),
                None => text.push('_'),
            }
        }
        if given > 0 {
            text.push('>');
        }
    }

    fn braced<'n>(
        &self,
        text: &mut String,
        keyword: &str,
        fields: impl Iterator<Item = (&'n String, Option<ValueType>)>,
    ) {
        text.push_str(keyword);
        text.push_str(" { ");
        self.fields(text, fields);
        text.push_str(" }");
    }

    fn fields<'n>(
        &self,
        text: &mut String,
        fields: impl Iterator<Item = (&'n String, Option<ValueType>)>,
    ) {
        for (index, (name, ty)) in fields.enumerate() {
            if text.len() > LONGEST {
                return;
            }
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(name);
            if let Some(ty) = ty {
                text.push_str(": ");
                self.value(text, ty);
            }
        }
    }
}
