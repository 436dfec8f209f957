//! Registries that speak plain HTTP and JSON. `docs/registry.md` describes the protocol.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use semver::Version;
use serde::Deserialize;

use crate::artifact::{Artifact, Found, Published, Release, WASM};
use crate::digest::Sha256;
use crate::failure::{Error, Wanted};
use crate::http::{Answer, Request, join, shown};
use crate::package::PackageId;
use crate::session::{Scope, Session};
use crate::text::printable;

/// The digest of a body (RFC 9530).
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// A registry that speaks plain HTTP.
pub(crate) struct Plain {
    pub(crate) session: Arc<Session>,
    pub(crate) base: Url,
}

#[derive(Deserialize)]
struct Versions {
    versions: Vec<Release>,
}

#[derive(Deserialize)]
struct Packages {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: Option<String>,
    latest: Option<Version>,
}

impl Plain {
    /// Lists the versions of a package, the oldest first. None if the package does not exist.
    pub(crate) async fn versions(
        &self,
        package: &PackageId,
    ) -> Result<Option<Vec<Release>>, Error> {
        let Some(answer) = self.get(self.url(package, None), "application/json").await? else {
            return Ok(None);
        };
        let Versions { versions: mut releases } = self.session.json(&answer)?;
        releases.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(Some(releases))
    }

    /// Fetches a package. None if the version does not exist.
    pub(crate) async fn fetch(
        &self,
        package: &PackageId,
        version: &Version,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut request = Request::get(self.url(package, Some(version)));
        request.limit = self.session.http().network().largest_package;
        let request = request.with(ACCEPT, HeaderValue::from_static(WASM));
        let answer = self.session.send(request, &Scope::default()).await?;
        match answer.status {
            200 if answer.media_type() == WASM => Ok(Some(answer.body)),
            200 => Err(self
                .session
                .odd(&answer, &format!("its media type is {}, not {WASM}", answer.named_type()))),
            404 | 410 => Ok(None),
            _ => Err(self.session.unexpected(&answer)),
        }
    }

    /// Checks what was fetched against the list of versions, if that has a digest.
    pub(crate) async fn check(
        &self,
        package: &PackageId,
        version: &Version,
        actual: Sha256,
        address: &str,
    ) -> Result<(), Error> {
        let releases = self.versions(package).await?.unwrap_or_default();
        let listed = releases.into_iter().find(|release| release.version == *version);
        match listed.and_then(|release| release.sha256) {
            Some(expected) if expected != actual => Err(Error::Mismatch {
                wanted: Wanted::new(package, version),
                served_by: address.to_owned(),
                expected,
                actual,
            }),
            _ => Ok(()),
        }
    }

    /// Publishes a package.
    pub(crate) async fn publish(
        &self,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        let url = self.url(package, Some(version));
        let digest = Sha256::of(&artifact.bytes);
        let header = format!("sha-256=:{}:", STANDARD.encode(digest.bytes()));
        let header = HeaderValue::from_str(&header);
        let header = header.expect("base64 can stand in a header");
        let body = Bytes::copy_from_slice(&artifact.bytes);
        let request = |method| {
            let request = Request::new(method, url.clone()).with_body(WASM, body.clone());
            request.with(CONTENT_DIGEST, header.clone())
        };
        let mut answer = self.session.send(request(Method::POST), &Scope::default()).await?;
        if answer.status == 405 {
            answer = self.session.send(request(Method::PUT), &Scope::default()).await?;
        }
        let address = shown(&url);
        match answer.status {
            200 | 204 => Ok(Published { digest, address, was_there: true }),
            201 => Ok(Published { digest, address, was_there: false }),
            409 => {
                let there = self.versions(package).await?.unwrap_or_default();
                let there = there.into_iter().find(|release| release.version == *version);
                Err(Error::Exists { address, there: there.and_then(|release| release.sha256) })
            }
            _ => Err(self.session.unexpected(&answer)),
        }
    }

    /// Lists the packages that fit a text.
    pub(crate) async fn search(&self, text: &str) -> Result<Vec<Found>, Error> {
        let mut url = join(&self.base, &["packages"]);
        url.query_pairs_mut().append_pair("q", text);
        let Some(answer) = self.get(url, "application/json").await? else {
            let registry = shown(&self.base);
            let reason = "it does not answer `/packages?q=`".to_owned();
            return Err(Error::NoSearch { registry, reason });
        };
        let Packages { packages } = self.session.json(&answer)?;
        let found = packages.into_iter().map(|package| {
            let id = package.name.parse().map_err(|_| {
                self.session.odd(
                    &answer,
                    &format!("`{}` is not the name of a package", printable(&package.name, 80)),
                )
            })?;
            let description = package.description.map(|text| printable(&text, 500));
            Ok(Found { package: id, description, latest: package.latest })
        });
        found.collect()
    }

    async fn get(&self, url: Url, accept: &'static str) -> Result<Option<Answer>, Error> {
        let request = Request::get(url).with(ACCEPT, HeaderValue::from_static(accept));
        let answer = self.session.send(request, &Scope::default()).await?;
        match answer.status {
            200 => Ok(Some(answer)),
            404 | 410 => Ok(None),
            _ => Err(self.session.unexpected(&answer)),
        }
    }

    fn url(&self, package: &PackageId, version: Option<&Version>) -> Url {
        let version = version.map(Version::to_string);
        let mut parts = vec!["packages", package.namespace(), package.name()];
        parts.extend(version.as_deref());
        join(&self.base, &parts)
    }
}
