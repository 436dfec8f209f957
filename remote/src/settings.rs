//! Everything that a client depends on, as values. Whoever makes a client has read files and environment already.

use std::fmt;
use std::time::Duration;

use cache::DigestFunction;
use http::{HeaderName, HeaderValue};

use crate::address::Address;
use crate::sign::{PublicKey, SigningKey};

/// The settings of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address of the cache.
    pub url: Address,
    /// The instance that a gRPC server is asked for; may be empty. HTTP has no instances.
    pub instance: String,
    /// Headers that go with every call, such as credentials.
    pub headers: Vec<Header>,
    /// Results and blobs are uploaded.
    pub upload: bool,
    /// The time that one call may take, or that a stream may go without progress.
    pub timeout: Duration,
    /// The number of times that a call is tried again after a failure that may pass.
    pub retries: u32,
    /// The number of HTTP requests that are under way at once. A gRPC server has one connection.
    pub max_connections: usize,
    /// The bytes that are sent in one second, and that are received in one second.
    pub bandwidth: Option<u64>,
    /// Certificates.
    pub tls: Tls,
    /// Proxies.
    pub proxies: Proxies,
    /// The digest function to insist on. Otherwise the best one that the server offers is used.
    pub digest_function: Option<DigestFunction>,
    /// The results that are believed.
    pub trust: Trust,
    /// The key that uploaded results are signed with.
    pub signing_key: Option<SigningKey>,
}

/// A header that goes with every call. Its value may be a secret, so `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl Header {
    /// Makes a header.
    ///
    /// # Errors
    /// The name or the value can't stand in an HTTP header.
    pub fn new(name: &str, value: &str) -> Result<Self, HeaderError> {
        let known = HeaderName::from_bytes(name.as_bytes());
        let parsed = known.map_err(|_| HeaderError::Name(name.to_owned()))?;
        let value = HeaderValue::from_str(value);
        let mut value = value.map_err(|_| HeaderError::Value(name.to_owned()))?;
        value.set_sensitive(true);
        Ok(Self { name: parsed, value })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").finish_non_exhaustive()
    }
}

/// The reason why a header can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name is no token of HTTP.
    #[error("`{}` is not the name of a header", .0.escape_debug())]
    Name(String),
    /// The value, which may be a secret and is not shown, has characters that HTTP does not allow.
    #[error("the value of the header `{0}` has characters that no header may have")]
    Value(String),
}

/// The certificates of TLS, as the bytes of PEM files.
#[derive(Clone, Default)]
pub struct Tls {
    /// Roots that are trusted beside those of the system.
    pub roots: Option<Vec<u8>>,
    /// The certificate that the client shows, with its chain, and the private key.
    pub client: Option<ClientCertificate>,
}

/// A certificate of a client.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The certificate and its chain, in PEM.
    pub certificate: Vec<u8>,
    /// The private key, in PEM.
    pub key: Vec<u8>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (roots, client) = (self.roots.is_some(), self.client.is_some());
        f.debug_struct("Tls").field("roots", &roots).field("client", &client).finish()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// The values of the usual variables for proxies. They may hold a password, so `Debug` does not show them.
#[derive(Clone, Default)]
pub struct Proxies {
    /// The value of `http_proxy`.
    pub http: Option<String>,
    /// The value of `https_proxy`.
    pub https: Option<String>,
    /// The value of `all_proxy`.
    pub all: Option<String>,
    /// The value of `no_proxy`.
    pub no: Option<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

/// The results of a server that are believed.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The keys whose signatures count.
    pub trusted_keys: Vec<PublicKey>,
    /// A result without a signature by one of the keys is not used.
    pub require_signed: bool,
}
