//! The configuration file of wkg (`wasm-pkg/config.toml`), of which everything is read that this crate can use.
//!
//! A registry of wkg is a host. What it speaks is asked, as for any other address, unless the file says it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::address::{Address, AddressError};
use crate::credentials::{Host, HostError, Login};
use crate::package::{PackageError, PackageId};
use crate::secret::Secret;
use crate::settings::{Settings, Source};

/// The settings in a configuration of wkg.
#[derive(Clone, Debug, Default)]
pub struct WkgSettings {
    /// The registry of all packages that nothing else is said of.
    pub default: Option<Address>,
    /// The registries of namespaces.
    pub namespaces: BTreeMap<String, Address>,
    /// The registries of single packages.
    pub packages: BTreeMap<PackageId, Address>,
    /// The logins.
    pub logins: BTreeMap<Host, Login>,
}

/// The reason why a configuration of wkg can't be used.
#[derive(Debug, thiserror::Error)]
pub enum WkgError {
    /// The text is not such a configuration. The message says where, and not what stands there.
    #[error("the configuration of wkg is malformed{}", at(.line))]
    Malformed {
        /// The line, if it is known.
        line: Option<usize>,
    },
    /// A registry is not the name of a host.
    #[error("the configuration of wkg names a registry that can't be used")]
    Address(#[from] AddressError),
    /// A table is named after something that is not a host.
    #[error("the configuration of wkg names a registry that can't be used")]
    Host(#[from] HostError),
    /// A package has no valid name.
    #[error("the configuration of wkg names a package that can't be used")]
    Package(#[from] PackageError),
    /// The credentials of a host are neither a name and a password nor the two in base64.
    #[error("the configuration of wkg has credentials for {host} that can't be used")]
    Credentials {
        /// The host.
        host: String,
    },
    /// A protocol is not known.
    #[error(
        "the configuration of wkg has the protocol `{protocol}` for {host}, which is not known"
    )]
    Protocol {
        /// The host.
        host: String,
        /// The protocol.
        protocol: String,
    },
}

#[derive(Deserialize)]
struct File {
    default_registry: Option<String>,
    #[serde(default)]
    namespace_registries: BTreeMap<String, Mapping>,
    #[serde(default)]
    package_registry_overrides: BTreeMap<String, Mapping>,
    #[serde(default)]
    registry: BTreeMap<String, Registry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Mapping {
    Host(String),
    Custom { registry: String, metadata: Metadata },
}

/// The facts that a registry tells of itself, in a configuration or under `/.well-known/wasm-pkg/registry.json`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) preferred_protocol: Option<String>,
    pub(crate) oci: Option<OciMetadata>,
    /// Older names of the fields of `oci`.
    oci_registry: Option<String>,
    oci_namespace_prefix: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OciMetadata {
    pub(crate) registry: Option<String>,
    pub(crate) namespace_prefix: Option<String>,
}

#[derive(Default, Deserialize)]
struct Registry {
    #[serde(alias = "type")]
    default: Option<String>,
    oci: Option<Oci>,
    local: Option<Local>,
}

#[derive(Default, Deserialize)]
struct Oci {
    auth: Option<Auth>,
    protocol: Option<String>,
}

#[derive(Deserialize)]
struct Local {
    root: std::path::PathBuf,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Auth {
    Base64(String),
    Password { username: String, password: String },
}

impl WkgSettings {
    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// See [`WkgError`].
    pub fn parse(text: &str) -> Result<Self, WkgError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
            WkgError::Malformed { line }
        })?;
        let mut settings = Self {
            default: file.default_registry.as_ref().map(|host| file.address(host)).transpose()?,
            ..Self::default()
        };
        for (namespace, mapping) in &file.namespace_registries {
            // The name of a package of this namespace is checked, so that a namespace is never a path.
            PackageId::new(namespace, "a")?;
            settings.namespaces.insert(namespace.clone(), file.mapped(mapping)?);
        }
        for (package, mapping) in &file.package_registry_overrides {
            settings.packages.insert(package.parse()?, file.mapped(mapping)?);
        }
        for (host, registry) in &file.registry {
            let Some(oci) = &registry.oci else { continue };
            let Some(auth) = &oci.auth else { continue };
            let parsed: Host = host.parse()?;
            let parsed = if file.is_plain(host)? { parsed.unencrypted() } else { parsed };
            let login = auth.login().ok_or_else(|| WkgError::Credentials { host: host.clone() })?;
            settings.logins.insert(parsed, login);
        }
        Ok(settings)
    }

