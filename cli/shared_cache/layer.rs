//! Reads what one place of the configuration says about the shared cache: the flags, the environment, the user's
//! configuration, or run.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use cache::DigestFunction;
use rules::manifest::{Cache, Download, Manifest, RemoteUrl, Size, Time};
use serde::{Deserialize, Deserializer, de};

use super::headers::HeaderConfig;
use crate::arguments::{self, SharedCacheFlags};
use crate::command_error::CommandError;

/// The word that stands for no shared cache.
pub(super) const NONE: &str = "none";

/// The settings that one place of the configuration has. What it does not say is `None`, or empty.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) remote: Option<Remote>,
    pub(super) instance: Option<String>,
    pub(super) headers: BTreeMap<String, HeaderConfig>,
    pub(super) upload: Option<bool>,
    pub(super) required: Option<bool>,
    pub(super) timeout: Option<Duration>,
    pub(super) retries: Option<u16>,
    pub(super) max_connections: Option<u16>,
    pub(super) bandwidth: Option<u64>,
    pub(super) tls_roots: Vec<PathBuf>,
    pub(super) client_certificate: Option<PathBuf>,
    pub(super) client_key: Option<PathBuf>,
    pub(super) download: Option<Download>,
    pub(super) digest_function: Option<DigestFunction>,
    pub(super) trusted_keys: Vec<String>,
    pub(super) require_signed: Option<bool>,
    pub(super) signing_key: Option<String>,
}

/// A cache, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remote {
    None,
    At(RemoteUrl),
}

/// The layers that don't depend on a project.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layers {
    pub(super) environment: Layer,
    pub(super) user: Layer,
    /// The size that the store may have, from the user's configuration.
    pub(crate) max_size: Option<u64>,
}

/// The section `[cache]` of the user's configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CacheConfig {
    #[serde(default, deserialize_with = "parsed")]
    remote: Option<Remote>,
    instance: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, HeaderConfig>,
    upload: Option<bool>,
    #[serde(default, deserialize_with = "parsed")]
    timeout: Option<Time>,
    retries: Option<u16>,
    max_connections: Option<u16>,
    #[serde(default, deserialize_with = "parsed")]
    bandwidth: Option<Size>,
    #[serde(default)]
    tls_roots: Vec<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
    #[serde(default, deserialize_with = "parsed")]
    download: Option<Download>,
    #[serde(default, deserialize_with = "parsed")]
    digest_function: Option<DigestFunction>,
    #[serde(default)]
    trusted_keys: Vec<String>,
    require_signed: Option<bool>,
    signing_key: Option<PathBuf>,
    #[serde(default, deserialize_with = "parsed")]
    max_size: Option<Size>,
}

/// Reads a text, if there is one, and parses it.
fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: std::fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

impl FromStr for Remote {
    type Err = rules::manifest::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == NONE { Ok(Self::None) } else { text.parse().map(Self::At) }
    }
}

