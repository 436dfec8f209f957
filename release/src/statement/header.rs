//! Reads what the in-toto statements of all tools have in common.
//!
//! It serves two ends: a statement of another kind is called so instead of malformed, and a bundle that cosign made
//! about a file can be checked although its predicate is not ours.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::STATEMENT;
use super::check::{StatementError, expect};
use crate::digest::Sha256;
use crate::json;

/// The type that older tools write.
const STATEMENT_0_1: &str = "https://in-toto.io/Statement/v0.1";

/// The fields that the statements of all tools have. Others are passed over.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<AnySubject>,
    predicate_type: String,
}

#[derive(Clone, Debug, Deserialize)]
struct AnySubject {
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

impl Header {
    /// Reads the JSON of a statement of any tool.
    ///
    /// # Errors
    /// It is no in-toto Statement of version 0.1 or 1.
    pub fn read(json: &[u8]) -> Result<Self, StatementError> {
        let header: Self = json::read(json)?;
        header.check(&[STATEMENT, STATEMENT_0_1])?;
        Ok(header)
    }

    /// Checks that the statement is of one of these types and about something.
    pub(super) fn check(&self, kinds: &[&str]) -> Result<(), StatementError> {
        if !kinds.contains(&self.kind.as_str()) {
            expect("_type", &self.kind, STATEMENT)?;
        }
        if self.subject.is_empty() { Err(StatementError::NoSubject) } else { Ok(()) }
    }

    /// Returns the type of the predicate.
    #[must_use]
    pub fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Returns true if the statement is about the bytes with this digest.
    #[must_use]
    pub fn is_about(&self, digest: &Sha256) -> bool {
        let digest = digest.hex();
        self.subject.iter().any(|subject| subject.digest.get("sha256") == Some(&digest))
    }
}
