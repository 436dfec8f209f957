//! The hosts that credentials are for.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::address::{host, is_loopback};
use crate::text::printable;

/// A host that credentials are for, with its port if it is not the usual one. Written with `http://` before it, it
/// allows that they are sent unencrypted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    name: String,
    plain: bool,
}

/// The reason why a text is not the name of a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a host, such as `registry.example.com` or `localhost:5000`")]
pub struct HostError(String);

impl Host {
    /// Returns the hosts whose credentials may be sent to a URL, the best first.
    pub(crate) fn allowed(url: &Url) -> Vec<Self> {
        let of = |plain| Self { name: host(url), plain };
        match url.scheme() {
            "https" => vec![of(false)],
            _ if is_loopback(url) => vec![of(true), of(false)],
            _ => vec![of(true)],
        }
    }

    /// Returns the host of a URL, for credentials that are sent encrypted only.
    pub(crate) fn encrypted(url: &Url) -> Self {
        Self { name: host(url), plain: false }
    }

    /// Returns the name with the port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the same host for credentials that may be sent unencrypted.
    pub(crate) fn unencrypted(self) -> Self {
        Self { plain: true, ..self }
    }
}

impl FromStr for Host {
    type Err = HostError;

    /// Parses a host, or the URL of a registry, of which only the host counts.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let wrong =
            || HostError(if text.contains('@') { "…".to_owned() } else { printable(text, 100) });
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let scheme = match scheme {
            "https" | "oci" | "oci+https" => "https",
            "http" | "oci+http" => "http",
            _ => return Err(wrong()),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| wrong())?;
        let extra = url.query().is_some() || url.fragment().is_some();
        if extra || !url.username().is_empty() || url.password().is_some() {
            return Err(wrong());
        }
        // What leads to this machine is sent its credentials anyway.
        Ok(Self { name: host(&url), plain: scheme == "http" && !is_loopback(&url) })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.plain { "http://" } else { "" }, self.name)
    }
}