    /// Adds what the configuration says of namespaces, packages and logins to settings. What they say already goes
    /// before it, and `from` names the file in errors. The default registry is left to the caller.
    pub fn add_to(self, settings: &mut Settings, from: &str) {
        for (namespace, address) in self.namespaces {
            settings.namespaces.entry(namespace).or_insert_with(|| Source::from(address));
        }
        for (package, address) in self.packages {
            settings.packages.entry(package).or_insert_with(|| Source::from(address));
        }
        for (host, login) in self.logins {
            settings.logins.entry(host).or_insert_with(|| (login, from.to_owned()));
        }
    }
}

impl File {
    /// Returns true if a host is spoken to over plain http.
    fn is_plain(&self, host: &str) -> Result<bool, WkgError> {
        let oci = self.registry.get(host).and_then(|registry| registry.oci.as_ref());
        match oci.and_then(|oci| oci.protocol.as_deref()) {
            None | Some("https") => Ok(false),
            Some("http") => Ok(true),
            Some(other) => Err(WkgError::Protocol {
                host: host.to_owned(),
                protocol: crate::text::printable(other, 40),
            }),
        }
    }

    fn address(&self, host: &str) -> Result<Address, WkgError> {
        if host.contains('/') {
            let url = crate::text::printable(host, 100);
            let reason = "a registry of wkg is a host without a scheme and a path".to_owned();
            return Err(AddressError::Malformed { url, reason }.into());
        }
        let registry = self.registry.get(host);
        let is_local = registry.and_then(|registry| registry.default.as_deref()) == Some("local");
        match registry.and_then(|registry| registry.local.as_ref()) {
            Some(local) if is_local || registry.is_some_and(|registry| registry.oci.is_none()) => {
                Ok(Address::directory(&local.root))
            }
            _ => {
                let scheme = if self.is_plain(host)? { "http" } else { "https" };
                Ok(format!("{scheme}://{host}").parse()?)
            }
        }
    }

    fn mapped(&self, mapping: &Mapping) -> Result<Address, WkgError> {
        match mapping {
            Mapping::Host(host) => self.address(host),
            Mapping::Custom { registry, metadata } => match metadata.oci(registry) {
                Some(oci) => {
                    let host = oci.registry.unwrap_or_else(|| registry.clone());
                    // How a host is spoken to may be said of the registry or of the host that it refers to.
                    let secure = !self.is_plain(registry)? && !self.is_plain(&host)?;
                    let prefix = oci.namespace_prefix.unwrap_or_default();
                    Ok(Address::oci(secure, &host, &prefix)?)
                }
                None => self.address(registry),
            },
        }
    }
}

impl Metadata {
    /// Returns where the packages are, if they are in an OCI registry.
    pub(crate) fn oci(&self, registry: &str) -> Option<OciMetadata> {
        let mut oci = self.oci.clone().unwrap_or_default();
        oci.registry = oci.registry.or_else(|| self.oci_registry.clone());
        oci.namespace_prefix = oci.namespace_prefix.or_else(|| self.oci_namespace_prefix.clone());
        let named = oci.registry.is_some() || oci.namespace_prefix.is_some();
        oci.registry.get_or_insert_with(|| registry.to_owned());
        match self.preferred_protocol.as_deref() {
            Some("oci") => Some(oci),
            None if named => Some(oci),
            _ => None,
        }
    }
}

impl Auth {
    fn login(&self) -> Option<Login> {
        match self {
            Self::Base64(text) => crate::credentials::pair(text),
            Self::Password { username, password } => {
                Some(Login::Password { user: username.clone(), password: Secret::new(password) })
            }
        }
    }
}

fn at(line: &Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" at line {line}"))
}
