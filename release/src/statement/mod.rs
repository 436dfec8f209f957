//! Defines what is signed: an in-toto Statement, version 1, whose predicate is SLSA provenance, version 1.
//!
//! - [`Statement`] is the kind that releases have. Its predicate is ours in every detail: unknown keys are errors,
//!   because a policy decides on these fields, and SLSA wants a verifier to refuse external parameters that it does
//!   not know. [`Build`](crate::Build) makes one.
//! - [`Header`] is what the statements of all tools have in common, whatever their predicate.
//!
//! Specifications: [statement](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md),
//! [provenance](https://slsa.dev/spec/v1.1/provenance). Structs have the order of the specifications, maps and lists
//! are sorted: the same claims are the same bytes.

mod check;
mod header;

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::digest::Digests;
use crate::json;

pub use check::StatementError;
pub use header::Header;

/// The type of a statement.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The type of the predicate of a [`Statement`].
pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
/// The type of a build: it says what the parameters mean. `docs/releases.md` describes them.
pub const BUILD_TYPE: &str = "urn:x-run:build:v1";

/// The provenance of a release: what was made, of what, how, and by whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The files that were made.
    pub subject: Vec<Subject>,
    predicate_type: String,
    /// The claims.
    pub predicate: Predicate,
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its path in the release, or its address.
    pub name: String,
    /// Its digests, the SHA-256 among them.
    pub digest: Digests,
}

/// The two parts of a provenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
    /// The build, which is the same whoever does it.
    pub build_definition: BuildDefinition,
    /// The run of the build.
    pub run_details: RunDetails,
}

/// A build: its parameters and everything that went into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BuildDefinition {
    /// [`BUILD_TYPE`].
    pub build_type: String,
    /// The choices of the user.
    pub external_parameters: ExternalParameters,
    /// The values that follow from these and from the machine.
    pub internal_parameters: InternalParameters,
    /// Everything that went into the build.
    pub resolved_dependencies: Vec<Dependency>,
}

/// The choices of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalParameters {
    /// The names of the components.
    pub components: BTreeSet<String>,
    /// The optimisation: `debug` or `release`.
    pub opt_level: String,
    /// The name of the project.
    pub project: String,
    /// The repository of the sources, if there is one. Its commit is among the dependencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The version of the release.
    pub version: Version,
}

/// The values that follow from the external parameters and from the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InternalParameters {
    /// The key of the last action of each component.
    pub action_keys: BTreeMap<String, String>,
    /// The platform of the toolchains, such as `x86_64-linux`.
    pub platform: String,
    /// The number of times that the components were built anew, as on other machines, and gave the same bytes.
    pub rebuilds: u32,
    /// The sandbox that separated the actions.
    pub sandbox: Sandbox,
    /// The state of the sources.
    pub sources: Sources,
}

/// A kind of sandbox, by its strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// Namespaces of Linux.
    Namespaces,
    /// The translation of paths, which holds back honest tools.
    Weak,
    /// Nothing.
    None,
}

/// The state of the sources, compared with their commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sources {
    /// They were those of the commit among the dependencies.
    Clean,
    /// There were changes that no commit has.
    Dirty,
    /// The project is in no repository.
    Untracked,
}

/// Something that went into a build: a file of the release, the commit of the sources, or a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// The path of a file in the release. It has no `uri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The package URL of a package, or the address of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Its digests.
    pub digest: Digests,
    /// The part that it had.
    pub annotations: Annotations,
}

/// Our own words about a dependency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Annotations {
    /// Its part in the build.
    pub role: Role,
}

/// The part of something in a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A file of the project that is in the release: run.toml or a lock.
    File,
    /// The commit of the sources.
    Source,
    /// A tool that ran, such as a compiler.
    Tool,
    /// A package of a toolchain that becomes a part of components, such as a standard library.
    Runtime,
    /// A package of a language's registry.
    Library,
    /// A package with interfaces of WIT.
    Wit,
}

/// A run of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDetails {
    /// The builder.
    pub builder: Builder,
    /// The time of the run, as the builder says. We write nothing here, so that the same release is the same bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// A machine or a service that builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Builder {
    /// The URI of the builder.
    pub id: String,
    /// The versions of its programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub version: BTreeMap<String, String>,
}

/// The name and the time of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<String>,
    /// Its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_on: Option<String>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_on: Option<String>,
}

impl Statement {
    /// Makes a statement, with lists in order. [`to_json`](Self::to_json) checks it.
    #[must_use]
    pub fn new(mut subject: Vec<Subject>, mut predicate: Predicate) -> Self {
        subject.sort();
        let dependencies = &mut predicate.build_definition.resolved_dependencies;
        dependencies.sort();
        dependencies.dedup();
        Self {
            kind: STATEMENT.to_owned(),
            subject,
            predicate_type: PROVENANCE.to_owned(),
            predicate,
        }
    }

    /// Returns the JSON of the statement. Equal statements give equal bytes.
    ///
    /// # Errors
    /// The statement is one that [`read`](Self::read) refuses.
    pub fn to_json(&self) -> Result<Vec<u8>, StatementError> {
        self.check()?;
        Ok(serde_json::to_vec(self).expect("texts and numbers can be written as JSON"))
    }

    /// Reads the JSON of a statement.
    ///
    /// # Errors
    /// It has a key that is unknown or stands twice, is of another type, or contradicts itself.
    pub fn read(json: &[u8]) -> Result<Self, StatementError> {
        // First the types, so that another kind of statement is called so, and not malformed.
        let header: Header = json::read(json)?;
        header.check(&[STATEMENT])?;
        check::expect("predicateType", header.predicate_type(), PROVENANCE)?;
        let statement: Self = json::read(json)?;
        statement.check()?;
        Ok(statement)
    }
}

impl Dependency {
    /// Returns the name by which the dependency is shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.name.as_deref().or(self.uri.as_deref()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
