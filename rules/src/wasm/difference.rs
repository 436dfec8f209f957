//! Finds where two WebAssembly binaries differ, and names the parts that do.
//!
//! It compares bytes part by part, and does not judge whether a difference matters.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use wasmparser::{DataKind, Name, NameSectionReader, Operator, Parser, Payload};

/// A part of a binary that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the part, such as `core module 0, data segment 2`.
    pub place: String,
    /// The way in which the part differs.
    pub change: Change,
}

/// The way in which a part differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the first binary has the part, which has this size in bytes.
    Missing(usize),
    /// Only the second binary has the part, which has this size in bytes.
    Added(usize),
    /// Both binaries have the part, but with different bytes.
    Bytes {
        /// The sizes of the part in bytes, in the first and in the second binary.
        sizes: (usize, usize),
        /// The offset of the first byte that differs, counted from the start of the part.
        at: usize,
        /// The same offset, counted from the start of the first file.
        in_file: usize,
        /// The address of that byte in a running program's memory. Only data segments with a fixed place have
        /// one.
        address: Option<u64>,
        /// The first bytes from there on, of the first and of the second binary.
        bytes: (Vec<u8>, Vec<u8>),
        /// The number of bytes that differ, within the length that both have.
        count: usize,
    },
}

impl Difference {
    /// Returns whether the difference is in data or in a custom section. Code often differs only because it
    /// refers to data.
    pub fn is_content(&self) -> bool {
        self.place.contains("data segment") || self.place.contains("custom section")
    }
}

/// The maximum number of bytes that are shown of each binary.
const SHOWN: usize = 16;

/// Returns the differences between two binaries, in the order of the first. A binary that can't be parsed is
/// compared as a single part.
pub fn differences(one: &[u8], other: &[u8]) -> Vec<Difference> {
    if one == other {
        return Vec::new();
    }
    let (parts, others) = match (parts(one), parts(other)) {
        (Ok(parts), Ok(others)) => (parts, others),
        _ => (vec![Part::whole(one)], vec![Part::whole(other)]),
    };
    let mut rest: BTreeMap<&str, &Part> =
        others.iter().map(|part| (part.place.as_str(), part)).collect();
    let mut found = Vec::new();
    for part in &parts {
        let slice = &one[part.range.clone()];
        match rest.remove(part.place.as_str()) {
            None => found.push(part.difference(Change::Missing(slice.len()))),
            Some(counterpart) => {
                let slices = (slice, &other[counterpart.range.clone()]);
                found.extend(part.compared(slices).map(|change| part.difference(change)));
            }
        }
    }
    let added = others.iter().filter(|part| rest.contains_key(part.place.as_str()));
    found.extend(added.map(|part| part.difference(Change::Added(part.range.len()))));
    if found.is_empty() {
        // The parts are the same in another order, or their sizes are encoded in another way.
        let whole = Part::whole(one);
        found.extend(whole.compared((one, other)).map(|change| whole.difference(change)));
    }
    found
}

/// A part of a binary.
struct Part {
    place: String,
    range: Range<usize>,
    address: Option<u64>,
}

impl Part {
    fn whole(bytes: &[u8]) -> Self {
        Self { place: "the file".to_owned(), range: 0..bytes.len(), address: None }
    }

    fn difference(&self, change: Change) -> Difference {
        Difference { place: self.place.clone(), change }
    }

    fn compared(&self, (one, other): (&[u8], &[u8])) -> Option<Change> {
        if one == other {
            return None;
        }
        let pairs = one.iter().zip(other);
        let shorter = one.len().min(other.len());
        let at = pairs.clone().position(|(one, other)| one != other).unwrap_or(shorter);
        let shown = |bytes: &[u8]| bytes[at..].iter().copied().take(SHOWN).collect();
        Some(Change::Bytes {
            sizes: (one.len(), other.len()),
            at,
            in_file: self.range.start + at,
            address: self.address.map(|address| address + at as u64),
            bytes: (shown(one), shown(other)),
            count: pairs.filter(|(one, other)| one != other).count(),
        })
    }
}

/// A module or component that is being read.
#[derive(Default)]
struct Level {
    /// The text that is put before the names of its parts.
    prefix: String,
    /// The number of parts of each kind so far.
    counts: BTreeMap<String, usize>,
    /// The index of its first part in the list of all parts.
    first: usize,
    /// The number of functions that it imports. They come first in the numbering of functions.
    imported: u32,
    functions: u32,
    names: BTreeMap<u32, String>,
}

