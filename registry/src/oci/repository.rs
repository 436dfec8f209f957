//! The registry and its repositories, one for each package: their names, URLs and scopes.

use std::sync::Arc;

use reqwest::Url;
use semver::Version;

use crate::failure::Error;
use crate::http::join;
use crate::package::{PackageId, tag};
use crate::session::{Scope, Session};

/// An OCI registry.
pub(crate) struct Oci {
    pub(crate) session: Arc<Session>,
    pub(crate) base: Url,
    /// The text before the namespace in the names of repositories.
    pub(crate) prefix: String,
}

/// The repository of a package.
pub(super) struct Repository {
    pub(super) name: String,
    /// Its URL, to which the kind of request is appended.
    url: Url,
}

impl Oci {
    pub(super) fn repository(&self, package: &PackageId) -> Repository {
        let name = format!("{}{}/{}", self.prefix, package.namespace(), package.name());
        let mut parts = vec!["v2"];
        parts.extend(name.split('/'));
        let url = join(&self.base, &parts);
        Repository { name, url }
    }

    /// Returns the address of a version, as clients of OCI registries write it.
    pub(super) fn reference(&self, repository: &Repository, version: &Version) -> String {
        format!("{}/{}:{}", crate::address::host(&self.base), repository.name, tag(version))
    }
}

impl Repository {
    pub(super) fn at(&self, parts: &[&str]) -> Url {
        join(&self.url, parts)
    }

    /// Returns the scope of requests that read.
    pub(super) fn pull(&self) -> Scope {
        Scope(format!("repository:{}:pull", self.name))
    }

    /// Returns the scope of requests that write.
    pub(super) fn push(&self) -> Scope {
        Scope(format!("repository:{}:pull,push", self.name))
    }

    /// Checks that a version can be a tag.
    pub(super) fn tag(&self, version: &Version) -> Result<String, Error> {
        let tag = tag(version);
        if tag.len() > 128 {
            let reason =
                format!("the version {version} is longer than a tag can be (128 characters)");
            return Err(Error::NotWasm { address: self.name.clone(), reason });
        }
        Ok(tag)
    }
}
