//! Everything that registries depend on, as values. Whoever makes a [`Registries`](crate::Registries) has read
//! the environment already; only files of credentials are read here, by their paths, when they are needed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::credentials::{Helpers, Host, Login, Token};
use crate::package::PackageId;

/// Says whether the command was cancelled. It is asked again and again.
pub type Cancelled = Arc<dyn Fn() -> bool + Send + Sync>;

/// Something that happens while a server is asked. URLs are without their query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A request failed and is made again after a pause.
    Retrying {
        /// The URL.
        url: &'a str,
        /// The number of tries so far.
        attempt: u32,
        /// The reason of the failure.
        reason: &'a str,
    },
    /// A part of a package has come.
    Receiving {
        /// The URL.
        url: &'a str,
        /// The number of bytes so far.
        done: u64,
        /// The number of bytes in all, if it is known.
        total: Option<u64>,
    },
}

/// Is told what happens while servers are asked. It may be called from several threads at once.
pub type Watch = Arc<dyn Fn(Event<'_>) + Send + Sync>;

/// The settings of registries.
#[derive(Clone)]
pub struct Settings {
    /// The registry of all packages that nothing else is said of, with its mirrors.
    pub default: Source,
    /// The registries of single namespaces.
    pub namespaces: BTreeMap<String, Source>,
    /// The registries of single packages. They go before those of namespaces.
    pub packages: BTreeMap<PackageId, Source>,
    /// The token for the default registry.
    pub token: Option<Token>,
    /// Logins that come from elsewhere, such as the configuration of wkg, with the name of that place.
    pub logins: BTreeMap<Host, (Login, String)>,
    /// The file that `run login` writes.
    pub login_file: Option<PathBuf>,
    /// Docker's `config.json`.
    pub docker_config: Option<PathBuf>,
    /// The environment of credential helpers.
    pub helpers: Helpers,
    /// Proxies, certificates, and how patient to be.
    pub network: Network,
    /// The folder of kept downloads, such as `.run/cache`.
    pub kept: Option<PathBuf>,
    /// Says whether the command was cancelled.
    pub cancelled: Cancelled,
    /// Is told what happens while servers are asked.
    pub watch: Watch,
}

/// A registry and its mirrors, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The registry. What it says is true even if a mirror says something else.
    pub registry: Address,
    /// The mirrors. They are asked when the registry can't be reached.
    pub mirrors: Vec<Address>,
}

/// A proxy for URLs of one scheme.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The scheme of the URLs: `http`, `https`, or `all` for both.
    pub scheme: String,
    /// The proxy's URL. It may hold a password, so `Debug` does not show it.
    pub url: String,
}

/// The settings by which servers are reached.
#[derive(Clone, Debug)]
pub struct Network {
    /// True if the network must not be used at all.
    pub offline: bool,
    /// The name by which servers know this program.
    pub user_agent: String,
    /// The proxies. The first one whose scheme fits a URL is used.
    pub proxies: Vec<Proxy>,
    /// The hosts that are reached without a proxy, in the format of the `NO_PROXY` variable.
    pub no_proxy: Option<String>,
    /// A PEM file with the certificate authorities to trust instead of the system's (`SSL_CERT_FILE`).
    pub certificates: Option<PathBuf>,
    /// The longest time that connecting may take.
    pub connect_timeout: Duration,
    /// The longest time that a server may send nothing. After that time it also has to have sent as many bytes as
    /// a slow line would.
    pub idle_timeout: Duration,
    /// The number of times that a request is made in all.
    pub attempts: u32,
    /// The pause after the first failed try. It doubles after each further one.
    pub pause: Duration,
    /// The longest time for which a server may ask to wait (`Retry-After`). If it asks for more, it counts as down.
    pub longest_wait: Duration,
    /// The size of the largest package that is fetched, in bytes.
    pub largest_package: u64,
}

impl Settings {
    /// Makes settings with one registry and the usual patience, which log in nowhere and keep nothing.
    #[must_use]
    pub fn new(registry: Address) -> Self {
        Self {
            default: Source { registry, mirrors: Vec::new() },
            namespaces: BTreeMap::new(),
            packages: BTreeMap::new(),
            token: None,
            logins: BTreeMap::new(),
            login_file: None,
            docker_config: None,
            helpers: Helpers { time_limit: Duration::from_secs(30), ..Helpers::default() },
            network: Network::default(),
            kept: None,
            cancelled: Arc::new(|| false),
            watch: Arc::new(|_| {}),
        }
    }

    /// Returns the source of a package.
    #[must_use]
    pub fn source(&self, package: &PackageId) -> &Source {
        let own = self.packages.get(package);
        own.or_else(|| self.namespaces.get(package.namespace())).unwrap_or(&self.default)
    }
}

impl From<Address> for Source {
    fn from(registry: Address) -> Self {
        Self { registry, mirrors: Vec::new() }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            offline: false,
            user_agent: concat!("run/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxies: Vec::new(),
            no_proxy: None,
            certificates: None,
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            attempts: 4,
            pause: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            largest_package: 512 << 20,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("default", &self.default)
            .field("namespaces", &self.namespaces)
            .field("packages", &self.packages)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}