/// Splits a binary into parts, each with a name of its own.
fn parts(bytes: &[u8]) -> wasmparser::Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut levels = vec![Level::default()];
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        let level = levels.last_mut().expect("an end has a beginning");
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                let kind = match payload {
                    Payload::ModuleSection { .. } => "core module",
                    _ => "component",
                };
                let name = level.numbered(kind, true);
                let prefix = format!("{}{name}, ", level.prefix);
                levels.push(Level { prefix, first: parts.len(), ..Level::default() });
            }
            Payload::End(_) => {
                let level = levels.pop().expect("an end has a beginning");
                level.name_functions(&mut parts);
                if levels.is_empty() {
                    break;
                }
            }
            Payload::CustomSection(section) => {
                if let wasmparser::KnownCustom::Name(names) = section.as_known() {
                    level.names = function_names(names);
                }
                let kind = format!("custom section `{}`", section.name());
                parts.push(level.part(&kind, range(section.data_range(), bytes)));
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    level.imported += u32::from(matches!(
                        import?.ty,
                        wasmparser::TypeRef::Func(_) | wasmparser::TypeRef::FuncExact(_)
                    ));
                }
                parts.push(level.part("import section", range(section.range(), bytes)));
            }
            Payload::CodeSectionEntry(body) => {
                let number = level.imported + level.functions;
                level.functions += 1;
                parts.push(level.part(&format!("function {number}"), range(body.range(), bytes)));
            }
            Payload::DataSection(section) => {
                for (number, data) in section.clone().into_iter().enumerate() {
                    let data = data?;
                    let end = range(data.range.clone(), bytes).end;
                    let mut part =
                        level.part(&format!("data segment {number}"), end - data.data.len()..end);
                    part.address = address(&data.kind);
                    parts.push(part);
                }
            }
            Payload::CodeSectionStart { .. } | Payload::Version { .. } => {}
            other => {
                if let Some((id, section)) = other.as_section() {
                    parts.push(level.part(section_name(id, is_core(other)), range(section, bytes)));
                }
            }
        }
    }
    Ok(parts)
}

impl Level {
    fn part(&mut self, kind: &str, range: Range<usize>) -> Part {
        let name = self.numbered(kind, false);
        let place = format!("{}{name}", self.prefix);
        Part { place, range, address: None }
    }

    /// Returns the name of the next part of a kind. The first part gets a number only if `always` is true.
    fn numbered(&mut self, kind: &str, always: bool) -> String {
        let count = self.counts.entry(kind.to_owned()).or_default();
        let number = *count;
        *count += 1;
        match (number, always) {
            (0, false) => kind.to_owned(),
            _ => format!("{kind} {number}"),
        }
    }

    /// Adds the functions' own names to the names of their parts. This is done at the end, because the name
    /// section comes last.
    fn name_functions(&self, parts: &mut [Part]) {
        let prefix = format!("{}function ", self.prefix);
        for part in &mut parts[self.first..] {
            let number = part.place.strip_prefix(&prefix).and_then(|number| number.parse().ok());
            if let Some(name) = number.and_then(|number: u32| self.names.get(&number)) {
                part.place = format!("{} `{name}`", part.place);
            }
        }
    }
}

fn function_names(names: NameSectionReader<'_>) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for name in names.into_iter().flatten() {
        if let Name::Function(functions) = name {
            let functions = functions.into_iter().flatten();
            found.extend(functions.map(|name| (name.index, name.name.to_owned())));
        }
    }
    found
}

/// Returns the address of an active data segment, if it is a constant.
fn address(kind: &DataKind<'_>) -> Option<u64> {
    let DataKind::Active { offset_expr, .. } = kind else { return None };
    match offset_expr.get_operators_reader().read().ok()? {
        Operator::I32Const { value } => Some(u64::from(value as u32)),
        Operator::I64Const { value } => Some(value as u64),
        _ => None,
    }
}

/// Returns whether a section belongs to a core module.
fn is_core(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::TypeSection(_)
            | Payload::FunctionSection(_)
            | Payload::TableSection(_)
            | Payload::MemorySection(_)
            | Payload::TagSection(_)
            | Payload::GlobalSection(_)
            | Payload::ExportSection(_)
            | Payload::StartSection { .. }
            | Payload::ElementSection(_)
            | Payload::DataCountSection { .. }
    )
}

