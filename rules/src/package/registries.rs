//! The settings by which registries are reached: the user's own clients, mirrors and the network.
//!
//! The command line fills these from its configuration and environment. No host name is built in: Debian's
//! mirror comes from apt's configuration or from [`Mirrors`], the others from the configuration of pip,
//! cargo, npm and rustup.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::environment;

/// All settings by which registries are reached.
#[derive(Clone, Debug, Default)]
pub struct Registries {
    /// The programs that are the clients of registries.
    pub programs: Programs,
    /// The mirrors that the user's configuration names. They override those that the clients are configured
    /// with.
    pub mirrors: Mirrors,
    /// Proxies, certificates and time-outs.
    pub network: Network,
    /// The folder against which relative paths of local packages are resolved.
    pub folder: PathBuf,
    /// The root of the checkout that contains the project. Files in it never configure a client.
    pub checkout: PathBuf,
    /// The user's environment. A client sees only the variables that configure it.
    pub variables: BTreeMap<OsString, OsString>,
    /// Names of the environment variables that the user allows files of the checkout to refer to.
    pub lent: Vec<String>,
}

impl Registries {
    /// Returns the variables of the user's environment that a client may see: those that all clients share
    /// (home, proxies, certificates, …) and those that `own` names (`CARGO_*`), but never those of `run`
    /// itself.
    pub(crate) fn for_client(&self, own: &[&str]) -> BTreeMap<OsString, OsString> {
        environment::for_client(&self.variables, own)
    }

    /// Returns the variables of [`Self::for_client`] and those that files of the checkout may refer to.
    pub(crate) fn for_client_and_lent(&self, own: &[&str]) -> BTreeMap<OsString, OsString> {
        let lent = self.lent.iter().map(String::as_str);
        self.for_client(&own.iter().copied().chain(lent).collect::<Vec<_>>())
    }

    /// Returns true if files of the checkout may refer to this variable.
    pub(crate) fn is_lent(&self, name: &str) -> bool {
        self.lent.iter().any(|lent| lent == name)
    }
}

/// The clients of registries and what belongs to them. Each program is a name that is looked up in `PATH`, or
/// a path.
#[derive(Clone, Debug)]
pub struct Programs {
    /// A Python that has pip. It is run as `python -m pip`.
    pub python: OsString,
    /// Cargo, 1.82 or newer.
    pub cargo: OsString,
    /// The client of npm registries.
    pub npm: OsString,
    /// The go command, which fetches modules that no proxy has.
    pub go: OsString,
    /// Git, which fetches packages from repositories.
    pub git: OsString,
    /// rustup, the installer of Rust toolchains.
    pub rustup: OsString,
    /// `apt-config`, which prints apt's configuration. If it is installed, its proxies are used.
    pub apt_config: OsString,
    /// `gpgv`, which verifies the signature of Debian's release files if it is installed.
    pub gpgv: OsString,
    /// The folder of apt's configuration, with `sources.list` and `sources.list.d`.
    pub apt_folder: PathBuf,
    /// The folder of Debian's archive keyrings.
    pub keyrings: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            cargo: "cargo".into(),
            npm: "npm".into(),
            go: "go".into(),
            git: "git".into(),
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

/// A proxy for URLs of one scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The scheme of the URLs: `http`, `https`, or `all` for both.
    pub scheme: String,
    /// The proxy's URL.
    pub url: String,
}

/// The settings by which URLs are fetched.
#[derive(Clone, Debug)]
pub struct Network {
    /// True if the network must not be used at all.
    pub offline: bool,
    /// The proxies. The first one whose scheme fits a URL is used.
    pub proxies: Vec<Proxy>,
    /// The hosts that are reached without a proxy, in the format of the `NO_PROXY` variable.
    pub no_proxy: Option<String>,
    /// A PEM file with the certificate authorities to trust instead of the system's (`SSL_CERT_FILE`).
    pub certificates: Option<PathBuf>,
    /// The longest time that connecting may take.
    pub connect_timeout: Duration,
    /// The longest time that a server may send nothing.
    pub idle_timeout: Duration,
    /// The number of times that a fetch is tried in all.
    pub attempts: u32,
    /// The pause after the first failed try. It doubles after each further one.
    pub pause: Duration,
    /// The number of packages that are fetched and unpacked at once.
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
    /// Reads proxies and certificates from the variables of an environment. The variables of proxies have the
    /// names that curl reads (`https_proxy`), in lower or upper case. An empty variable counts as unset.
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
            no_proxy: variable("no_proxy").or_else(|| variable("NO_PROXY")),
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
