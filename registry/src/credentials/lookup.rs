//! The choice of the credentials for a URL.
//!
//! **The token of the settings** is for the origin of the default registry, that is for its scheme, host and port,
//! and for mirrors with the same origin. A registry that the default one refers to, or a mirror elsewhere, never
//! gets it: those have logins of their own.
//!
//! **Plain http** is sent only what was stored for `http://HOST`, and everything if the host is this machine. If
//! there are other credentials, the error says that they were not sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::Url;

use super::credential::{Credential, Known};
use super::docker::{Said, said};
use super::failure::CredentialsError;
use super::helper::{Helpers, ask};
use super::host::Host;
use super::login_file::{Login, logins};
use super::used::Used;
use crate::address::is_loopback;
use crate::secret::Secret;

/// The token that a user gives for the default registry.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub secret: Secret,
    /// The place where it came from, such as `RUN_AUTH_TOKEN`.
    pub from: String,
}

/// All places where credentials are kept.
pub(crate) struct Credentials {
    /// The URL of the default registry with its token.
    pub(crate) token: Option<(Url, Token)>,
    /// Logins from elsewhere, with the name of that place.
    pub(crate) others: BTreeMap<Host, (Login, String)>,
    pub(crate) login_file: Option<PathBuf>,
    pub(crate) docker_config: Option<PathBuf>,
    pub(crate) helpers: Helpers,
}

impl Credentials {
    /// Returns the token or the login that is stored for a URL, without asking docker.
    pub(crate) fn own(&self, url: &Url) -> Result<Option<Known>, CredentialsError> {
        if let Some(token) = self.token_for(url).filter(|_| is_private(url)) {
            let credential = Credential::Bearer(token.secret.clone());
            return Ok(Some(Known { credential, from: token.from.clone() }));
        }
        let allowed = Host::allowed(url);
        if let Some(file) = &self.login_file {
            let mut stored = logins(file)?;
            if let Some(login) = allowed.iter().find_map(|host| stored.remove(host)) {
                return Ok(Some(Known {
                    credential: login.into(),
                    from: file.display().to_string(),
                }));
            }
        }
        let other = allowed.iter().find_map(|host| self.others.get(host).cloned());
        Ok(other.map(|(login, from)| Known { credential: login.into(), from }))
    }

    /// Returns the credential for a URL, from wherever it is kept.
    pub(crate) async fn find(&self, url: &Url) -> Result<Option<Known>, CredentialsError> {
        if let Some(known) = self.own(url)? {
            return Ok(Some(known));
        }
        let Some(config) = self.docker_config.as_ref().filter(|_| is_private(url)) else {
            return Ok(None);
        };
        let host = Host::encrypted(url);
        let known = |credential, from| Some(Known { credential, from });
        match said(config, host.name())? {
            Said::Nothing => Ok(None),
            Said::Credential(credential) => Ok(known(credential, config.display().to_string())),
            Said::Helper(name) => {
                let credential = ask(&self.helpers, config, &name, host.name()).await?;
                let from = format!("docker-credential-{name}");
                Ok(credential.and_then(|credential| known(credential, from)))
            }
        }
    }

    /// Says which credentials were not sent to a URL because it is not encrypted, or that there are none.
    pub(crate) fn withheld(&self, url: &Url) -> Used {
        if is_private(url) {
            return Used::None;
        }
        let host = Host::encrypted(url);
        let file = self.login_file.as_ref();
        let stored =
            file.filter(|file| logins(file).is_ok_and(|logins| logins.contains_key(&host)));
        let docker = self.docker_config.as_ref();
        let docker = docker.filter(|config| {
            said(config, host.name()).is_ok_and(|said| matches!(said, Said::Credential(_)))
        });
        let token = self.token_for(url).map(|token| token.from.clone());
        let place = token.or_else(|| stored.or(docker).map(|path| path.display().to_string()));
        place.map_or(Used::None, Used::Withheld)
    }

    fn token_for(&self, url: &Url) -> Option<&Token> {
        let (registry, token) = self.token.as_ref()?;
        (registry.origin() == url.origin()).then_some(token)
    }
}

/// Returns true if nobody can listen on the way to a URL.
fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}
