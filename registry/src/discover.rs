//! The protocol of a server of which only the URL is known. It is asked once per process:
//!
//! 1. `/.well-known/wasm-pkg/registry.json` may refer to an OCI registry, as for wkg.
//! 2. `/v2/` is answered by an OCI registry, with or without credentials, and with the header
//!    `Docker-Distribution-Api-Version`.
//! 3. Otherwise the server is taken to speak plain HTTP and JSON.
//!
//! These questions are asked without credentials, except for `/v2/` of a server that demands them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use reqwest::Url;

use crate::address::{Address, Kind, host};
use crate::failure::Error;
use crate::http::{Answer, Request, join};
use crate::session::{Scope, Session};
use crate::text::printable;
use crate::wkg::Metadata;

/// How a registry is spoken to.
#[derive(Clone)]
pub(crate) enum Protocol {
    /// As an OCI registry.
    Oci { base: Url, prefix: String },
    /// With plain HTTP and JSON.
    Plain(Url),
    /// As a folder.
    Directory(PathBuf),
}

/// The answers of this process's servers.
#[derive(Default)]
pub(crate) struct Discovery {
    known: Mutex<BTreeMap<Url, Protocol>>,
}

impl Discovery {
    /// Returns how a registry is spoken to, if that is known without asking.
    pub(crate) fn known(&self, address: &Address) -> Option<Protocol> {
        match &address.0 {
            Kind::Oci { base, prefix } => {
                Some(Protocol::Oci { base: base.clone(), prefix: prefix.clone() })
            }
            Kind::Directory(folder) => Some(Protocol::Directory(folder.clone())),
            Kind::Web(url) => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
            }
        }
    }

    /// Asks a server how it is spoken to. A failure is not remembered.
    pub(crate) async fn ask(&self, session: &Session, url: &Url) -> Result<Protocol, Error> {
        let protocol = match well_known(session, url).await? {
            Some(protocol) => protocol,
            None if is_oci(session, url).await? => {
                Protocol::Oci { base: root(url), prefix: prefix("", url) }
            }
            None => Protocol::Plain(url.clone()),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(url.clone()).or_insert(protocol).clone())
    }
}

/// Asks for the description of the registry that wkg asks for.
async fn well_known(session: &Session, url: &Url) -> Result<Option<Protocol>, Error> {
    let place = join(&root(url), &[".well-known", "wasm-pkg", "registry.json"]);
    let answer = session.http().send(&Request::get(place)).await?;
    // Some servers answer every question with a page for people.
    if answer.status != 200 || !answer.media_type().ends_with("json") {
        return Ok(None);
    }
    let metadata: Metadata = session.json(&answer)?;
    let Some(oci) = metadata.oci(&host(url)) else {
        return match metadata.preferred_protocol {
            None => Ok(None),
            Some(other) => {
                let other = printable(&other, 40);
                Err(session.odd(
                    &answer,
                    &format!("it prefers the protocol `{other}`, which is not known"),
                ))
            }
        };
    };
    let registry = oci.registry.unwrap_or_default();
    let prefix = prefix(&oci.namespace_prefix.unwrap_or_default(), url);
    let address = Address::oci(url.scheme() == "https", &registry, &prefix);
    match address.map(|address| address.0) {
        Ok(Kind::Oci { base, prefix }) => Ok(Some(Protocol::Oci { base, prefix })),
        Ok(_) => Ok(None),
        Err(error) => Err(session.odd(&answer, &error.to_string())),
    }
}

async fn is_oci(session: &Session, url: &Url) -> Result<bool, Error> {
    let place = join(&root(url), &["v2", ""]);
    let answer = session.http().send(&Request::get(place.clone())).await?;
    if says_so(&answer) {
        return Ok(true);
    }
    if !matches!(answer.status, 401 | 403) {
        return Ok(false);
    }
    // A server in front of the registry may want to know first who asks.
    match session.send(Request::get(place), &Scope::default()).await {
        Ok(answer) => Ok(says_so(&answer)),
        Err(Error::Refused { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn says_so(answer: &Answer) -> bool {
    let version = answer.header("docker-distribution-api-version");
    matches!(answer.status, 200 | 401)
        && version.is_some_and(|version| version.contains("registry/2."))
}

fn root(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("/");
    root
}

/// Returns what stands before the namespace: the prefix of the registry, and the path of the URL.
fn prefix(own: &str, url: &Url) -> String {
    match url.path().trim_matches('/') {
        "" => own.to_owned(),
        path => format!("{own}{path}/"),
    }
}
