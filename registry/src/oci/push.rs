//! Publishing a package: its configuration and its layer are uploaded, and then the manifest with the version as
//! its tag, so that a version is complete as soon as it can be seen.
//!
//! The distribution specification has no way to write a tag only if it does not exist. So the tag is read before
//! and after: of two clients that publish different bytes at the same moment, the one whose manifest was replaced
//! is told so.

use bytes::Bytes;
use reqwest::Method;
use reqwest::Url;
use semver::Version;

use super::config::config;
use super::manifest::{MANIFEST, Parts, manifest};
use super::pull::Described;
use super::repository::{Oci, Repository};
use crate::artifact::{Artifact, Published, annotation};
use crate::digest::Sha256;
use crate::failure::Error;
use crate::http::{Request, location};
use crate::package::PackageId;

impl Oci {
    /// Publishes a package.
    pub(crate) async fn publish(
        &self,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        let repository = self.repository(package);
        let address = self.reference(&repository, version);
        let layer = Sha256::of(&artifact.bytes);
        if let Some(there) = self.described(&repository, version, &repository.push()).await? {
            return compared(there, layer, address);
        }
        let mut annotations = artifact.annotations.clone();
        annotations.insert(annotation::VERSION.to_owned(), version.to_string());
        let config = config(artifact, layer);
        let title = format!("{}.wasm", package.name());
        let parts = Parts {
            config: &config,
            layer: &artifact.bytes,
            title: &title,
            annotations: &annotations,
        };
        let manifest = manifest(&parts);
        self.upload(&repository, &config).await?;
        self.upload(&repository, &artifact.bytes).await?;
        self.tag(&repository, version, &manifest).await?;
        let digest = Sha256::of(&manifest);
        match self.described(&repository, version, &repository.push()).await? {
            Some(there) if there.digest == digest => {
                Ok(Published { digest, address, was_there: false })
            }
            Some(there) => compared(there, layer, address),
            None => {
                let reason = "the version is missing right after it was published".to_owned();
                Err(Error::Odd { address, reason })
            }
        }
    }

    /// Uploads a blob, unless the repository has it. An upload that breaks off is begun anew.
    async fn upload(&self, repository: &Repository, bytes: &[u8]) -> Result<(), Error> {
        let digest = Sha256::of(bytes).to_string();
        let head = Request::new(Method::HEAD, repository.at(&["blobs", &digest]));
        if self.session.send(head, &repository.push()).await?.status == 200 {
            return Ok(());
        }
        let body = Bytes::copy_from_slice(bytes);
        let network = self.session.http().network();
        let (mut pause, mut attempt) = (network.pause, 1);
        loop {
            let failure = match self.upload_once(repository, &digest, &body).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if attempt >= network.attempts || !failure.is_about_reaching() {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
            (pause, attempt) = (pause.saturating_mul(2), attempt + 1);
        }
    }

    async fn upload_once(
        &self,
        repository: &Repository,
        digest: &str,
        body: &Bytes,
    ) -> Result<(), Error> {
        let mut url = repository.at(&["blobs", "uploads"]);
        // The specification has this slash, and registries insist on it.
        url.set_path(&format!("{}/", url.path()));
        let begin = Request::new(Method::POST, url.clone()).with_body(BYTES, Bytes::new());
        let answer = self.session.send(begin, &repository.push()).await?;
        if answer.status != 202 {
            return Err(self.session.unexpected(&answer));
        }
        let mut place: Url = location(&answer.url, &answer.headers)?;
        place.query_pairs_mut().append_pair("digest", digest);
        let elsewhere = place.origin() != url.origin();
        let mut put = Request::new(Method::PUT, place).with_body(BYTES, body.clone());
        put.once = true;
        // A place on another server has what it needs in its URL, and gets no credentials.
        let answer = if elsewhere {
            self.session.http().send(&put).await?
        } else {
            self.session.send(put, &repository.push()).await?
        };
        match answer.status {
            201 => Ok(()),
            _ => Err(self.session.unexpected(&answer)),
        }
    }

    async fn tag(
        &self,
        repository: &Repository,
        version: &Version,
        manifest: &[u8],
    ) -> Result<(), Error> {
        let url = repository.at(&["manifests", &repository.tag(version)?]);
        let put = Request::new(Method::PUT, url).with_body(MANIFEST, manifest.to_vec());
        let answer = self.session.send(put, &repository.push()).await?;
        match answer.status {
            201 => {}
            _ => return Err(self.session.unexpected(&answer)),
        }
        let digest = Sha256::of(manifest).to_string();
        match answer.header("docker-content-digest") {
            Some(stated) if stated != digest => {
                Err(self.session.odd(&answer, "it states another digest for the manifest"))
            }
            _ => Ok(()),
        }
    }
}

/// The media type of uploads.
const BYTES: &str = "application/octet-stream";

/// Compares a version that exists with the layer that is to be published.
fn compared(there: Described, layer: Sha256, address: String) -> Result<Published, Error> {
    match there.layer {
        Ok(found) if found.digest == layer => {
            Ok(Published { digest: there.digest, address, was_there: true })
        }
        Ok(found) => Err(Error::Exists { address, there: Some(found.digest) }),
        Err(_) => Err(Error::Exists { address, there: None }),
    }
}
