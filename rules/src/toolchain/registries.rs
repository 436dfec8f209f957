//! How the registries are reached: the user's own clients, mirrors and network settings, as values.
//!
//! The command line fills these from its configuration and environment. No host has a default here:
//! Debian's mirror comes from apt's configuration or from [`Mirrors`], the rest from pip's, cargo's,
//! npm's and rustup's own.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// Everything about reaching registries.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    /// Programs that are the clients of registries.
    pub clients: Clients,
    /// Mirrors named in the user's configuration; they go before the clients' own.
    pub mirrors: Mirrors,
    /// Proxies, certificates, time-outs.
    pub network: Network,
    /// The folder that relative paths of local packages start from.
    pub folder: PathBuf,
    /// The checkout that the project is in: what stands there configures no client.
    pub checkout: PathBuf,
    /// The user's environment: a client sees what it is configured by.
    pub variables: BTreeMap<OsString, OsString>,
}

/// The registries' clients, by name (looked up in `PATH`) or path.
#[derive(Clone, Debug)]
pub struct Clients {
    /// A Python that has pip: run as `python -m pip`.
    pub python: OsString,
    /// Cargo, 1.82 or younger.
    pub cargo: OsString,
    /// The client of npm registries.
    pub npm: OsString,
    /// The Rust toolchain installer.
    pub rustup: OsString,
    /// Prints apt's configuration; used for its proxies, if it is there.
    pub apt_config: OsString,
    /// Verifies the signature of Debian's release files, if it is there.
    pub gpgv: OsString,
    /// The folder of apt's configuration, with `sources.list` and `sources.list.d`.
    pub apt_folder: PathBuf,
    /// The folder of Debian's archive keyrings.
    pub keyrings: PathBuf,
}

impl Default for Clients {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            cargo: "cargo".into(),
            npm: "npm".into(),
            rustup: "rustup".into(),
            apt_config: "apt-config".into(),
            gpgv: "gpgv".into(),
            apt_folder: "/etc/apt".into(),
            keyrings: "/usr/share/keyrings".into(),
        }
    }
}

/// The `[mirrors]` table of the user's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirrors {
    /// The base URL of a Debian mirror: the folder that holds `dists` and `pool`.
    pub debian: Option<String>,
}

/// A proxy for the URLs of one scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// `http`, `https`, or `all`.
    pub scheme: String,
    /// The proxy's URL.
    pub url: String,
}

/// How URLs are fetched.
#[derive(Clone, Debug)]
pub struct Network {
    /// Whether the network must not be used at all.
    pub offline: bool,
    /// Proxies by scheme; the first that fits is taken.
    pub proxies: Vec<Proxy>,
    /// Hosts that need no proxy, in the spelling of the `NO_PROXY` variable.
    pub no_proxy: Option<String>,
    /// A PEM file of certificate authorities to trust instead of the system's (`SSL_CERT_FILE`).
    pub certificates: Option<PathBuf>,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long a server may stay silent.
    pub idle_timeout: Duration,
    /// How often a fetch is tried in all.
    pub attempts: u32,
    /// The pause after the first failed try; it doubles with each further one.
    pub pause: Duration,
    /// How many packages are fetched and unpacked at once.
    pub parallel: usize,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            offline: false,
            proxies: Vec::new(),
            no_proxy: None,
            certificates: None,
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            attempts: 4,
            pause: Duration::from_millis(500),
            parallel: 4,
        }
    }
}

impl Network {
    /// What an environment says of proxies and certificates, in the spelling of curl.
    #[must_use]
    pub fn of(variables: &BTreeMap<OsString, OsString>, offline: bool) -> Self {
        let variable = |name: &str| {
            let value = variables.get(OsStr::new(name))?.to_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let proxy = |scheme: &str| {
            let name = format!("{scheme}_proxy");
            let url = variable(&name).or_else(|| variable(&name.to_uppercase()))?;
            Some(Proxy { scheme: scheme.to_owned(), url })
        };
        Self {
            offline,
            proxies: ["http", "https", "all"].into_iter().filter_map(proxy).collect(),
            no_proxy: variable("NO_PROXY").or_else(|| variable("no_proxy")),
            certificates: variable("SSL_CERT_FILE").map(PathBuf::from),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_is_what_the_environment_says() {
        let variables = [
            ("https_proxy", "http://small"),
            ("HTTPS_PROXY", "http://capital"),
            ("HTTP_PROXY", ""),
            ("ALL_PROXY", "socks5://all"),
            ("no_proxy", "localhost"),
            ("SSL_CERT_FILE", "/etc/own.pem"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).into();
        let network = Network::of(&variables, true);
        let proxies: Vec<_> = network
            .proxies
            .iter()
            .map(|proxy| (proxy.scheme.as_str(), proxy.url.as_str()))
            .collect();
        assert_eq!(proxies, [("https", "http://small"), ("all", "socks5://all")]);
        assert_eq!(network.no_proxy.as_deref(), Some("localhost"));
        assert_eq!(network.certificates, Some(PathBuf::from("/etc/own.pem")));
        assert!(network.offline && Network::of(&BTreeMap::new(), false).proxies.is_empty());
    }
}
