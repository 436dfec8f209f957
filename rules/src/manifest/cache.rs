//! Reads `[cache]`: the cache of results that a team shares.
//!
//! A checkout may be hostile, so it can't say everything here. Keys that name secret files, run a program or are about
//! the machine belong to the user's own configuration, which has a section of the same name. What a value in
//! `headers` refers to is looked up later, and only among the variables that the user lends to checkouts.

use std::collections::BTreeMap;

use ::cache::DigestFunction;

use super::choice::Download;
use super::diagnostic::Diagnostic;
use super::invalid::Invalid;
use super::measure::{Size, Time};
use super::secret::Secret;
use super::span::Spanned;
use super::table::{self, Reader};
use super::url::RemoteUrl;
use crate::path::ProjectPath;

/// The settings of the shared cache. What is not set is up to the user's configuration, or has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cache {
    /// The address.
    pub remote: Option<Spanned<RemoteUrl>>,
    /// The instance of a server that has several (`instance_name` of the Remote Execution API).
    pub instance: Option<Spanned<String>>,
    /// Headers of each request, by name in lower case.
    pub headers: BTreeMap<String, Spanned<Header>>,
    /// True if results that this machine has are uploaded.
    pub upload: Option<Spanned<bool>>,
    /// The time that one request may take.
    pub timeout: Option<Spanned<Time>>,
    /// The number of times that a request is tried again.
    pub retries: Option<Spanned<u16>>,
    /// The number of connections, or of requests at once.
    pub max_connections: Option<Spanned<u16>>,
    /// The number of bytes in a second that may be sent, and as many may be received.
    pub bandwidth: Option<Spanned<Size>>,
    /// Files with certificates of authorities that are trusted besides those of the system.
    pub tls_roots: Vec<Spanned<ProjectPath>>,
    /// The outputs that are downloaded although no action needs them.
    pub download: Option<Spanned<Download>>,
    /// The digest function of all keys and blobs, if it is not left to the server.
    pub digest_function: Option<Spanned<DigestFunction>>,
    /// The public keys whose signatures count, in base64.
    pub trusted_keys: Vec<Spanned<String>>,
    /// True if a result without a valid signature is not used.
    pub require_signed: Option<Spanned<bool>>,
}

/// The value of a header. `${NAME}` in it stands for an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header(pub Secret);

/// The keys of `[cache]`.
pub(super) const KEYS: &[&str] = &[
    "remote",
    "instance",
    "headers",
    "upload",
    "timeout",
    "retries",
    "max_connections",
    "bandwidth",
    "tls_roots",
    "download",
    "digest_function",
    "trusted_keys",
    "require_signed",
];

/// The keys that only the user's configuration may have.
pub(super) const OF_THE_USER: &[&str] =
    &["client_certificate", "client_key", "signing_key", "max_size"];

/// Reads `[cache]`.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Cache {
    Cache {
        remote: reader.parse("remote"),
        instance: reader.value("instance", instance),
        headers: headers(reader),
        upload: reader.flag("upload"),
        timeout: reader.parse("timeout"),
        retries: reader.number("retries", "number of tries", 100),
        max_connections: reader.number("max_connections", "number of connections", 4096),
        bandwidth: reader.parse("bandwidth"),
        tls_roots: reader.list("tls_roots"),
        download: reader.parse("download"),
        digest_function: reader.value("digest_function", digest_function),
        trusted_keys: reader.list_of("trusted_keys", trusted_key),
        require_signed: reader.flag("require_signed"),
    }
}

pub(super) fn instance(text: &str) -> Result<String, Invalid> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.is_empty() || !text.chars().all(plain) {
        let expected = "expected letters, digits, `-`, `_`, `.` and `/`";
        return Err(Invalid::new(format!("`{text}` is not the name of an instance"), expected));
    }
    Ok(text.to_owned())
}

fn digest_function(text: &str) -> Result<DigestFunction, Invalid> {
    let names = DigestFunction::ALL.map(DigestFunction::name);
    text.parse().map_err(|_| Invalid::unknown("digest_function", text, &names))
}

/// Checks the form of a public key. The client of the cache checks the key itself.
fn trusted_key(text: &str) -> Result<String, Invalid> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    if text.len() != 44 || !text.chars().all(plain) {
        let expected = "expected the 44 characters that `run cache keygen` prints";
        return Err(Invalid::new(format!("`{text}` is not a public key"), expected));
    }
    Ok(text.to_owned())
}

pub(super) fn headers(reader: &mut Reader<'_, '_>) -> BTreeMap<String, Spanned<Header>> {
    let mut headers = BTreeMap::new();
    for (key, value) in reader.entries("headers") {
        let name = reader.check(key.span, header_name(key.value));
        let Some(text) = value.get_ref().as_str() else {
            let what = format!("header `{}`", key.value);
            reader.report(table::wrong_type(&what, value, "a string"));
            continue;
        };
        if !text.contains("${") {
            reader.report(
                Diagnostic::warning(key.span, "a header is in a file that is meant to be shared")
                    .label("its value may be a secret")
                    .help("write `${NAME}` for an environment variable, or put it into the user's configuration"),
            );
        }
        if let Some(name) = name {
            let value = Spanned::new(Header(Secret::new(text)), value.span());
            headers.insert(name.value, value);
        }
    }
    headers
}

/// Parses the name of a header (a token of RFC 9110, section 5.6.2).
fn header_name(text: &str) -> Result<String, Invalid> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || !text.chars().all(token) {
        let expected = "expected a name like `authorization`";
        return Err(Invalid::new(format!("`{text}` is not the name of a header"), expected));
    }
    Ok(text.to_ascii_lowercase())
}
