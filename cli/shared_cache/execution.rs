//! Reads what the configuration says about the cluster that executes actions, and chooses the cluster of a build.
//!
//! The layers are those of the shared cache, and count in the same order. What they say about the connection to a server
//! is the same, too, so each has a [`Layer`]. Where the cluster is at the address of the shared cache, what the user says about
//! the credentials of that address holds for both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cache::DigestFunction;
use remote::Settings;
use rules::manifest::{Manifest, RemoteUrl};
use serde::Deserialize;

use super::choose::{Chooser, named};
use super::headers::HeaderConfig;
use super::layer::{self, Layer, Layers, Remote};
use crate::arguments::{ExecutionFlags, SharedCacheFlags};
use crate::command_error::CommandError;
use crate::config::Config;

/// The default of `jobs`.
const JOBS: u16 = 16;

/// The settings of the cluster that one place of the configuration has.
#[derive(Debug, Clone, Default)]
struct ExecutionLayer {
    server: Layer,
    jobs: Option<u16>,
    platform: BTreeMap<String, String>,
    local_fallback: Option<bool>,
    accept_unsigned: Option<bool>,
}

/// The layers that don't depend on a project.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExecutionLayers {
    environment: ExecutionLayer,
    user: ExecutionLayer,
}

/// The section `[execution]` of the user's configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExecutionConfig {
    remote: Option<String>,
    instance: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, HeaderConfig>,
    #[serde(default)]
    tls_roots: Vec<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
    jobs: Option<u16>,
    #[serde(default)]
    platform: BTreeMap<String, String>,
    local_fallback: Option<bool>,
    accept_unsigned: Option<bool>,
}

/// The cluster of a build, as the configuration chooses it.
pub(super) struct ClusterChoice {
    /// The settings of its client.
    pub(super) settings: Settings,
    /// The address, as it is written.
    pub(super) url: RemoteUrl,
    /// True if the user has named the cluster, and not only the checkout has.
    pub(super) is_trusted: bool,
    pub(super) jobs: usize,
    pub(super) platform: BTreeMap<String, String>,
    pub(super) falls_back: bool,
    /// The reason why nothing may be executed there, although it is configured.
    pub(super) objection: Option<Objection>,
}

/// The reason why results of a cluster can't be used: they are not signed, and have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objection {
    /// The user requires signatures, so only the user can make an exception, for a cluster that they name.
    OfUser,
    /// Only run.toml requires signatures.
    OfProject,
}

