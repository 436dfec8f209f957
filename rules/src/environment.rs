//! What of the user's environment a registry's client gets to see: where it is configured, and no
//! more. A token that was meant for `run` is none of its business.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The user's environment.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// What every client may need: programs, home, locale, proxies, certificates, and the ways to
/// credentials of git and ssh. A name that ends in `*` stands for all that begin like it.
const SHARED: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "LC_*",
    "XDG_*",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_*",
    "CURL_CA_BUNDLE",
    "NETRC",
    "GIT_*",
    "SSH_*",
];

/// What cargo is configured by, and rustup, which may stand in its place.
pub(crate) const CARGO: &[&str] = &["CARGO_*", "RUSTUP_*"];

/// What pip is configured by, and what may stand in Python's place.
pub(crate) const PIP: &[&str] =
    &["PIP_*", "PYTHON*", "PYENV_*", "VIRTUAL_ENV", "REQUESTS_CA_BUNDLE"];

/// What apt and gpgv are configured by.
pub(crate) const APT: &[&str] = &["APT_CONFIG", "GNUPGHOME"];

/// What npm is configured by, and the Node.js that runs it.
pub(crate) const NPM: &[&str] = &["NPM_*", "npm_*", "NODE_*", "NVM_*", "VOLTA_*"];

/// The variables that all clients share and those that `own` names, in the way of [`SHARED`].
pub(crate) fn for_client(variables: &Variables, own: &[&str]) -> Variables {
    let fits = |name: &OsStr| {
        let name = name.to_string_lossy();
        let mut rules = SHARED.iter().chain(own);
        rules.any(|rule| match rule.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *rule,
        })
    };
    let seen = variables.iter().filter(|(name, _)| fits(name) && !is_ours(name));
    seen.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether it is told to `run` itself: the token of its registry is.
fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"RUN_")
}

/// Where the user's Cargo keeps its configuration and downloads.
pub(crate) fn cargo_home(variables: &Variables) -> Option<PathBuf> {
    let folder = |name: &str| variables.get(OsStr::new(name)).map(PathBuf::from);
    folder("CARGO_HOME").or_else(|| Some(folder("HOME")?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_sees_what_it_is_configured_by() {
        let check = |name: &str, own: &[&str], expect: bool| {
            let variables = Variables::from([(name.into(), "value".into())]);
            assert_eq!(!for_client(&variables, own).is_empty(), expect, "{name} {own:?}");
        };
        for name in ["PATH", "HOME", "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSH_AUTH_SOCK"] {
            check(name, &[], true);
        }
        check("CARGO_REGISTRIES_OWN_TOKEN", CARGO, true);
        check("CARGO_REGISTRIES_OWN_TOKEN", &["PIP_*"], false);
        check("NPM_TOKEN", CARGO, false);
        check("RUN_AUTH_TOKEN", CARGO, false);
        check("RUN_AUTH_TOKEN", &["RUN_*"], false);
        check("HOMES", &[], false);
    }

    #[test]
    fn cargo_is_at_home_below_the_users_home() {
        let check = |variables: &[(&str, &str)], expect: Option<&str>| {
            let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
            assert_eq!(cargo_home(&variables.collect()), expect.map(PathBuf::from));
        };
        check(&[("HOME", "/me")], Some("/me/.cargo"));
        check(&[("HOME", "/me"), ("CARGO_HOME", "/c")], Some("/c"));
        check(&[], None);
    }
}
