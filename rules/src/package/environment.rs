//! The part of the user's environment that a registry's client may see: the variables that configure it, and
//! no others. A token that was meant for `run`, for example, is kept from clients.
//!
//! It does not know how clients are started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The variables of the user's environment, by name.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

/// The variables that any client may need: programs, home, locale, proxies, certificates, and how git and ssh
/// get credentials. A name that ends in `*` stands for all names with that prefix.
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

/// The variables that configure cargo, and rustup, whose proxy may be the `cargo` in `PATH`.
pub(crate) const CARGO: &[&str] = &["CARGO_*", "RUSTUP_*"];

/// The variables that configure pip, and tools that may stand in the place of Python, such as pyenv.
pub(crate) const PIP: &[&str] =
    &["PIP_*", "PYTHON*", "PYENV_*", "VIRTUAL_ENV", "REQUESTS_CA_BUNDLE"];

/// The variables that configure apt and gpgv.
pub(crate) const APT: &[&str] = &["APT_CONFIG", "GNUPGHOME"];

/// The variables that configure npm, the Node.js that runs it, and version managers of Node.js.
pub(crate) const NPM: &[&str] = &["NPM_*", "npm_*", "NODE_*", "NVM_*", "VOLTA_*"];

/// Returns the variables that all clients share and those that `own` names, with `*` as in [`SHARED`].
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

/// Returns true if the variable is meant for `run` itself, as the token of its remote cache is.
fn is_ours(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"RUN_")
}

/// Returns the folder in which the user's Cargo keeps its configuration and downloads, or `None` if the
/// environment names neither it nor a home folder.
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
