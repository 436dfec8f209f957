//! Decides which registries of packages a command uses, and where the logins for them are.
//!
//! run.toml names the registry and its mirrors, and `RUN_REGISTRY_URL` goes before it. Registries of single namespaces come
//! from the user's configuration, `[registries]`, or from that of wkg. A checkout can name a registry, but logins are kept
//! by host and sent to that host alone. Only the token of `RUN_AUTH_TOKEN` goes to whatever `[registry] url` names, because
//! it is meant for that.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use project::Project;
use registry::{Address, Registries, Secret, Settings, Source, Token, WkgSettings};
use rules::package::Network;
use sandbox::Cancel;
use serde::Deserialize;

use crate::command_error::{CommandError, Kind};
use crate::config::Config;

/// The size of the largest configuration of wkg that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The variables that a credential helper of docker may need.
const OF_HELPERS: [&str; 12] = [
    "HOME",
    "PATH",
    "USER",
    "LANG",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GNUPGHOME",
    "GPG_TTY",
    "HTTPS_PROXY",
    "https_proxy",
];

/// A registry in `[registries]` of the user's configuration: an address, or an address with mirrors.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum RegistryConfig {
    Url(String),
    WithMirrors(WithMirrors),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithMirrors {
    url: String,
    #[serde(default)]
    mirrors: Vec<String>,
}

/// Returns the registries of a project's packages.
pub(crate) fn of_project(
    config: &Config,
    project: &Project,
    cancel: &Cancel,
) -> Result<Registries, CommandError> {
    let registry = &project.manifest.registry;
    let mut settings = Settings::new(address(registry.url.as_str())?);
    settings.default.mirrors =
        registry.mirrors.iter().map(|url| address(url.as_str())).collect::<Result<_, _>>()?;
    // wkg's own settings first: what the user has told `run` goes before them.
    if let Some(wkg) = wkg(config)? {
        wkg.add_to(&mut settings, "the configuration of wkg");
    }
    for (namespace, registry) in &config.package_registries {
        settings.namespaces.insert(namespace.clone(), source(registry)?);
    }
    settings.token = registry.auth_token.as_ref().map(|token| Token {
        secret: Secret::new(token.value.expose()),
        from: if config.auth_token.is_some() {
            "RUN_AUTH_TOKEN"
        } else {
            "`[registry] auth_token`"
        }
        .to_owned(),
    });
    settings.login_file = login_file(config);
    settings.docker_config = docker_config(config);
    settings.helpers.path = variable(config, "PATH").unwrap_or_default();
    settings.helpers.variables = of_helpers(config);
    settings.network = network(config);
    settings.kept = Some(kept(project)?);
    let cancel = cancel.clone();
    settings.cancelled = Arc::new(move || cancel.is_cancelled());
    Ok(Registries::new(settings))
}

/// Returns how servers are reached: the user's proxies and certificates.
pub(crate) fn network(config: &Config) -> registry::Network {
    let Network { offline, proxies, no_proxy, certificates, .. } =
        Network::of(&config.client_environment, config.offline);
    let proxies = proxies.into_iter();
    let proxies = proxies.map(|proxy| registry::Proxy { scheme: proxy.scheme, url: proxy.url });
    registry::Network {
        offline,
        proxies: proxies.collect(),
        no_proxy,
        certificates,
        ..registry::Network::default()
    }
}

/// Returns the folder of kept downloads. A link in its place is refused: a checkout could lead it anywhere.
fn kept(project: &Project) -> Result<PathBuf, project::Error> {
    project.refuse_linked_folder()?;
    let folder = project.downloads();
    if folder.is_symlink() { Err(project::Error::LinkedFolder(folder)) } else { Ok(folder) }
}

/// Returns the file with the logins of `run login`.
pub(crate) fn login_file(config: &Config) -> Option<PathBuf> {
    config.folder.as_ref().map(|folder| folder.join("logins.toml"))
}

fn source(config: &RegistryConfig) -> Result<Source, CommandError> {
    let (url, mirrors) = match config {
        RegistryConfig::Url(url) => (url, &Vec::new()),
        RegistryConfig::WithMirrors(WithMirrors { url, mirrors }) => (url, mirrors),
    };
    let mirrors = mirrors.iter().map(|url| address(url)).collect::<Result<_, _>>()?;
    Ok(Source { registry: address(url)?, mirrors })
}

fn address(text: &str) -> Result<Address, CommandError> {
    text.parse().map_err(|error| CommandError::from_error(Kind::Usage, &error))
}

fn variable(config: &Config, name: &str) -> Option<OsString> {
    config.client_environment.get(OsStr::new(name)).filter(|value| !value.is_empty()).cloned()
}

fn of_helpers(config: &Config) -> BTreeMap<OsString, OsString> {
    let value = |name: &&str| Some((OsString::from(name), variable(config, name)?));
    OF_HELPERS.iter().filter_map(value).collect()
}

fn docker_config(config: &Config) -> Option<PathBuf> {
    let folder = variable(config, "DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(variable(config, "HOME")?).join(".docker"));
    folder.or_else(home).map(|folder| folder.join("config.json"))
}

/// Reads the configuration of wkg, if there is one.
fn wkg(config: &Config) -> Result<Option<WkgSettings>, CommandError> {
    let named = variable(config, "WKG_CONFIG_FILE").map(PathBuf::from);
    let folder = variable(config, "XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(variable(config, "HOME")?).join(".config")));
    let file = named.or_else(|| Some(folder?.join("wasm-pkg/config.toml")));
    let Some(file) = file else { return Ok(None) };
    let text = match cache::read_regular_to_string(&file, LONGEST) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let message = format!("cannot read {}", file.display());
            return Err(CommandError::environment(message).caused_by(&source));
        }
    };
    WkgSettings::parse(&text).map(Some).map_err(|error| {
        CommandError::usage(format!("{} can't be used", file.display())).caused_by(&error)
    })
}
