//! Reads `[release]`: what a release has to prove, and the keys that may vouch for one.
//!
//! The section is the policy of whoever checks releases in this project, and says nothing about the releases that this
//! project makes. Requirements, days and keys are checked where releases are understood, which is not here: so each
//! keeps its place in the file for the message.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::keys::Section;
use super::span::{Span, Spanned};
use super::table::{self, Findings, Reader, Value};
use crate::path::ProjectPath;

/// The policy about releases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// What a release has to prove, each as it is written.
    pub require: Vec<Spanned<String>>,
    /// The keys that may vouch for a release.
    pub keys: Vec<ReleaseKey>,
}

/// A key that may vouch for a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseKey {
    /// The name of the key in messages, which no other key has.
    pub name: Spanned<String>,
    /// The file with the public key.
    pub key: Spanned<ProjectPath>,
    /// The last day on which it counts, as it is written.
    pub expires: Option<Spanned<String>>,
    /// The one builder as which it may speak.
    pub builder: Option<Spanned<String>>,
}

/// The keys of `[[release.keys]]`.
pub(super) const KEY: &[&str] = &["name", "key", "expires", "builder"];

/// Reads `[release]`.
pub(super) fn read(table: &DeTable<'_>, span: Span, findings: &mut Findings) -> Release {
    let keys = table.get("keys").map(|value| read_keys(value, findings)).unwrap_or_default();
    let heading = "`[release]`".to_owned();
    let mut reader = Reader::new(heading, span, table, Section::Release.keys(), findings);
    Release { require: reader.list_of("require", |text| not_empty("requirement", text)), keys }
}

fn read_keys(value: &Value<'_>, findings: &mut Findings) -> Vec<ReleaseKey> {
    let DeValue::Array(array) = value.get_ref() else {
        let finding = table::wrong_type("`keys` in `[release]`", value, "an array of tables");
        findings.push(finding.help("write `[[release.keys]]`, once for each key"));
        return Vec::new();
    };
    let read = |item: &Value<'_>| match item.get_ref() {
        DeValue::Table(table) => read_key(table, item.span().into(), findings),
        _ => {
            let finding = table::wrong_type("a key of `[release]`", item, "a table");
            findings.push(finding.help("write `[[release.keys]]`, once for each key"));
            None
        }
    };
    let keys: Vec<ReleaseKey> = array.iter().filter_map(read).collect();
    refuse_twins(&keys, findings);
    keys
}

fn read_key(table: &DeTable<'_>, span: Span, findings: &mut Findings) -> Option<ReleaseKey> {
    let mut reader = Reader::new("`[[release.keys]]`".to_owned(), span, table, KEY, findings);
    let name = match reader.text("name") {
        Some(name) => {
            let Spanned { value, span } = name;
            reader.check(span, not_empty("name", &value))
        }
        None => {
            if reader.key("name").is_none() {
                let finding = Diagnostic::error(span, "`[[release.keys]]` has no `name`")
                    .label("expected a `name`, such as `name = \"ci\"`");
                reader.report_missing(&["name"], finding);
            }
            None
        }
    };
    let key = reader.required::<ProjectPath>("key", "keys/ci.pub");
    let expires = reader.text("expires");
    let builder = reader.text("builder");
    Some(ReleaseKey { name: name?, key: key?, expires, builder })
}

fn not_empty(what: &str, text: &str) -> Result<String, Invalid> {
    if text.trim().is_empty() { Err(Invalid::empty(what)) } else { Ok(text.to_owned()) }
}

/// Reports keys that have the name of an earlier one: messages tell keys apart by their names.
fn refuse_twins(keys: &[ReleaseKey], findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for key in keys {
        if seen.insert(key.name.value.as_str(), ()).is_some() {
            let message = format!("there are two keys with the name `{}`", key.name.value);
            let finding = Diagnostic::error(key.name.span, message);
            findings.push(finding.label("expected a name that no other key has"));
        }
    }
}
