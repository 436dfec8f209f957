//! Addresses of registries, as URLs.
//!
//! An address holds no credentials: a URL with a password is refused, so that an address can be shown and
//! written into locks. Plain http is spoken only if the URL says so.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest::Url;

use crate::text::printable;

/// The address of a registry.
///
/// | URL | registry |
/// |---|---|
/// | `oci://host/prefix` | an OCI registry, over https; `oci+http://` is the same over plain http |
/// | `oci://host/prefix*` | the same, where the namespace follows the prefix without a slash |
/// | `file:///folder` | a folder |
/// | `https://host`, `http://host` | a server that is asked which protocol it speaks |
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(pub(crate) Kind);

/// The kind of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An OCI registry. The prefix is what stands before the namespace in the names of repositories.
    Oci { base: Url, prefix: String },
    /// A folder.
    Directory(PathBuf),
    /// A server whose protocol has to be asked for.
    Web(Url),
}

/// The reason why a text is not the address of a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is no URL of a known scheme.
    #[error(
        "`{0}` is not the address of a registry: expected a URL with `https://`, `http://`, `oci://`, `oci+http://` \
         or `file://`"
    )]
    Scheme(String),
    /// The text has no scheme, but may be a host.
    #[error(
        "`{0}` has no scheme: for a host write `https://{0}`, for a folder `file://` and its path"
    )]
    NoScheme(String),
    /// The URL has a user, a password, a query or a fragment. It is not shown, because it may hold a secret.
    #[error(
        "the address of the registry {0} has more than a host and a path: credentials are stored by `run login`"
    )]
    Excess(String),
    /// The URL is malformed.
    #[error("`{url}` is not the address of a registry: {reason}")]
    Malformed {
        /// The text.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The prefix can't stand in the name of a repository.
    #[error(
        "the prefix `{0}` can't stand in the name of an OCI repository: use lower-case letters, digits, `.`, `_`, `-`, `/`"
    )]
    Prefix(String),
}

impl Address {
    /// Makes the address of a folder. The path has to be absolute.
    #[must_use]
    pub fn directory(folder: impl Into<PathBuf>) -> Self {
        Self(Kind::Directory(folder.into()))
    }

    /// Makes the address of an OCI registry. `host` may have a port, and `prefix` stands right before the
    /// namespace of a package.
    ///
    /// # Errors
    /// The host or the prefix is malformed.
    pub fn oci(secure: bool, host: &str, prefix: &str) -> Result<Self, AddressError> {
        let scheme = if secure { "https" } else { "http" };
        let base = web(&format!("{scheme}://{host}"), host)?;
        if base.path() != "/" {
            return Err(AddressError::Scheme(printable(host, 200)));
        }
        if !is_prefix(prefix) {
            return Err(AddressError::Prefix(printable(prefix, 200)));
        }
        Ok(Self(Kind::Oci { base, prefix: prefix.to_owned() }))
    }

    /// Returns the folder, if the registry is one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Directory(folder) => Some(folder),
            Kind::Oci { .. } | Kind::Web(_) => None,
        }
    }

    /// Returns the URL of the server, if the registry is one.
    pub(crate) const fn server(&self) -> Option<&Url> {
        match &self.0 {
            Kind::Oci { base, .. } | Kind::Web(base) => Some(base),
            Kind::Directory(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(AddressError::NoScheme(printable(text, 200)));
        };
        match scheme {
            "https" | "http" => web(text, text).map(|mut url| {
                // An address has one form, which locks and the memory of servers know it by.
                let path = url.path().trim_end_matches('/').to_owned();
                url.set_path(&path);
                Self(Kind::Web(url))
            }),
            "oci" | "oci+https" => oci("https", rest, text),
            "oci+http" => oci("http", rest, text),
            "file" => {
                let url = Url::parse(text).ok().and_then(|url| url.to_file_path().ok());
                url.map(Self::directory).ok_or_else(|| AddressError::Malformed {
                    url: printable(text, 200),
                    reason: "`file://` needs an absolute path".to_owned(),
                })
            }
            _ => Err(AddressError::Scheme(printable(scheme, 40))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Directory(folder) => match Url::from_file_path(folder) {
                Ok(url) => write!(f, "{url}"),
                Err(()) => write!(f, "{}", folder.display()),
            },
            Kind::Web(url) => f.write_str(url.as_str().trim_end_matches('/')),
            Kind::Oci { base, prefix } => {
                let scheme = if base.scheme() == "https" { "oci" } else { "oci+http" };
                let host = host(base);
                match prefix.strip_suffix('/') {
                    Some(folder) => write!(f, "{scheme}://{host}/{folder}"),
                    None if prefix.is_empty() => write!(f, "{scheme}://{host}"),
                    None => write!(f, "{scheme}://{host}/{prefix}*"),
                }
            }
        }
    }
}

/// Returns the host of a URL, with its port if that is not the scheme's own.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns true if a URL leads to this machine, so that nobody can listen on the way.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let name = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address = name.parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Returns true if a text can stand before the namespace in the name of a repository.
pub(crate) fn is_prefix(prefix: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    let sound = |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric());
    let parts = prefix.trim_end_matches('/');
    prefix.len() < 200
        && prefix.chars().all(known)
        && !prefix.ends_with("//")
        && (prefix.is_empty() || parts.split('/').all(sound))
}

fn oci(scheme: &str, rest: &str, text: &str) -> Result<Address, AddressError> {
    let url = web(&format!("{scheme}://{rest}"), text)?;
    let path = url.path().trim_matches('/');
    let prefix = match path.strip_suffix('*') {
        Some(beginning) => beginning.to_owned(),
        None if path.is_empty() => String::new(),
        None => format!("{path}/"),
    };
    let host = host(&url);
    Address::oci(scheme == "https", &host, &prefix)
}

/// Parses a URL of a server, and checks that it has nothing but a host and a path.
fn web(url: &str, shown: &str) -> Result<Url, AddressError> {
    let parsed = Url::parse(url);
    // What can't be parsed may hold a password where nobody expects it.
    let parsed = parsed.map_err(|error| AddressError::Malformed {
        url: if shown.contains('@') { "…".to_owned() } else { printable(shown, 200) },
        reason: error.to_string(),
    })?;
    let excess = !parsed.username().is_empty()
        || parsed.password().is_some()
        || parsed.query().is_some()
        || parsed.fragment().is_some();
    if excess {
        return Err(AddressError::Excess(host(&parsed)));
    }
    Ok(parsed)
}
