//! One registry, whatever its protocol: the requests that all of them have.

use reqwest::Method;
use semver::Version;

use crate::address::Address;
use crate::artifact::{Artifact, Fetched, Found, Published, Release};
use crate::digest::Sha256;
use crate::directory::Directory;
use crate::failure::{Error, Wanted};
use crate::http::{Request, join};
use crate::oci::{Oci, Pulled};
use crate::package::PackageId;
use crate::plain::Plain;
use crate::session::Scope;

/// The client of one registry.
pub(crate) enum Registry {
    Oci(Oci),
    Plain(Plain),
    Directory(Directory),
}

impl Registry {
    /// Lists the versions of a package, the oldest first. `address` names the registry in errors.
    pub(crate) async fn versions(
        &self,
        package: &PackageId,
        address: &Address,
    ) -> Result<Vec<Release>, Error> {
        let found = match self {
            Self::Oci(oci) => oci.versions(package).await?,
            Self::Plain(plain) => plain.versions(package).await?,
            Self::Directory(directory) => directory.versions(package)?,
        };
        found.ok_or_else(|| Error::NoPackage {
            package: package.clone(),
            registry: address.to_string(),
        })
    }

    /// Fetches a version of a package.
    pub(crate) async fn fetch(
        &self,
        package: &PackageId,
        version: &Version,
        expected: Option<Sha256>,
        address: &Address,
    ) -> Result<Fetched, Error> {
        let (found, manifest) = match self {
            Self::Oci(oci) => match oci.fetch(package, version, expected).await? {
                Some(Pulled { bytes, manifest }) => (Some(bytes), Some(manifest)),
                None => (None, None),
            },
            Self::Plain(plain) => (plain.fetch(package, version).await?, None),
            Self::Directory(directory) => (directory.fetch(package, version)?, None),
        };
        let Some(bytes) = found else {
            // An unknown package is another error than an unknown version.
            let available = self.versions(package, address).await?;
            return Err(Error::NoVersion {
                wanted: Wanted::new(package, version),
                available: available.into_iter().map(|release| release.version).collect(),
                registry: address.to_string(),
            });
        };
        let (sha256, address) = (Sha256::of(&bytes), address.to_string());
        if let Self::Plain(plain) = self
            && expected.is_none()
        {
            plain.check(package, version, sha256, &address).await?;
        }
        Ok(Fetched { bytes, sha256, source: address.clone(), served_by: address, manifest })
    }

    /// Publishes a version of a package.
    pub(crate) async fn publish(
        &self,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        match self {
            Self::Oci(oci) => oci.publish(package, version, artifact).await,
            Self::Plain(plain) => plain.publish(package, version, artifact).await,
            Self::Directory(directory) => directory.publish(package, version, artifact),
        }
    }

    /// Lists the packages that fit a text.
    pub(crate) async fn search(&self, text: &str) -> Result<Vec<Found>, Error> {
        match self {
            Self::Oci(oci) => oci.search(text).await,
            Self::Plain(plain) => plain.search(text).await,
            Self::Directory(directory) => directory.search(text),
        }
    }

    /// Checks that the registry answers and accepts the credentials.
    pub(crate) async fn check_access(&self) -> Result<(), Error> {
        let (session, url) = match self {
            Self::Oci(oci) => (&oci.session, join(&oci.base, &["v2", ""])),
            Self::Plain(plain) => (&plain.session, join(&plain.base, &["packages"])),
            Self::Directory(directory) => return directory.search("").map(drop),
        };
        let request = Request::new(Method::GET, url);
        let answer = session.send(request, &Scope::default()).await?;
        // A plain registry need not be searchable.
        let is_absent = matches!((self, answer.status), (Self::Plain(_), 400 | 404 | 405));
        if answer.is_success() || is_absent { Ok(()) } else { Err(session.unexpected(&answer)) }
    }
}
