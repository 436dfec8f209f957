//! The address of a cache: a URL that says which protocol is spoken, and where.

use std::fmt;
use std::str::FromStr;

use http::Uri;

/// The address of a cache. It never holds a login, so it can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    protocol: Protocol,
    secure: bool,
    authority: String,
    path: String,
}

/// The protocol that a cache speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Bazel's protocol of GET and PUT.
    Http,
    /// The Remote Execution API.
    Grpc,
}

/// The reason why a text is not the address of a cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text does not begin with one of the four schemes.
    #[error("the address of a cache starts with http://, https://, grpc:// or grpcs://")]
    Scheme,
    /// The text names a user or a password. It is not shown, because it may hold a secret.
    #[error("the address of a cache holds a login, which belongs into a header")]
    Login,
    /// The text after the scheme is not a host with an optional port.
    #[error("`{}` is not a host with an optional port", .0.escape_debug())]
    Host(String),
    /// The address has a path that the protocol has no use for, or a query.
    #[error("the address of a cache must not have `{}`", .0.escape_debug())]
    Path(String),
}

impl Address {
    /// Reads an address: `http://`, `https://`, `grpc://` or `grpcs://`, a host, and maybe a port; for HTTP also a path.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let (protocol, secure) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Protocol::Http, false),
            "https" => (Protocol::Http, true),
            "grpc" => (Protocol::Grpc, false),
            "grpcs" => (Protocol::Grpc, true),
            _ => return Err(AddressError::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(AddressError::Login);
        }
        check_authority(authority)?;
        let path = path.trim_end_matches('/');
        let is_plain = path.parse::<Uri>().is_ok() || path.is_empty();
        if path.contains(['?', '#']) || !is_plain || protocol == Protocol::Grpc && !path.is_empty()
        {
            return Err(AddressError::Path(path.to_owned()));
        }
        Ok(Self { protocol, secure, authority: authority.to_owned(), path: path.to_owned() })
    }

    /// Returns the protocol.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Returns the host, with the port if the address has one.
    pub fn host(&self) -> &str {
        &self.authority
    }

    /// Tells if connections are made with TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the URL that connections are made to, without a slash at the end.
    pub(crate) fn web(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.path)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Grpc => "grpc",
        };
        let secure = if self.secure { "s" } else { "" };
        write!(f, "{scheme}{secure}://{}{}", self.authority, self.path)
    }
}

fn check_authority(authority: &str) -> Result<(), AddressError> {
    let parsed = format!("http://{authority}/").parse::<Uri>();
    let fits = parsed.is_ok_and(|uri| {
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let port_fits = port.is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
        uri.host().is_some_and(|host| !host.is_empty()) && port_fits
    });
    if fits { Ok(()) } else { Err(AddressError::Host(authority.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_of_both_protocols() {
        let check = |text: &str, protocol, host: &str, web: &str| {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.protocol(), protocol, "{text}");
            assert_eq!((address.host(), address.web().as_str()), (host, web));
            assert_eq!(Address::parse(&address.to_string()), Ok(address));
        };
        check("http://cache", Protocol::Http, "cache", "http://cache");
        check("https://cache:8443/a/b/", Protocol::Http, "cache:8443", "https://cache:8443/a/b");
        check("GRPC://cache:9092", Protocol::Grpc, "cache:9092", "http://cache:9092");
        check("grpcs://[::1]:9092/", Protocol::Grpc, "[::1]:9092", "https://[::1]:9092");
        check("grpc://[::1]", Protocol::Grpc, "[::1]", "http://[::1]");
    }

    #[test]
    fn refuses_everything_else() {
        let check = |text: &str, error| assert_eq!(Address::parse(text), Err(error), "{text}");
        check("cache:9092", AddressError::Scheme);
        check("ftp://cache", AddressError::Scheme);
        check("http://user:secret@cache", AddressError::Login);
        check("http://", AddressError::Host(String::new()));
        check("http://:80", AddressError::Host(":80".to_owned()));
        check("http://cache:0", AddressError::Host("cache:0".to_owned()));
        check("http://cache:99999", AddressError::Host("cache:99999".to_owned()));
        check("http://a b", AddressError::Host("a b".to_owned()));
        check("http://cache?x=1", AddressError::Path("?x=1".to_owned()));
        check("http://cache/a#b", AddressError::Path("/a#b".to_owned()));
        check("grpc://cache/instance", AddressError::Path("/instance".to_owned()));
    }
}
