//! Lists of tags and of repositories, which come in pages.

use reqwest::Url;
use reqwest::header::LINK;
use semver::Version;
use serde::Deserialize;

use super::repository::{Oci, Repository};
use crate::artifact::{Found, Release};
use crate::failure::Error;
use crate::http::{Answer, Request, join, shown};
use crate::package::{PackageId, version_of_tag};
use crate::session::Scope;
use crate::text::printable;

/// The number of entries that are asked for at once.
const PAGE: &str = "1000";

/// The highest number of pages that are read. A list without an end is an error.
const MAX_PAGES: usize = 200;

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalogue {
    repositories: Option<Vec<String>>,
}

impl Oci {
    /// Lists the versions of a package, the oldest first. None if the package does not exist. Tags that are no
    /// versions are left out.
    pub(crate) async fn versions(
        &self,
        package: &PackageId,
    ) -> Result<Option<Vec<Release>>, Error> {
        let repository = self.repository(package);
        let versions = self.tags(&repository).await?;
        let release = |version| Release { version, yanked: false, sha256: None };
        Ok(versions.map(|versions| versions.into_iter().map(release).collect()))
    }

    pub(super) async fn tags(
        &self,
        repository: &Repository,
    ) -> Result<Option<Vec<Version>>, Error> {
        let mut next = Some(first(repository.at(&["tags", "list"])));
        let mut versions = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.session.send(Request::get(url), &repository.pull()).await?;
            match answer.status {
                200 => {}
                404 => return Ok(None),
                _ => return Err(self.session.unexpected(&answer)),
            }
            let page: Tags = self.session.json(&answer)?;
            versions.extend(page.tags.iter().flatten().filter_map(|tag| version_of_tag(tag)));
            next = self.next(&answer)?;
        }
        self.check_end(next.as_ref())?;
        versions.sort();
        versions.dedup();
        // A repository whose last tag was deleted still exists.
        Ok((!versions.is_empty()).then_some(versions))
    }

    /// Lists the packages of the registry whose name contains a text.
    pub(crate) async fn search(&self, text: &str) -> Result<Vec<Found>, Error> {
        let scope = Scope("registry:catalog:*".to_owned());
        let mut next = Some(first(join(&self.base, &["v2", "_catalog"])));
        let mut found = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            let answer = self.session.send(Request::get(url), &scope).await?;
            match answer.status {
                200 => {}
                404 | 405 => {
                    let reason = "it does not list its repositories (`/v2/_catalog`)".to_owned();
                    return Err(Error::NoSearch { registry: shown(&self.base), reason });
                }
                _ => return Err(self.session.unexpected(&answer)),
            }
            let page: Catalogue = self.session.json(&answer)?;
            let names = page.repositories.unwrap_or_default();
            found.extend(names.iter().filter_map(|name| self.package(name)));
            next = self.next(&answer)?;
        }
        self.check_end(next.as_ref())?;
        found.retain(|package| package.to_string().contains(text));
        found.sort();
        found.dedup();
        let found = found.into_iter();
        Ok(found.map(|package| Found { package, description: None, latest: None }).collect())
    }

    /// Returns the package of a repository. Repositories of other things are none.
    fn package(&self, repository: &str) -> Option<PackageId> {
        let (namespace, name) = repository.strip_prefix(&self.prefix)?.split_once('/')?;
        PackageId::new(namespace, name).ok()
    }

    /// Returns the URL of the next page (distribution specification, "Listing Tags"). It has to be on the same
    /// server, because it is asked with the same credentials.
    fn next(&self, answer: &Answer) -> Result<Option<Url>, Error> {
        let Some(link) = answer.header(LINK.as_str()) else { return Ok(None) };
        let parts = link.split_once('>').filter(|(_, rest)| rest.contains("next"));
        let Some(target) = parts.and_then(|(target, _)| target.trim().strip_prefix('<')) else {
            return Ok(None);
        };
        let url = answer.url.join(target).ok().filter(|url| url.origin() == self.base.origin());
        let wrong = || {
            self.session.odd(
                answer,
                &format!("its next page `{}` is not on the same server", printable(target, 100)),
            )
        };
        url.map(Some).ok_or_else(wrong)
    }

    fn check_end(&self, next: Option<&Url>) -> Result<(), Error> {
        let Some(url) = next else { return Ok(()) };
        let reason = format!("its list has more than {MAX_PAGES} pages");
        Err(Error::Odd { address: shown(url), reason })
    }
}

fn first(mut url: Url) -> Url {
    url.query_pairs_mut().append_pair("n", PAGE);
    url
}
