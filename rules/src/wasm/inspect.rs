//! Finds out what a `.wasm` file is, whether it is valid, and what it imports and exports.
//!
//! It looks at the bytes alone, without a world.

use std::ops::Range;

use rayon::prelude::*;
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, ValidPayload,
    Validator, ValidatorResources,
};

/// The two kinds of WebAssembly binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A core module.
    Module,
    /// A component.
    Component,
}

/// The error for bytes that are not a valid WebAssembly binary.
#[derive(Debug, thiserror::Error)]
pub enum InvalidWasm {
    /// The file does not begin like a WebAssembly binary.
    #[error("not a WebAssembly binary")]
    Foreign,
    /// The contents violate the specification.
    #[error("not valid WebAssembly")]
    Malformed(#[from] wasmparser::BinaryReaderError),
}

/// The names that a component imports and exports, in the component's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externs {
    /// The imports, such as `wasi:cli/stdout@0.2.6`.
    pub imports: Vec<String>,
    /// The exports, such as `wasi:http/incoming-handler@0.2.6`.
    pub exports: Vec<String>,
}

impl Kind {
    /// Returns the kind of a binary by its first eight bytes.
    pub fn of(bytes: &[u8]) -> Result<Self, InvalidWasm> {
        if Parser::is_component(bytes) {
            Ok(Self::Component)
        } else if Parser::is_core_wasm(bytes) {
            Ok(Self::Module)
        } else {
            Err(InvalidWasm::Foreign)
        }
    }
}

/// Checks the whole binary against the specification, its functions in parallel. If several functions have
/// errors, the error of the first one is returned.
pub fn validate(bytes: &[u8]) -> Result<Kind, InvalidWasm> {
    let kind = Kind::of(bytes)?;
    let mut validator = Validator::new();
    let mut functions = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload?)? {
            functions.push((function, body));
        }
    }
    let check = |allocations: &mut FuncValidatorAllocations, (function, body): Function<'_>| {
        let mut validator = function.into_validator(std::mem::take(allocations));
        let checked = validator.validate(&body);
        *allocations = validator.into_allocations();
        checked.err()
    };
    let errors = functions.into_par_iter().map_init(FuncValidatorAllocations::default, check);
    errors.find_map_first(|error| error).map_or(Ok(kind), |error| Err(error.into()))
}

type Function<'a> = (FuncToValidate<ValidatorResources>, FunctionBody<'a>);

/// Returns the imports and exports of the component itself, without those of components and modules nested in
/// it.
pub fn externs(component: &[u8]) -> Result<Externs, InvalidWasm> {
    let mut externs = Externs::default();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    externs.imports.push(import?.name.full_name().into_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    externs.exports.push(export?.name.full_name().into_owned());
                }
            }
            _ => {}
        }
    }
    Ok(externs)
}

/// Returns the bytes in a range that a parser has given, or `None` if the range ends after the end of the
/// file.
pub(super) fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> Option<&'a [u8]> {
    let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
    bytes.get(range)
}

/// Returns an error with its causes, in one line.
pub(super) fn with_causes(error: impl std::fmt::Display) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outermost_names_count() {
        let component = wat::parse_str(
            r#"(component
                (import "a:b/in@1.0.0" (instance $in))
                (component (import "inner" (func)) (export "inner-too" (func 0)))
                (core module (import "core" "core" (func)))
                (export "a:b/out@1.0.0" (instance $in)))"#,
        )
        .unwrap();
        validate(&component).unwrap();
        let externs = externs(&component).unwrap();
        assert_eq!(externs.imports, ["a:b/in@1.0.0"]);
        assert_eq!(externs.exports, ["a:b/out@1.0.0"]);
    }

    #[test]
    fn kinds() {
        #[track_caller]
        fn check(bytes: &[u8], expect: Result<Kind, &str>) {
            assert_eq!(
                validate(bytes).map_err(|error| error.to_string()),
                expect.map_err(str::to_owned)
            );
        }
        check(&wat::parse_str("(module)").unwrap(), Ok(Kind::Module));
        check(&wat::parse_str("(component)").unwrap(), Ok(Kind::Component));
        check(b"", Err("not a WebAssembly binary"));
        check(b"#!/bin/sh", Err("not a WebAssembly binary"));
        check(b"\0asm\x01\0\0\0\xff", Err("not valid WebAssembly"));
    }

    #[test]
    fn every_function_is_checked() {
        for (bodies, right) in [("(func) (func)", true), ("(func) (func i32.add)", false)] {
            for text in
                [format!("(module {bodies})"), format!("(component (core module {bodies}))")]
            {
                assert_eq!(validate(&wat::parse_str(&text).unwrap()).is_ok(), right, "{text}");
            }
        }
    }
}