impl ExecutionLayers {
    /// Reads the layers of the environment and of the user's configuration, whose file lies in `folder`.
    pub(crate) fn new(
        user: ExecutionConfig,
        folder: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, CommandError> {
        const VARIABLE: &str = "RUN_REMOTE_EXECUTION";
        let remote = variable(VARIABLE).map(|text| address(VARIABLE, &text)).transpose()?;
        let environment = ExecutionLayer {
            server: Layer { remote, ..Layer::default() },
            accept_unsigned: layer::switch("RUN_REMOTE_EXECUTION_ACCEPT_UNSIGNED", &variable)?,
            ..Default::default()
        };
        Ok(Self { environment, user: of_user(user, folder)? })
    }
}

/// Parses the address of a cluster, or the word for none.
fn address(place: &str, text: &str) -> Result<Remote, CommandError> {
    if text == layer::NONE {
        return Ok(Remote::None);
    }
    let url = RemoteUrl::of_cluster(text).map_err(|invalid| layer::wrong(place, &invalid))?;
    Ok(Remote::At(url))
}

fn of_user(config: ExecutionConfig, folder: Option<&Path>) -> Result<ExecutionLayer, CommandError> {
    const PLACE: &str = "`[execution] remote` of your configuration";
    let path = |path: PathBuf| folder.map_or_else(|| path.clone(), |folder| folder.join(&path));
    let remote = config.remote.as_deref().map(|text| address(PLACE, text)).transpose()?;
    let server = Layer {
        remote,
        instance: config.instance,
        headers: config.headers,
        tls_roots: config.tls_roots.into_iter().map(path).collect(),
        client_certificate: config.client_certificate.map(path),
        client_key: config.client_key.map(path),
        ..Layer::default()
    };
    let ExecutionConfig { jobs, platform, local_fallback, accept_unsigned, .. } = config;
    Ok(ExecutionLayer { server, jobs, platform, local_fallback, accept_unsigned })
}

fn of_flags(flags: &ExecutionFlags) -> Result<ExecutionLayer, CommandError> {
    let text = flags.execute.as_deref().filter(|text| !text.is_empty());
    let remote = text.map(|text| address("--execute", text)).transpose()?;
    Ok(ExecutionLayer { server: Layer { remote, ..Layer::default() }, ..Default::default() })
}

fn of_project(manifest: &Manifest) -> ExecutionLayer {
    let execution = &manifest.execution;
    let header = |text: &str| HeaderConfig::OfCheckout(text.to_owned());
    let headers = execution.headers.iter();
    let headers = headers.map(|(name, value)| (name.clone(), header(value.0.expose())));
    let server = Layer {
        remote: execution.remote.as_ref().map(|url| Remote::At(url.value.clone())),
        instance: execution.instance.as_ref().map(|instance| instance.value.clone()),
        headers: headers.collect(),
        ..Layer::default()
    };
    let platform = execution.platform.iter();
    ExecutionLayer {
        server,
        jobs: execution.jobs.map(|jobs| jobs.value),
        platform: platform.map(|(name, value)| (name.clone(), value.value.clone())).collect(),
        local_fallback: execution.local_fallback.map(|flag| flag.value),
        accept_unsigned: execution.accept_unsigned.map(|flag| flag.value),
    }
}

impl ClusterChoice {
    /// Chooses the cluster for a project. Returns `None` if there is none.
    ///
    /// # Errors
    /// If something in the configuration is wrong, or a file that it names can't be read.
    pub(super) fn new(
        config: &Config,
        flags: (&ExecutionFlags, &SharedCacheFlags),
        manifest: &Manifest,
    ) -> Result<Option<Self>, CommandError> {
        let (of_flags, of_project) = (of_flags(flags.0)?, of_project(manifest));
        let ExecutionLayers { environment, user } = &config.execution;
        let trusted = [&of_flags, environment, user];
        let named = named(trusted.map(|layer| &layer.server), &of_project.server);
        let Some((url, is_trusted)) = named.filter(|_| !config.offline) else { return Ok(None) };
        let caches = cache_layers(config, flags.1, manifest)?;
        let objection = objection(&caches, &url, (is_trusted, trusted), &of_project);
        let chooser = Chooser {
            config,
            url: &url,
            is_trusted,
            trusted: servers(&trusted, &caches[..3], &url),
            project: servers(&[&of_project], &caches[3..], &url),
        };
        let settings = Settings { upload: true, signing_key: None, ..chooser.settings()? };
        let all = || trusted.into_iter().chain([&of_project]);
        let mut platform = BTreeMap::new();
        for layer in all() {
            for (name, value) in &layer.platform {
                platform.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Ok(Some(Self {
            settings,
            url,
            is_trusted,
            jobs: all().find_map(|layer| layer.jobs).unwrap_or(JOBS).into(),
            platform,
            falls_back: all().find_map(|layer| layer.local_fallback).unwrap_or(true),
            objection,
        }))
    }

    /// Has the cluster use a digest function, which the cache of the build has.
    pub(super) fn insist_on(&mut self, function: DigestFunction) {
        self.settings.digest_function = Some(function);
    }
}

/// Tells if results have to be signed, although nobody who may says that those of this cluster need not be. Who requires
/// signatures may make the exception; the user may always. What a layer says is meant for the cluster that it names, and
/// nothing that the user says is meant for a cluster that only the checkout names.
fn objection(
    caches: &[Layer; 4],
    url: &RemoteUrl,
    (is_trusted, users): (bool, [&ExecutionLayer; 3]),
    project: &ExecutionLayer,
) -> Option<Objection> {
    let requires = |layer: &Layer| layer.require_signed == Some(true);
    let objection = match caches {
        [flags, environment, user, _] if [flags, environment, user].into_iter().any(requires) => {
            Objection::OfUser
        }
        [.., project] if requires(project) => Objection::OfProject,
        _ => return None,
    };
    let same = Remote::At(url.clone());
    let is_for =
        |layer: &&ExecutionLayer| layer.server.remote.as_ref().is_none_or(|it| *it == same);
    let of_users = users.into_iter().filter(|_| is_trusted).filter(is_for);
    let of_project = Some(project).filter(|_| objection == Objection::OfProject).filter(is_for);
    let accepts = of_users.chain(of_project).find_map(|layer| layer.accept_unsigned);
    (accepts != Some(true)).then_some(objection)
}

/// Returns what is said about the shared cache: by the flags, the environment, the user, and the project.
fn cache_layers(
    config: &Config,
    flags: &SharedCacheFlags,
    manifest: &Manifest,
) -> Result<[Layer; 4], CommandError> {
    let Layers { environment, user, .. } = &config.shared_cache;
    let (flags, project) = (layer::of_flags(flags)?, layer::of_project(manifest));
    Ok([flags, environment.clone(), user.clone(), project])
}

/// Returns what is said about a server: by the layers of the cluster, and by those of the cache that name the same address.
fn servers<'a>(
    layers: &[&'a ExecutionLayer],
    caches: &'a [Layer],
    url: &RemoteUrl,
) -> Vec<&'a Layer> {
    let same = Some(Remote::At(url.clone()));
    let caches = caches.iter().filter(|layer| layer.remote == same);
    layers.iter().map(|layer| &layer.server).chain(caches).collect()
}
