//! Docker's `config.json`: the credentials in it, and the helpers that it names.
//!
//! The crates for this format read the environment, wait for a helper without a limit, and show its output in
//! errors. So the few fields are read here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::credential::Credential;
use super::failure::CredentialsError;
use super::login_file::{LARGEST, Login};
use crate::secret::Secret;

/// Base64 as docker and wkg write it, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The part of docker's configuration that is about a host.
pub(crate) enum Said {
    /// Nothing.
    Nothing,
    /// The credentials themselves.
    Credential(Credential),
    /// The name of the helper that has them.
    Helper(String),
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Auth>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// Returns what docker's configuration says of a host.
pub(crate) fn said(config: &Path, host: &str) -> Result<Said, CredentialsError> {
    let failed =
        |source| CredentialsError::File { action: "read", path: config.to_owned(), source };
    let mut text = Vec::new();
    match File::open(config) {
        Ok(file) => _ = file.take(LARGEST).read_to_end(&mut text).map_err(failed)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Said::Nothing),
        Err(error) => return Err(failed(error)),
    }
    let malformed =
        |reason: String| CredentialsError::Malformed { path: config.to_owned(), reason };
    // The message of the parser says where something is wrong; it may also quote a value, so it is left out.
    let read: Config = serde_json::from_slice(&text)
        .map_err(|error| malformed(format!("line {}, column {}", error.line(), error.column())))?;
    if let Some(helper) = find(&read.helpers, host) {
        return Ok(Said::Helper(helper.clone()));
    }
    if let Some(auth) = find(&read.auths, host) {
        let credential = auth.credential();
        let credential = credential.map_err(|()| malformed(format!("the `auth` of {host}")))?;
        if let Some(credential) = credential {
            return Ok(Said::Credential(credential));
        }
    }
    if read.store.is_empty() { Ok(Said::Nothing) } else { Ok(Said::Helper(read.store)) }
}

impl Auth {
    fn credential(&self) -> Result<Option<Credential>, ()> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Refresh(Secret::new(&self.identitytoken))));
        }
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer(Secret::new(&self.registrytoken))));
        }
        if !self.auth.is_empty() {
            let Some(Login::Password { user, password }) = pair(&self.auth) else { return Err(()) };
            return Ok(Some(Credential::Basic { user, password }));
        }
        let basic = || Credential::Basic {
            user: self.username.clone(),
            password: Secret::new(&self.password),
        };
        Ok((!self.username.is_empty()).then(basic))
    }
}

/// Parses a name and a password that are written together in base64.
pub(crate) fn pair(text: &str) -> Option<Login> {
    let text = String::from_utf8(BASE64.decode(text.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    // Docker fills the end with zeros.
    let password = Secret::new(password.trim_end_matches('\0'));
    Some(Login::Password { user: user.to_owned(), password })
}

/// Finds the entry of a host. Old entries are URLs.
fn find<'a, T>(entries: &'a BTreeMap<String, T>, host: &str) -> Option<&'a T> {
    let bare = |key: &str| {
        let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_ascii_lowercase()
    };
    let exact = entries.get(host);
    exact.or_else(|| entries.iter().find(|(key, _)| bare(key) == host).map(|(_, entry)| entry))
}
