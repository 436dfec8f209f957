//! Keeps `docs/run-toml.md` up to date: its examples are valid, its report is what is really drawn, and it
//! names every key and every word.

use super::{parse, valid};
use crate::manifest::keys::{self, Section};
use crate::manifest::{CapabilityKind, Download, Language, LogLevel, OptLevel, TargetType};

const REFERENCE: &str = include_str!("../../../../docs/run-toml.md");

/// Returns the contents of the code blocks that have a marker after their fence.
fn blocks(marker: &str) -> Vec<&'static str> {
    let fence = format!("```{marker}\n");
    REFERENCE
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().expect("is never empty"))
        .collect()
}

#[test]
fn every_example_is_valid() {
    let examples = blocks("toml");
    assert!(examples.len() > 8);
    for example in examples {
        let project = "[project]\nname = \"p\"\nversion = \"1.0.0\"\n";
        valid(&if example.contains("[project]") {
            example.to_owned()
        } else {
            format!("{project}{example}")
        });
    }
}

#[test]
fn the_report_is_what_is_drawn() {
    let (_, findings) = parse(blocks("toml,invalid")[0]);
    assert_eq!(findings.render(false), blocks("text")[0]);
}

#[test]
fn every_word_is_documented() {
    let sections = Section::ALL.into_iter().flat_map(Section::keys).copied();
    let words = sections
        .chain(keys::DEPENDENCY.iter().copied())
        .chain(CapabilityKind::ALL.map(CapabilityKind::as_str))
        .chain(Language::all().map(Language::as_str))
        .chain(OptLevel::ALL.iter().map(|level| level.as_str()))
        .chain(TargetType::ALL.iter().map(|target| target.as_str()))
        .chain(Download::ALL.iter().map(|download| download.as_str()))
        .chain(LogLevel::ALL.iter().map(|level| level.as_str()));
    for word in words {
        assert!(REFERENCE.contains(&format!("`{word}`")), "`{word}` is not documented");
    }
}
