//! Holds what the caller knows about a build: plain data, of which statements and bills of materials are made.
//!
//! A statement is checked against the files of the release when it is made, so that nobody signs one that does not
//! describe them, and against publishing a secret.

use std::collections::BTreeMap;

use semver::Version;

use crate::archive::Files;
use crate::digest::{Algorithm, DigestError, Digests};
use crate::purl::Purl;
use crate::statement::{
    Annotations, BUILD_TYPE, BuildDefinition, Builder, Dependency, ExternalParameters,
    InternalParameters, Predicate, Role, RunDetails, Sandbox, Sources, Statement, Subject,
};
use crate::text::printable;

/// A build of a release.
#[derive(Clone, Debug)]
pub struct Build {
    /// The name of the project.
    pub project: String,
    /// The version of the release.
    pub version: Version,
    /// The optimisation that was chosen: `debug` or `release`.
    pub opt_level: String,
    /// The commit of the sources, if the project is in a repository.
    pub source: Option<Source>,
    /// The key of the last action of each component, by the component's name.
    pub action_keys: BTreeMap<String, String>,
    /// The platform of the toolchains, such as `x86_64-linux`.
    pub platform: String,
    /// The number of times that the components were built anew, as on other machines, and gave the same bytes.
    pub rebuilds: u32,
    /// The sandbox that separated the actions.
    pub sandbox: Sandbox,
    /// The packages of all components. One that several components use may stand there several times.
    pub packages: Vec<Package>,
    /// The machine or service that has built.
    pub builder: Builder,
}

/// The commit of the sources.
#[derive(Clone, Debug)]
pub struct Source {
    /// The address of the repository, such as `git+https://git.example/shop`.
    pub repository: String,
    /// The name of the commit.
    pub commit: String,
    /// True if the sources were those of the commit.
    pub is_clean: bool,
}

/// A package that went into a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its package URL.
    pub purl: Purl,
    /// Its name, as people know it.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// The digests of what was fetched.
    pub digests: Digests,
    /// Its licence, as the package states it: an SPDX expression if it is one.
    pub licence: Option<String>,
    /// Its part in the build: neither [`Role::File`] nor [`Role::Source`].
    pub role: Role,
    /// The packages that it needs itself, as far as they are known.
    pub depends_on: Vec<Purl>,
}

/// The reason why a build can't be stated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name of the commit is no digest.
    #[error("the commit of `{repository}` can't be stated")]
    Commit {
        /// The address of the repository.
        repository: String,
        /// The reason.
        source: DigestError,
    },
    /// The address of the repository may contain a password or a token.
    #[error(
        "the address of the repository has a user name or a password, which would be published: leave it out"
    )]
    Credentials,
    /// A package has different digests or another role in two components.
    #[error("`{0}` is stated twice, with different digests or roles")]
    Conflict(Purl),
    /// A package has a role that only files and commits have.
    #[error("`{0}` is a package and has the role of a file or a commit")]
    Role(Purl),
    /// The components of the release are not those with an action key.
    #[error(
        "the release has the components {files}, and the build has those with the names {build}"
    )]
    Components {
        /// The names in the release.
        files: String,
        /// The names in the build.
        build: String,
    },
}

impl Build {
    /// Returns the statement that the build made these files.
    ///
    /// # Errors
    /// The build contradicts itself or the files, or would publish a secret.
    pub fn statement(&self, files: &Files) -> Result<Statement, BuildError> {
        let names = files.components();
        if !names.iter().eq(self.action_keys.keys()) {
            let list = |names: Vec<&str>| format!("`{}`", names.join("`, `"));
            return Err(BuildError::Components {
                files: list(names.iter().map(String::as_str).collect()),
                build: list(self.action_keys.keys().map(String::as_str).collect()),
            });
        }
        let mut dependencies = files.dependencies();
        dependencies.extend(self.commit()?);
        dependencies.extend(self.materials()?);
        let definition = BuildDefinition {
            build_type: BUILD_TYPE.to_owned(),
            external_parameters: ExternalParameters {
                components: names,
                opt_level: self.opt_level.clone(),
                project: self.project.clone(),
                source: self.source.as_ref().map(|source| source.repository.clone()),
                version: self.version.clone(),
            },
            internal_parameters: InternalParameters {
                action_keys: self.action_keys.clone(),
                platform: self.platform.clone(),
                rebuilds: self.rebuilds,
                sandbox: self.sandbox,
                sources: self.sources(),
            },
            resolved_dependencies: dependencies,
        };
        let run_details = RunDetails { builder: self.builder.clone(), metadata: None };
        let predicate = Predicate { build_definition: definition, run_details };
        Ok(Statement::new(files.subjects(), predicate))
    }

    /// Returns the statement about something else that is made of the same build, such as the manifest of a
    /// component in a registry.
    ///
    /// # Errors
    /// Those of [`statement`](Self::statement).
    pub fn statement_about(
        &self,
        subject: Vec<Subject>,
        files: &Files,
    ) -> Result<Statement, BuildError> {
        let statement = self.statement(files)?;
        Ok(Statement::new(subject, statement.predicate))
    }

    fn sources(&self) -> Sources {
        match &self.source {
            None => Sources::Untracked,
            Some(source) if source.is_clean => Sources::Clean,
            Some(_) => Sources::Dirty,
        }
    }

    fn commit(&self) -> Result<Option<Dependency>, BuildError> {
        let Some(source) = &self.source else { return Ok(None) };
        if has_credentials(&source.repository) {
            return Err(BuildError::Credentials);
        }
        let digest = Digests::new([(Algorithm::GitCommit, source.commit.clone())]);
        let digest = digest.map_err(|error| BuildError::Commit {
            repository: printable(&source.repository, 200),
            source: error,
        })?;
        let annotations = Annotations { role: Role::Source };
        let uri = Some(source.repository.clone());
        Ok(Some(Dependency { name: None, uri, digest, annotations }))
    }

    fn materials(&self) -> Result<Vec<Dependency>, BuildError> {
        let mut found = BTreeMap::new();
        for package in &self.packages {
            if matches!(package.role, Role::File | Role::Source) {
                return Err(BuildError::Role(package.purl.clone()));
            }
            let stated = (&package.digests, package.role);
            if *found.entry(&package.purl).or_insert(stated) != stated {
                return Err(BuildError::Conflict(package.purl.clone()));
            }
        }
        let dependency = |(purl, (digests, role)): (&Purl, (&Digests, Role))| Dependency {
            name: None,
            uri: Some(purl.to_string()),
            digest: digests.clone(),
            annotations: Annotations { role },
        };
        Ok(found.into_iter().map(dependency).collect())
    }
}

/// Returns true if an address has a password or a query, or a user name where that is often a token.
fn has_credentials(address: &str) -> bool {
    if address.contains('?') {
        return true;
    }
    let Some((scheme, rest)) = address.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        None => false,
        // `git@` is the user of every repository that is reached by SSH.
        Some((user, _)) => !scheme.ends_with("ssh") || user.contains(':'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_credentials_is_found() {
        for (address, expect) in [
            ("git+https://git.example/shop", false),
            ("git+https://git.example/shop@2", false),
            ("git+ssh://git@git.example/shop", false),
            ("git+ssh://git:secret@git.example/shop", true),
            ("git+https://token@git.example/shop", true),
            ("https://user:password@git.example", true),
            ("git+https://git.example/shop?access_token=secret", true),
            ("file:shop", false),
        ] {
            assert_eq!(has_credentials(address), expect, "{address}");
        }
    }
}
