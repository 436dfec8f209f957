//! Refuses WIT whose types unfold to more than tools can handle.
//!
//! A type may use another one several times, and that one the next: twenty short lines can stand for millions
//! of fields. Any tool that writes out what a function takes and returns (a generator of bindings, an
//! encoder) then needs time and memory for all of them. Here the unfolded size is computed without unfolding,
//! by looking at each type once.

use std::collections::HashMap;

use wit_parser::{Function, Resolve, Type, TypeDefKind, TypeId};

use super::location::Location;
use super::resolve::InvalidWit;

/// The maximum number of fields, cases and elements that the parameters and the result of one function may
/// unfold to. All functions of WASI stay below 500.
const MOST_OF_FUNCTION: u64 = 100_000;

/// The maximum number for all functions together.
const MOST_OF_ALL: u64 = 2_000_000;

/// Checks every function that the WIT declares.
pub(super) fn check_size(resolve: &Resolve) -> Result<(), InvalidWit> {
    let mut sizes = Sizes { resolve, known: HashMap::new() };
    let in_interfaces =
        resolve.interfaces.iter().flat_map(|(_, interface)| interface.functions.values());
    let in_worlds = resolve.worlds.iter().flat_map(|(_, world)| {
        let items = world.imports.values().chain(world.exports.values());
        items.filter_map(|item| match item {
            wit_parser::WorldItem::Function(function) => Some(function),
            _ => None,
        })
    });
    let mut all = 0_u64;
    for function in in_interfaces.chain(in_worlds) {
        let size = sizes.of_function(function);
        all = all.saturating_add(size);
        let most = match () {
            () if size > MOST_OF_FUNCTION => MOST_OF_FUNCTION,
            () if all > MOST_OF_ALL => MOST_OF_ALL,
            () => continue,
        };
        return Err(too_big(resolve, function, size, most));
    }
    Ok(())
}

fn too_big(resolve: &Resolve, function: &Function, size: u64, most: u64) -> InvalidWit {
    let name = &function.name;
    let message = match most {
        MOST_OF_FUNCTION => format!(
            "the types of function `{name}` unfold to {size} fields, cases and elements, and the limit is \
             {most}: use a `resource`, or fewer types in one another"
        ),
        _ => format!(
            "the types of all functions up to `{name}` unfold to more than {most} fields, cases and \
             elements, which is the limit: use resources, or fewer functions with such types"
        ),
    };
    InvalidWit { at: Location::of(&resolve.source_map, function.span), message }
}

struct Sizes<'a> {
    resolve: &'a Resolve,
    known: HashMap<TypeId, u64>,
}

