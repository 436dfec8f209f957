//! Compares WIT types of two packages by their structure, and prints them in WIT syntax.
//!
//! A component's types come from its binary, where only the structure counts. A type alias, or the interface
//! in which a type was first declared, makes no difference to a linker. Resources are the exception: they
//! have no structure, so their names are compared.

use std::collections::{HashMap, HashSet};

use wit_component::WitPrinter;
use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// The place where two types differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In the place itself, such as `u32` in one and `u64` in the other.
    Here,
    /// In the definitions of a type that has the same name in both packages.
    Named {
        /// The definition in the expected package.
        expected: TypeId,
        /// The definition in the other package.
        found: TypeId,
    },
}

/// A comparison of types of `expected` with types of `found`.
pub(super) struct Comparison<'a> {
    pub(super) expected: &'a Resolve,
    pub(super) found: &'a Resolve,
    /// Pairs that are known to be the same. Without this, shared types could take exponential time.
    same: HashSet<(TypeId, TypeId)>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(expected: &'a Resolve, found: &'a Resolve) -> Self {
        Self { expected, found, same: HashSet::new() }
    }

    /// Compares two functions: whether both are async, their parameters with names, and their results.
    pub(super) fn functions(&mut self, a: &Function, b: &Function) -> Option<Difference> {
        if a.kind.is_async() != b.kind.is_async() || a.params.len() != b.params.len() {
            return Some(Difference::Here);
        }
        for (a, b) in a.params.iter().zip(&b.params) {
            if a.name != b.name {
                return Some(Difference::Here);
            }
            if let Some(difference) = self.types(a.ty, b.ty) {
                return Some(difference);
            }
        }
        self.options(a.result, b.result)
    }

    fn types(&mut self, a: Type, b: Type) -> Option<Difference> {
        let named = (name_of(self.expected, a), name_of(self.found, b));
        let (a_plain, b_plain) = (plain(self.expected, a), plain(self.found, b));
        let difference = match (a_plain, b_plain) {
            (Type::Id(a), Type::Id(b)) if self.same.contains(&(a, b)) => None,
            (Type::Id(a), Type::Id(b)) => {
                let difference = self.definitions(a, b);
                if difference.is_none() {
                    self.same.insert((a, b));
                }
                difference
            }
            (a, b) => (a != b).then_some(Difference::Here),
        }?;
        match (difference, named) {
            (Difference::Here, (Some((a_name, expected)), Some((b_name, found))))
                if a_name == b_name =>
            {
                Some(Difference::Named { expected, found })
            }
            _ => Some(difference),
        }
    }

    fn definitions(&mut self, a: TypeId, b: TypeId) -> Option<Difference> {
        let (expected, found) = (self.expected, self.found);
        let (a, b) = (&expected.types[a], &found.types[b]);
        match (&a.kind, &b.kind) {
            (TypeDefKind::Record(a), TypeDefKind::Record(b)) => self.all(
                a.fields.iter().map(|field| (Some(&field.name), Some(field.ty))),
                b.fields.iter().map(|field| (Some(&field.name), Some(field.ty))),
            ),
            (TypeDefKind::Variant(a), TypeDefKind::Variant(b)) => self.all(
                a.cases.iter().map(|case| (Some(&case.name), case.ty)),
                b.cases.iter().map(|case| (Some(&case.name), case.ty)),
            ),
            (TypeDefKind::Tuple(a), TypeDefKind::Tuple(b)) => self.all(
                a.types.iter().map(|ty| (None, Some(*ty))),
                b.types.iter().map(|ty| (None, Some(*ty))),
            ),
            (TypeDefKind::Enum(a), TypeDefKind::Enum(b)) => here(
                a.cases.iter().map(|case| &case.name).ne(b.cases.iter().map(|case| &case.name)),
            ),
            (TypeDefKind::Flags(a), TypeDefKind::Flags(b)) => here(
                a.flags.iter().map(|flag| &flag.name).ne(b.flags.iter().map(|flag| &flag.name)),
            ),
            (TypeDefKind::Resource, TypeDefKind::Resource) => here(a.name != b.name),
            (TypeDefKind::Handle(Handle::Own(a)), TypeDefKind::Handle(Handle::Own(b)))
            | (TypeDefKind::Handle(Handle::Borrow(a)), TypeDefKind::Handle(Handle::Borrow(b))) => {
                self.types(Type::Id(*a), Type::Id(*b))
            }
            (TypeDefKind::List(a), TypeDefKind::List(b))
            | (TypeDefKind::Option(a), TypeDefKind::Option(b)) => self.types(*a, *b),
            (TypeDefKind::FixedLengthList(a, m), TypeDefKind::FixedLengthList(b, n)) if m == n => {
                self.types(*a, *b)
            }
            (TypeDefKind::Map(a, v), TypeDefKind::Map(b, w)) => {
                self.types(*a, *b).or_else(|| self.types(*v, *w))
            }
            (TypeDefKind::Result(a), TypeDefKind::Result(b)) => {
                self.options(a.ok, b.ok).or_else(|| self.options(a.err, b.err))
            }
            (TypeDefKind::Future(a), TypeDefKind::Future(b))
            | (TypeDefKind::Stream(a), TypeDefKind::Stream(b)) => self.options(*a, *b),
            _ => Some(Difference::Here),
        }
    }

    fn all<'n>(
        &mut self,
        a: impl ExactSizeIterator<Item = (Option<&'n String>, Option<Type>)>,
        b: impl ExactSizeIterator<Item = (Option<&'n String>, Option<Type>)>,
    ) -> Option<Difference> {
        if a.len() != b.len() {
            return Some(Difference::Here);
        }
        a.zip(b).find_map(|((a_name, a), (b_name, b))| {
            if a_name == b_name { self.options(a, b) } else { Some(Difference::Here) }
        })
    }

    fn options(&mut self, a: Option<Type>, b: Option<Type>) -> Option<Difference> {
        match (a, b) {
            (Some(a), Some(b)) => self.types(a, b),
            (None, None) => None,
            _ => Some(Difference::Here),
        }
    }
}

