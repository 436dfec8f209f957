//! Writes metadata into a component: name, version, authors, licence, and the tools that made it.
//!
//! Nothing about time, host or user is written. The same component and stamp give the same bytes, and
//! stamping twice gives the same bytes as stamping once. The name and the producers are written into the
//! sections of the tool conventions. The other facts are custom sections named like the OCI annotations,
//! where registries look for them.

use serde::{Deserialize, Serialize};
use wasm_encoder::{Component, CustomSection, RawSection, Section};
use wasm_metadata::{AddMetadata, AddMetadataField};
use wasmparser::{Parser, Payload};

use super::inspect::slice;

/// The metadata to write. Facts that are missing here are left as the component has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The component's name.
    pub name: Option<String>,
    /// The project's version.
    pub version: Option<String>,
    /// The project's description.
    pub description: Option<String>,
    /// The project's authors, in one line.
    pub authors: Option<String>,
    /// The licence, as an SPDX expression.
    pub licenses: Option<String>,
    /// The address of the source.
    pub source: Option<String>,
    /// The revision of the source.
    #[serde(default)]
    pub revision: Option<String>,
    /// The tools and their versions, for the field `processed-by`.
    pub processed_by: Vec<(String, String)>,
}

/// The error when a component could not be stamped.
#[derive(Debug, thiserror::Error)]
#[error("cannot write metadata: {0}")]
pub struct StampError(String);

impl Stamp {
    /// Returns the facts that have a section of their own, in the order in which they are written.
    fn sections(&self) -> Vec<(&'static str, &str)> {
        [
            ("authors", &self.authors),
            ("description", &self.description),
            ("licenses", &self.licenses),
            ("revision", &self.revision),
            ("source", &self.source),
            ("version", &self.version),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
    }
}

/// Writes `stamp` into a component.
pub fn stamp(component: &[u8], stamp: &Stamp) -> Result<Vec<u8>, StampError> {
    let mut metadata = AddMetadata::default();
    metadata.processed_by.clone_from(&stamp.processed_by);
    if let Some(name) = &stamp.name {
        metadata.name = AddMetadataField::Set(name.clone());
    }
    let named = metadata.to_wasm(component).map_err(|error| StampError(format!("{error:#}")))?;
    replace_sections(&named, &stamp.sections())
}

/// Removes the component's own custom sections of these names, and appends the new ones.
fn replace_sections(component: &[u8], sections: &[(&str, &str)]) -> Result<Vec<u8>, StampError> {
    let mut output = Component::HEADER.to_vec();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(|error| StampError(error.to_string()))?;
        let outermost = depth == 0;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        let replaced = matches!(&payload, Payload::CustomSection(section)
            if sections.iter().any(|(name, _)| *name == section.name()));
        if let (true, false, Some((id, range))) = (outermost, replaced, payload.as_section()) {
            let data = slice(component, &range).ok_or_else(|| {
                StampError("a section ends behind the end of the file".to_owned())
            })?;
            RawSection { id, data }.append_to(&mut output);
        }
    }
    for (name, value) in sections {
        let section = CustomSection { name: (*name).into(), data: value.as_bytes().into() };
        section.append_to(&mut output);
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::fixture::component;
    use crate::wasm::validate;

    fn full() -> Stamp {
        Stamp {
            name: Some("api".into()),
            version: Some("1.2.3".into()),
            description: Some("An API".into()),
            authors: Some("Ann <ann@example.com>".into()),
            licenses: Some("MIT".into()),
            source: Some("https://example.com/api".into()),
            revision: Some("0123abcd".into()),
            processed_by: vec![("run".into(), "0.1.0".into())],
        }
    }

    /// Returns the component's own custom sections, by name.
    fn sections(component: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut depth = 0;
        let mut sections = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::CustomSection(section) if depth == 0 => {
                    sections.push((section.name().to_owned(), section.data().to_owned()));
                }
                _ => {}
            }
        }
        sections
    }

    fn section(component: &[u8], name: &str) -> Vec<String> {
        let named = sections(component).into_iter().filter(|(found, _)| found == name);
        named.map(|(_, data)| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn facts_become_sections() {
        let stamped = stamp(&component("world w { export f: func(); }"), &full()).unwrap();
        validate(&stamped).unwrap();
        assert_eq!(section(&stamped, "version"), ["1.2.3"]);
        assert_eq!(section(&stamped, "description"), ["An API"]);
        assert_eq!(section(&stamped, "authors"), ["Ann <ann@example.com>"]);
        assert_eq!(section(&stamped, "licenses"), ["MIT"]);
        assert_eq!(section(&stamped, "source"), ["https://example.com/api"]);
        let (_, name) =
            sections(&stamped).into_iter().find(|(name, _)| name == "component-name").unwrap();
        assert!(name.windows(3).any(|bytes| bytes == b"api"));
        let producers = wasm_metadata::Producers::from_wasm(&stamped).unwrap().unwrap();
        let producers = producers.get("processed-by").unwrap();
        let tools: Vec<&str> = producers.iter().map(|(tool, _)| tool.as_str()).collect();
        assert_eq!(tools, ["wit-component", "run"]);
    }

    #[test]
    fn stamping_twice_is_stamping_once() {
        let once = stamp(&component("world w { export f: func(); }"), &full()).unwrap();
        assert_eq!(stamp(&once, &full()).unwrap(), once);
    }

    #[test]
    fn a_new_fact_takes_the_place_of_the_old_one() {
        let once = stamp(&component("world w { export f: func(); }"), &full()).unwrap();
        let next = Stamp { version: Some("2.0.0".into()), ..full() };
        let twice = stamp(&once, &next).unwrap();
        assert_eq!(section(&twice, "version"), ["2.0.0"]);
        assert_eq!(section(&twice, "licenses"), ["MIT"]);
        assert_eq!(twice, stamp(&component("world w { export f: func(); }"), &next).unwrap());
    }

    #[test]
    fn an_empty_stamp_keeps_what_is_there() {
        let once = stamp(&component("world w { export f: func(); }"), &full()).unwrap();
        assert_eq!(sections(&stamp(&once, &Stamp::default()).unwrap()), sections(&once));
    }

    #[test]
    fn bytes_that_are_no_component_are_refused() {
        let component = component("world w { export f: func(); }");
        for length in [0, 4, 8, 9, 100, component.len() - 1] {
            let cut = &component[..length];
            assert!(stamp(cut, &full()).is_err() || validate(cut).is_ok(), "{length}");
        }
    }
}
