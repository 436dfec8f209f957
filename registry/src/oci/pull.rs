//! Fetching a package: its manifest, and then its layer.

use reqwest::header::{ACCEPT, HeaderValue};
use semver::Version;

use super::manifest::{ACCEPTED, Layer, layer};
use super::repository::{Oci, Repository};
use crate::digest::Sha256;
use crate::failure::{Error, Wanted};
use crate::http::{HttpError, Request, shown};
use crate::package::PackageId;
use crate::session::Scope;

/// A package that was fetched.
pub(crate) struct Pulled {
    pub(crate) bytes: Vec<u8>,
    pub(crate) manifest: Sha256,
}

/// A manifest that was fetched.
pub(super) struct Described {
    pub(super) digest: Sha256,
    pub(super) layer: Result<Layer, String>,
}

impl Oci {
    /// Fetches a package. None if the version does not exist. If a digest is expected and the manifest says
    /// another one, nothing more is fetched.
    pub(crate) async fn fetch(
        &self,
        package: &PackageId,
        version: &Version,
        expected: Option<Sha256>,
    ) -> Result<Option<Pulled>, Error> {
        let repository = self.repository(package);
        let address = self.reference(&repository, version);
        let Some(described) = self.described(&repository, version, &repository.pull()).await?
        else {
            return Ok(None);
        };
        let layer = described.layer;
        let layer = layer.map_err(|reason| Error::NotWasm {
            address: address.clone(),
            reason: self.session.hide(&reason, &self.base),
        })?;
        let mismatch = |expected, actual| Error::Mismatch {
            wanted: Wanted::new(package, version),
            served_by: address.clone(),
            expected,
            actual,
        };
        if let Some(expected) = expected.filter(|expected| *expected != layer.digest) {
            return Err(mismatch(expected, layer.digest));
        }
        let url = repository.at(&["blobs", &layer.digest.to_string()]);
        let limit = self.session.http().network().largest_package;
        if layer.size > limit {
            return Err(HttpError::TooLong { url: shown(&url), limit }.into());
        }
        let mut request = Request::get(url);
        request.size = Some(layer.size);
        let answer = self.session.send(request, &repository.pull()).await?;
        match answer.status {
            200 => {}
            404 => return Err(self.session.odd(&answer, "the layer of the package is missing")),
            _ => return Err(self.session.unexpected(&answer)),
        }
        let actual = Sha256::of(&answer.body);
        if actual != layer.digest {
            return Err(mismatch(layer.digest, actual));
        }
        Ok(Some(Pulled { bytes: answer.body, manifest: described.digest }))
    }

    /// Fetches the manifest of a version. None if the version does not exist.
    pub(super) async fn described(
        &self,
        repository: &Repository,
        version: &Version,
        scope: &Scope,
    ) -> Result<Option<Described>, Error> {
        let url = repository.at(&["manifests", &repository.tag(version)?]);
        let request = Request::get(url).with(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let answer = self.session.send(request, scope).await?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            _ => return Err(self.session.unexpected(&answer)),
        }
        let digest = Sha256::of(&answer.body);
        if let Some(stated) = answer.header("docker-content-digest")
            && stated != digest.to_string()
        {
            return Err(self
                .session
                .odd(&answer, &format!("it has the digest {digest}, and states another one")));
        }
        let layer = layer(&answer.body, &answer.media_type());
        Ok(Some(Described { digest, layer }))
    }
}