fn here(different: bool) -> Option<Difference> {
    different.then_some(Difference::Here)
}

/// Returns the type that a chain of aliases leads to.
fn plain(resolve: &Resolve, mut ty: Type) -> Type {
    while let Type::Id(id) = ty
        && let TypeDefKind::Type(next) = resolve.types[id].kind
    {
        ty = next;
    }
    ty
}

fn name_of(resolve: &Resolve, ty: Type) -> Option<(&str, TypeId)> {
    let Type::Id(id) = ty else { return None };
    Some((resolve.types[id].name.as_deref()?, id))
}

/// Prints a function, such as `add: func(a: u32, b: u32) -> u32`.
pub(super) fn signature(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, type_name(resolve, param.ty)))
        .collect();
    let result = function.result.map(|ty| format!(" -> {}", type_name(resolve, ty)));
    let asynchronous = if function.kind.is_async() { "async " } else { "" };
    let (name, params, result) = (&function.name, params.join(", "), result.unwrap_or_default());
    format!("{name}: {asynchronous}func({params}){result}")
}

/// Prints the definition of a type, such as `record point { x: u32, y: u32, }`.
pub(super) fn definition(resolve: &Resolve, id: TypeId) -> String {
    let ty = &resolve.types[id];
    let name = ty.name.as_deref().unwrap_or_default();
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    let types = [(name, id)].into_iter();
    let printed = printer.print_types(resolve, ty.owner, types, &HashMap::new());
    let text = match printed {
        Ok(()) => printer.output.to_string(),
        Err(_) => name.to_owned(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn type_name(resolve: &Resolve, ty: Type) -> String {
    let mut printer = WitPrinter::default();
    match printer.print_type_name(resolve, &ty) {
        Ok(()) => printer.output.to_string(),
        Err(_) => "(a type without a name)".to_owned(),
    }
}
