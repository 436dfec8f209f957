//! Checks what a statement must be beyond its keys and types: about something, without contradiction, and readable.
//!
//! The texts of a statement end up in terminals and in file names, so none of them has invisible characters.

use std::collections::BTreeSet;

use super::{BUILD_TYPE, Dependency, Role, Sources, Statement};
use crate::digest::Algorithm;
use crate::json::JsonError;
use crate::purl::Purl;
use crate::text::{is_plain, printable};

/// The reason why a statement is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The text is not the JSON of such a statement.
    #[error("the statement can't be read")]
    Json(#[from] JsonError),
    /// It is of another type.
    #[error("the {what} of the statement is `{found}`, not `{expected}`")]
    Type {
        /// The field.
        what: &'static str,
        /// The text that it has.
        found: String,
        /// The text that it should have.
        expected: &'static str,
    },
    /// It is about nothing.
    #[error("the statement has no subject")]
    NoSubject,
    /// A subject has no SHA-256.
    #[error("the subject `{0}` of the statement has no SHA-256")]
    NoDigest(String),
    /// Two things have the same name.
    #[error("the statement names `{0}` twice")]
    Twice(String),
    /// A text has characters that are not shown, or is empty.
    #[error("the {what} `{text}` of the statement is empty or has invisible characters")]
    Text {
        /// The field.
        what: &'static str,
        /// The text that it has.
        text: String,
    },
    /// The source, its commit and the state of the sources contradict each other.
    #[error(
        "the statement contradicts itself about the repository of the sources, its commit, and whether there is one"
    )]
    Source,
    /// A dependency does not fit its role.
    #[error(
        "the dependency `{0}` of the statement has a role that does not fit its name, address or digest"
    )]
    Role(String),
}

impl Statement {
    /// Checks everything that the types leave open.
    pub(super) fn check(&self) -> Result<(), StatementError> {
        let definition = &self.predicate.build_definition;
        expect("buildType", &definition.build_type, BUILD_TYPE)?;
        if self.subject.is_empty() {
            return Err(StatementError::NoSubject);
        }
        let mut names = BTreeSet::new();
        for subject in &self.subject {
            plain("subject", &subject.name)?;
            subject
                .digest
                .sha256()
                .ok_or_else(|| StatementError::NoDigest(subject.name.clone()))?;
            once(&mut names, &subject.name)?;
        }
        let mut addresses = BTreeSet::new();
        for dependency in &definition.resolved_dependencies {
            dependency.check()?;
            let seen = if dependency.name.is_some() { &mut names } else { &mut addresses };
            once(seen, dependency.shown())?;
        }
        self.check_source()?;
        self.check_texts()
    }

    /// Checks that there is one commit if the sources are those of a repository, and none if not.
    fn check_source(&self) -> Result<(), StatementError> {
        let definition = &self.predicate.build_definition;
        let dependencies = definition.resolved_dependencies.iter();
        let commits = dependencies.filter(|there| there.annotations.role == Role::Source);
        let found: Vec<_> = commits.filter_map(|commit| commit.uri.as_deref()).collect();
        let stated = definition.external_parameters.source.as_deref();
        let is_tracked = definition.internal_parameters.sources != Sources::Untracked;
        if found == Vec::from_iter(stated) && stated.is_some() == is_tracked {
            return Ok(());
        }
        Err(StatementError::Source)
    }

    fn check_texts(&self) -> Result<(), StatementError> {
        let definition = &self.predicate.build_definition;
        let (external, internal) =
            (&definition.external_parameters, &definition.internal_parameters);
        plain("project", &external.project)?;
        plain("optLevel", &external.opt_level)?;
        plain("platform", &internal.platform)?;
        let builder = &self.predicate.run_details.builder;
        plain("builder.id", &builder.id)?;
        external.source.iter().try_for_each(|uri| plain("source", uri))?;
        external.components.iter().try_for_each(|name| plain("component", name))?;
        let pairs = internal.action_keys.iter().chain(&builder.version);
        for text in pairs.flat_map(|(name, value)| [name, value]) {
            plain("parameter", text)?;
        }
        let metadata = self.predicate.run_details.metadata.iter();
        let texts = metadata.flat_map(|metadata| {
            [&metadata.invocation_id, &metadata.started_on, &metadata.finished_on]
        });
        texts.flatten().try_for_each(|text| plain("metadata", text))
    }
}

impl Dependency {
    fn check(&self) -> Result<(), StatementError> {
        plain("dependency", self.shown())?;
        let uri = self.uri.as_deref();
        let fits = match self.annotations.role {
            Role::File => self.name.is_some() && uri.is_none() && self.digest.sha256().is_some(),
            Role::Source => {
                let is_commit = |(kind, _)| kind == Algorithm::GitCommit;
                self.name.is_none() && uri.is_some() && self.digest.iter().any(is_commit)
            }
            Role::Tool | Role::Runtime | Role::Library | Role::Wit => {
                let is_package = uri.is_some_and(|uri| uri.parse::<Purl>().is_ok());
                self.name.is_none() && is_package
            }
        };
        if fits { Ok(()) } else { Err(StatementError::Role(printable(self.shown(), 200))) }
    }
}

/// Checks that a field says what it should.
pub(super) fn expect(
    what: &'static str,
    found: &str,
    expected: &'static str,
) -> Result<(), StatementError> {
    if found == expected {
        return Ok(());
    }
    Err(StatementError::Type { what, found: printable(found, 120), expected })
}

fn plain(what: &'static str, text: &str) -> Result<(), StatementError> {
    if is_plain(text) {
        return Ok(());
    }
    Err(StatementError::Text { what, text: printable(text, 80) })
}

fn once<'a>(seen: &mut BTreeSet<&'a str>, name: &'a str) -> Result<(), StatementError> {
    if seen.insert(name) { Ok(()) } else { Err(StatementError::Twice(printable(name, 200))) }
}