/// Returns the name of a section by its id, in the binary format of core modules or of components.
fn section_name(id: u8, is_core: bool) -> &'static str {
    const CORE: [&str; 14] = [
        "custom section",
        "type section",
        "import section",
        "function section",
        "table section",
        "memory section",
        "global section",
        "export section",
        "start section",
        "element section",
        "code section",
        "data section",
        "data count section",
        "tag section",
    ];
    const COMPONENT: [&str; 12] = [
        "custom section",
        "core module section",
        "core instance section",
        "core type section",
        "component section",
        "instance section",
        "alias section",
        "type section",
        "canonical function section",
        "start section",
        "import section",
        "export section",
    ];
    let names: &[&str] = if is_core { &CORE } else { &COMPONENT };
    names.get(usize::from(id)).copied().unwrap_or("unknown section")
}

fn range(range: Range<u64>, bytes: &[u8]) -> Range<usize> {
    let within = |end: u64| usize::try_from(end).map_or(bytes.len(), |end| end.min(bytes.len()));
    within(range.start)..within(range.end)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match &self.change {
            Change::Missing(size) => write!(f, "only in the first ({size} bytes)"),
            Change::Added(size) => write!(f, "only in the second ({size} bytes)"),
            Change::Bytes { sizes, at, in_file, address, bytes, count } => {
                match sizes {
                    (one, other) if one == other => write!(f, "{count} of {one} bytes differ")?,
                    (one, other) => write!(f, "{one} bytes, then {other}")?,
                }
                write!(f, ", first at {at} (file offset {in_file:#x}")?;
                if let Some(address) = address {
                    write!(f, ", memory {address:#x}")?;
                }
                write!(f, "): {} / {}", Hex(&bytes.0), Hex(&bytes.1))
            }
        }
    }
}

/// Shows bytes as text if they are printable ASCII, and else in hexadecimal.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the end");
        }
        let is_text = self.0.iter().all(|byte| matches!(byte, b' '..=b'~'));
        match std::str::from_utf8(self.0) {
            Ok(text) if is_text => write!(f, "{text:?}"),
            _ => self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(one: &str, other: &str) -> Vec<String> {
        let [one, other] = [one, other].map(|text| wat::parse_str(text).unwrap());
        differences(&one, &other).iter().map(ToString::to_string).collect()
    }

    const MODULE: &str = r#"(module $m
        (import "a" "b" (func))
        (memory 1)
        (func $first (result i32) i32.const 1)
        (func $second (result i32) i32.const 2)
        (data (i32.const 0x1000) "time: 12:00:01")
        (data (i32.const 0x2000) "other"))"#;

    #[test]
    fn the_same_has_no_difference() {
        assert_eq!(shown(MODULE, MODULE), Vec::<String>::new());
    }

    #[test]
    fn data_is_told_with_its_place_in_memory() {
        assert_eq!(
            shown(MODULE, &MODULE.replace("12:00:01", "13:07:01")),
            [
                "data segment 0: 2 of 14 bytes differ, first at 7 (file offset 0x42, memory 0x1007): \
              \"2:00:01\" / \"3:07:01\""
            ]
        );
    }

    #[test]
    fn functions_have_their_names() {
        let differ = shown(MODULE, &MODULE.replace("i32.const 2)", "i32.const 3)"));
        assert_eq!(differ.len(), 1, "{differ:?}");
        assert!(differ[0].starts_with("function 2 `second`: 1 of 4 bytes differ, first at 2 "));
    }

    #[test]
    fn parts_of_nested_modules_and_missing_ones() {
        let nested =
            |inner: &str| format!("(component (core module (func)) (core {}", &inner[1..]) + ")";
        let differ = shown(&nested(MODULE), &nested(&MODULE.replace("other", "othe2")));
        assert_eq!(differ.len(), 1, "{differ:?}");
        assert!(differ[0].starts_with("core module 1, data segment 1: 1 of 5 bytes"), "{differ:?}");
        let differ =
            shown("(module (@custom \"a\" \"1\"))", "(module (@custom \"b\" \"1\") (memory 1))");
        assert_eq!(
            differ,
            [
                "custom section `a`: only in the first (1 bytes)",
                "memory section: only in the second (3 bytes)",
                "custom section `b`: only in the second (1 bytes)",
            ]
        );
    }

    #[test]
    fn what_can_not_be_read_is_compared_as_it_is() {
        let differ = differences(b"not wasm", b"not wasn either");
        assert_eq!(differ.len(), 1);
        assert_eq!(
            differ[0].to_string(),
            "the file: 8 bytes, then 15, first at 7 (file offset 0x7): \"m\" / \"n either\""
        );
    }
}