impl Sizes<'_> {
    fn of_function(&mut self, function: &Function) -> u64 {
        let params = function.params.iter().map(|param| param.ty);
        self.sum(params.chain(function.result).map(Some))
    }

    fn sum(&mut self, types: impl Iterator<Item = Option<Type>>) -> u64 {
        types.fold(0, |sum, ty| sum.saturating_add(ty.map_or(1, |ty| self.of(ty))))
    }

    fn of(&mut self, ty: Type) -> u64 {
        let Type::Id(id) = ty else { return 1 };
        if let Some(size) = self.known.get(&id) {
            return *size;
        }
        let is_alias = matches!(self.resolve.types[id].kind, TypeDefKind::Type(_));
        let size = self.of_definition(id).saturating_add(u64::from(!is_alias));
        self.known.insert(id, size);
        size
    }

    /// Returns the size of a type's definition. It recurses as deeply as types are nested: if that is too
    /// deep for a worker's limited stack, the worker's failure says so.
    fn of_definition(&mut self, id: TypeId) -> u64 {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Record(record) => {
                self.sum(record.fields.iter().map(|field| Some(field.ty)))
            }
            TypeDefKind::Tuple(tuple) => self.sum(tuple.types.iter().map(|ty| Some(*ty))),
            TypeDefKind::Variant(variant) => self.sum(variant.cases.iter().map(|case| case.ty)),
            TypeDefKind::Enum(cases) => length(cases.cases.len()),
            TypeDefKind::Flags(flags) => length(flags.flags.len()),
            TypeDefKind::Result(result) => self.sum([result.ok, result.err].into_iter()),
            TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => self.of(*ty),
            TypeDefKind::FixedLengthList(ty, length) => {
                self.of(*ty).saturating_mul(u64::from(*length))
            }
            TypeDefKind::Map(key, value) => self.sum([Some(*key), Some(*value)].into_iter()),
            TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => self.sum([*ty].into_iter()),
            // A handle is a number, whatever it refers to.
            TypeDefKind::Resource | TypeDefKind::Handle(_) | TypeDefKind::Unknown => 0,
        }
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{WitFile, built_in_versions, resolve};
    use super::*;

    #[track_caller]
    fn check(body: &str, expect: Result<(), &str>) {
        let text = format!("package a:b;\ninterface i {{\n{body}\n}}\nworld w {{ export i; }}\n");
        let (path, origin) = ("w.wit".to_owned(), "wit/w.wit".to_owned());
        let resolved = resolve(&[WitFile { path, text: text.into(), origin }]).unwrap();
        let found = check_size(&resolved.resolve).map_err(|error| error.to_string());
        match expect {
            Ok(()) => assert_eq!(found, Ok(())),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|text| text.contains(part)), "{found:?}");
            }
        }
    }

    /// Returns types of which each uses the one before it twice.
    fn chain(length: usize, form: impl Fn(&str) -> String) -> String {
        let mut text = "type t0 = u8;\n".to_owned();
        for number in 1..length {
            let declaration = form(&format!("t{}", number - 1));
            text += &declaration.replace("NAME", &format!("t{number}"));
            text.push('\n');
        }
        format!("{text}f: func(x: t{}) -> u8;", length - 1)
    }

    #[test]
    fn types_that_double_are_refused_in_every_form() {
        for form in [
            "record NAME { a: OLD, b: OLD }",
            "type NAME = tuple<OLD, OLD>;",
            "variant NAME { a(OLD), b(OLD) }",
            "type NAME = result<OLD, OLD>;",
            "type NAME = tuple<list<OLD>, option<OLD>>;",
        ] {
            let form = |old: &str| form.replace("OLD", old);
            check(&chain(10, form), Ok(()));
            check(&chain(22, form), Err("wit/w.wit:25:1: the types of function `f` unfold to"));
            check(&chain(100, form), Err("the limit is 100000"));
        }
    }

    #[test]
    fn long_lists_and_many_functions_are_counted() {
        check("f: func(x: list<u8, 100000000>);", Err("unfold to 100000001"));
        // Each function is below the limit for one, but 40 of them are above the limit for all.
        let chain = chain(16, |old| format!("record NAME {{ a: {old}, b: {old} }}"));
        let more = |count| (0..count).map(|n| format!("\ng{n}: func(x: t15);")).collect::<String>();
        check(&(chain.clone() + &more(10)), Ok(()));
        check(&(chain + &more(40)), Err("the types of all functions up to `g"));
    }

    #[test]
    fn a_handle_is_small() {
        check("resource r { m: func() -> list<r>; }\nf: func(r: borrow<r>) -> own<r>;", Ok(()));
    }

    #[test]
    fn wasi_stays_far_below() {
        assert!(!built_in_versions("wasi", "http").is_empty());
        let text = "package a:b;\nworld w { include wasi:http/proxy@0.2.4; }";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("w.wit"), text).unwrap();
        let request = super::super::Request {
            root: folder.path().to_owned(),
            wit: Some("w.wit".into()),
            ..Default::default()
        };
        let store = folder.path().join("store");
        let store = cache::ContentStore::open(&store, cache::DigestFunction::Blake3).unwrap();
        let completed = super::super::complete(&request, &store).unwrap();
        let resolved = resolve(&completed.files).unwrap().resolve;
        let mut sizes = Sizes { resolve: &resolved, known: HashMap::new() };
        let functions = resolved.interfaces.iter().flat_map(|(_, i)| i.functions.values());
        let largest = functions.map(|function| sizes.of_function(function)).max().unwrap();
        assert!((2..500).contains(&largest), "{largest}");
    }
}