impl Layers {
    /// Reads the layers of the environment and of the user's configuration, whose file lies in `folder`.
    pub(crate) fn new(
        user: CacheConfig,
        folder: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CommandError> {
        let max_size = user.max_size.map(|Size(size)| size);
        Ok(Self { environment: environment(variable)?, user: of_user(user, folder), max_size })
    }
}

/// Makes the layer of the user's configuration. Relative paths in it are relative to its folder.
fn of_user(config: CacheConfig, folder: Option<&Path>) -> Layer {
    let path = |path: PathBuf| folder.map_or_else(|| path.clone(), |folder| folder.join(&path));
    Layer {
        remote: config.remote,
        instance: config.instance,
        headers: config.headers,
        upload: config.upload,
        required: None,
        timeout: config.timeout.map(|Time(time)| time),
        retries: config.retries,
        max_connections: config.max_connections,
        bandwidth: config.bandwidth.map(|Size(size)| size),
        tls_roots: config.tls_roots.into_iter().map(path).collect(),
        client_certificate: config.client_certificate.map(path),
        client_key: config.client_key.map(path),
        download: config.download,
        digest_function: config.digest_function,
        trusted_keys: config.trusted_keys,
        require_signed: config.require_signed,
        signing_key: config.signing_key.map(|key| path(key).to_string_lossy().into_owned()),
    }
}

/// Reads the variables of the environment.
fn environment(variable: impl Fn(&str) -> Option<String>) -> Result<Layer, CommandError> {
    let headers = variable("RUN_REMOTE_HEADERS").unwrap_or_default();
    let keys = variable("RUN_CACHE_TRUSTED_KEYS").unwrap_or_default();
    let keys = keys.split([',', ' ', '\n']).filter(|key| !key.is_empty());
    Ok(Layer {
        remote: parse("RUN_REMOTE_CACHE", &variable)?,
        instance: variable("RUN_REMOTE_INSTANCE"),
        headers: lines("RUN_REMOTE_HEADERS", &headers)?,
        upload: switch("RUN_REMOTE_UPLOAD", &variable)?,
        required: switch("RUN_REMOTE_REQUIRED", &variable)?,
        download: parse("RUN_REMOTE_DOWNLOAD", &variable)?,
        trusted_keys: keys.map(str::to_owned).collect(),
        require_signed: switch("RUN_CACHE_REQUIRE_SIGNED", &variable)?,
        signing_key: variable("RUN_CACHE_SIGNING_KEY"),
        ..Layer::default()
    })
}

fn parse<T: FromStr<Err = rules::manifest::Invalid>>(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<T>, CommandError> {
    let Some(text) = variable(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|invalid: rules::manifest::Invalid| wrong(name, &invalid))
}

pub(super) fn wrong(place: &str, invalid: &rules::manifest::Invalid) -> CommandError {
    let error = CommandError::usage(format!("{place}: {}", invalid.message));
    invalid.help.iter().fold(error.hint(invalid.expected.clone()), CommandError::hint)
}

/// Reads a variable that is on or off.
pub(super) fn switch(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<bool>, CommandError> {
    match variable(name).as_deref() {
        None => Ok(None),
        Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
        Some("0" | "false" | "no" | "off") => Ok(Some(false)),
        Some(other) => Err(CommandError::usage(format!("{name} is `{other}`"))
            .hint("it has to be `true` or `false`")),
    }
}

/// Reads headers, one in each line.
fn lines(name: &str, text: &str) -> Result<BTreeMap<String, HeaderConfig>, CommandError> {
    let mut headers = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((header, value)) = line.split_once(':') else {
            // The line may be a secret, so it is not shown.
            let message = format!("line {} of {name} is not a header", number + 1);
            return Err(CommandError::usage(message).hint("write `name: value`"));
        };
        let value = HeaderConfig::Text(value.trim().to_owned());
        headers.insert(header.trim().to_ascii_lowercase(), value);
    }
    Ok(headers)
}

/// Makes the layer of the flags.
pub(super) fn of_flags(flags: &SharedCacheFlags) -> Result<Layer, CommandError> {
    let remote = flags.remote.as_deref().filter(|text| !text.is_empty());
    let remote = remote.map(str::parse).transpose().map_err(|invalid| wrong("--remote", &invalid));
    let download = |download| match download {
        arguments::Download::All => Download::All,
        arguments::Download::Toplevel => Download::Toplevel,
        arguments::Download::Minimal => Download::Minimal,
    };
    Ok(Layer {
        remote: remote?,
        upload: (flags.upload || flags.no_upload).then_some(flags.upload),
        required: flags.remote_required.then_some(true),
        download: flags.download.map(download),
        ..Layer::default()
    })
}

/// Makes the layer of run.toml. In its headers, only variables that the user lends are filled in.
pub(super) fn of_project(manifest: &Manifest) -> Layer {
    let Cache {
        remote,
        instance,
        headers,
        upload,
        timeout,
        retries,
        max_connections,
        bandwidth,
        tls_roots,
        download,
        digest_function,
        trusted_keys,
        require_signed,
    } = &manifest.cache;
    let header = |text: &str| HeaderConfig::OfCheckout(text.to_owned());
    let headers = headers.iter().map(|(name, value)| (name.clone(), header(value.0.expose())));
    Layer {
        remote: remote.as_ref().map(|url| Remote::At(url.value.clone())),
        instance: instance.as_ref().map(|instance| instance.value.clone()),
        headers: headers.collect(),
        upload: upload.map(|upload| upload.value),
        timeout: timeout.map(|timeout| timeout.value.0),
        retries: retries.map(|retries| retries.value),
        max_connections: max_connections.map(|connections| connections.value),
        bandwidth: bandwidth.map(|bandwidth| bandwidth.value.0),
        tls_roots: tls_roots.iter().map(|path| path.on_disk(manifest.project_dir())).collect(),
        download: download.map(|download| download.value),
        digest_function: digest_function.map(|function| function.value),
        trusted_keys: trusted_keys.iter().map(|key| key.value.clone()).collect(),
        require_signed: require_signed.map(|required| required.value),
        ..Layer::default()
    }
}
