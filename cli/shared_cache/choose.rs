//! Puts the layers together.

use std::time::Duration;

use cache::DigestFunction;
use remote::{
    Address, ClientCertificate, Header, Proxies, PublicKey, Settings, SigningKey, Tls, Trust,
};
use rules::manifest::{Download, Manifest, RemoteUrl};

use super::layer::{self, Layer, Layers, Remote};
use crate::arguments::SharedCacheFlags;
use crate::command_error::CommandError;
use crate::config::Config;
use crate::ui;

/// The default of `timeout`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The default of `retries`.
const RETRIES: u16 = 3;
/// The default of `max_connections`.
const CONNECTIONS: u16 = 32;
/// The largest file with certificates or keys that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The shared cache of a build, as the configuration chooses it.
pub(crate) struct Choice {
    /// The settings of its client.
    pub(crate) settings: Settings,
    /// The address, as it is written.
    pub(crate) url: RemoteUrl,
    /// True if the user has named the cache, and not only the checkout has.
    pub(crate) is_trusted: bool,
    /// True if a build fails if the cache can't be used.
    pub(crate) required: bool,
    /// The part of results that is downloaded although nothing needs it here.
    pub(crate) download: Download,
}

impl Choice {
    /// Chooses the shared cache for a project, or for all projects if none is given. Returns `None` if there is none.
    ///
    /// # Errors
    /// If something in the configuration is wrong, or a file that it names can't be read.
    pub(crate) fn new(
        config: &Config,
        flags: &SharedCacheFlags,
        manifest: Option<&Manifest>,
    ) -> Result<Option<Self>, CommandError> {
        let flags = layer::of_flags(flags)?;
        let project = manifest.map(layer::of_project).unwrap_or_default();
        let trusted = [&flags, &config.shared_cache.environment, &config.shared_cache.user];
        let named = named(trusted, &project);
        let chosen = named.filter(|_| !config.offline);
        let required = trusted.iter().find_map(|layer| layer.required).unwrap_or(false);
        let Some((url, is_trusted)) = chosen else {
            return if required && !config.offline { Err(nothing_required()) } else { Ok(None) };
        };
        let (trusted, project) = (trusted.to_vec(), vec![&project]);
        let chooser = Chooser { config, url: &url, is_trusted, trusted, project };
        let settings = chooser.settings()?;
        let download = chooser.first(|layer| layer.download).unwrap_or(Download::Toplevel);
        Ok(Some(Self { settings, url, is_trusted, required, download }))
    }
}

/// Returns the address of the server that the layers name, and whether the user has named it.
pub(super) fn named(trusted: [&Layer; 3], project: &Layer) -> Option<(RemoteUrl, bool)> {
    let said_by_user = trusted.iter().find_map(|layer| layer.remote.as_ref());
    match said_by_user.or(project.remote.as_ref())? {
        Remote::None => None,
        Remote::At(url) => Some((url.clone(), said_by_user.is_some())),
    }
}

/// Returns the address of the cache that builds of a project use without further flags, and whether the user has named
/// it.
pub(crate) fn address(config: &Config, manifest: &Manifest) -> Option<(RemoteUrl, bool)> {
    let Layers { environment, user, .. } = &config.shared_cache;
    named([&Layer::default(), environment, user], &layer::of_project(manifest))
}

fn nothing_required() -> CommandError {
    CommandError::usage("a shared cache is required, and none is configured")
        .hint("name one: `--remote URL`, RUN_REMOTE_CACHE, or `[cache] remote` in run.toml")
}

/// The layers, and the address that was chosen among them.
pub(super) struct Chooser<'a> {
    pub(super) config: &'a Config,
    pub(super) url: &'a RemoteUrl,
    pub(super) is_trusted: bool,
    /// The layers that speak for the user, the most important one first.
    pub(super) trusted: Vec<&'a Layer>,
    /// The layers of the checkout.
    pub(super) project: Vec<&'a Layer>,
}

impl<'a> Chooser<'a> {
    fn layers(&self) -> impl Iterator<Item = &'a Layer> {
        self.trusted.iter().chain(&self.project).copied()
    }

    /// Returns what the most important layer says that says anything.
    fn first<T>(&self, value: impl Fn(&Layer) -> Option<T>) -> Option<T> {
        self.layers().find_map(value)
    }

    /// Lists the layers whose credentials and certificates are meant for this cache. A layer that names another cache
    /// means that one, and nothing of the user is meant for a cache that only the checkout names.
    fn meant(&self) -> impl Iterator<Item = &'a Layer> {
        let is_for = |layer: &Layer| match &layer.remote {
            None => true,
            Some(remote) => *remote == Remote::At(self.url.clone()),
        };
        let users = self.trusted.iter().copied().filter(|_| self.is_trusted);
        let same = Some(Remote::At(self.url.clone()));
        let project = self.project.iter().copied().filter(move |layer| layer.remote == same);
        users.filter(move |layer| is_for(layer)).chain(project)
    }

    pub(super) fn settings(&self) -> Result<Settings, CommandError> {
        let url = Address::parse(self.url.as_str())
            .map_err(|error| CommandError::usage(format!("`{}`: {error}", self.url)))?;
        let number = |value: Option<u16>, default| value.unwrap_or(default);
        Ok(Settings {
            url,
            instance: self.first(|layer| layer.instance.clone()).unwrap_or_default(),
            headers: self.headers()?,
            upload: self.first(|layer| layer.upload).unwrap_or(false),
            timeout: self.first(|layer| layer.timeout).unwrap_or(TIMEOUT),
            retries: number(self.first(|layer| layer.retries), RETRIES).into(),
            max_connections: number(self.first(|layer| layer.max_connections), CONNECTIONS).into(),
            bandwidth: self.first(|layer| layer.bandwidth),
            tls: self.tls()?,
            proxies: self.proxies(),
            digest_function: self.digest_function(),
            trust: self.trust()?,
            signing_key: self.signing_key()?,
        })
    }

    /// Returns the digest function that the user or the project insists on.
    fn digest_function(&self) -> Option<DigestFunction> {
        let first = self.first(|layer| layer.digest_function);
        first.or(self.config.chosen_digest_function)
    }

    fn headers(&self) -> Result<Vec<Header>, CommandError> {
        let mut headers = std::collections::BTreeMap::new();
        for (name, header) in self.meant().flat_map(|layer| &layer.headers) {
            headers.entry(name).or_insert(header);
        }
        let mut read = Vec::new();
        for (name, header) in headers {
            let value = header.value(name, self.config)?;
            ui::mask::learn_secret(&value);
            let header = Header::new(name, &value)
                .map_err(|error| CommandError::usage(error.to_string()))?;
            read.push(header);
        }
        Ok(read)
    }

    fn tls(&self) -> Result<Tls, CommandError> {
        let mut roots = Vec::new();
        for path in self.meant().flat_map(|layer| &layer.tls_roots) {
            roots.extend(file("certificates", path)?);
            roots.push(b'\n');
        }
        let first = |path: fn(&Layer) -> Option<&std::path::PathBuf>| self.meant().find_map(path);
        let certificate = first(|layer| layer.client_certificate.as_ref());
        let key = first(|layer| layer.client_key.as_ref());
        let client = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(ClientCertificate {
                certificate: file("the client's certificate", certificate)?,
                key: file("the client's key", key)?,
            }),
            (None, None) => None,
            _ => {
                return Err(CommandError::usage(
                    "`client_certificate` and `client_key` of the shared cache belong together",
                ));
            }
        };
        Ok(Tls { roots: (!roots.is_empty()).then_some(roots), client })
    }

    fn proxies(&self) -> Proxies {
        let either = |name: &str| {
            let upper = || self.config.variable(&name.to_ascii_uppercase());
            self.config.variable(name).or_else(upper)
        };
        Proxies {
            // A CGI server sets HTTP_PROXY from a request header, so only the other spelling counts, as with curl.
            http: self.config.variable("http_proxy"),
            https: either("https_proxy"),
            all: either("all_proxy"),
            no: either("no_proxy"),
        }
    }

    /// Returns whose signatures count. If the user has named keys, or requires signatures, a checkout can't add keys.
    fn trust(&self) -> Result<Trust, CommandError> {
        let require = |layer: &&Layer| layer.require_signed == Some(true);
        let of_user = self.trusted.iter().flat_map(|layer| &layer.trusted_keys);
        let is_up_to_user = of_user.clone().next().is_some() || self.trusted.iter().any(require);
        let of_project = self.project.iter().flat_map(|layer| &layer.trusted_keys);
        let of_project = of_project.filter(|_| !is_up_to_user);
        let key = |text: &String| {
            PublicKey::from_pem(text).map_err(|error| {
                CommandError::usage(format!("`{text}` of `trusted_keys`: {error}"))
            })
        };
        let keys: Result<Vec<_>, _> = of_user.chain(of_project).map(key).collect();
        let (trusted_keys, require_signed) = (keys?, self.layers().any(|layer| require(&layer)));
        if require_signed && trusted_keys.is_empty() {
            return Err(CommandError::usage(
                "signed results are required, and there is no key whose signature counts",
            )
            .hint("name the public key in `trusted_keys`, or in RUN_CACHE_TRUSTED_KEYS"));
        }
        Ok(Trust { trusted_keys, require_signed })
    }

    /// Reads the key that uploaded results are signed with: the text itself, or the file that it names.
    fn signing_key(&self) -> Result<Option<SigningKey>, CommandError> {
        let key = self.meant().find_map(|layer| layer.signing_key.as_ref());
        let Some(key) = key else { return Ok(None) };
        let pem = if key.contains("-----BEGIN") {
            key.clone()
        } else {
            let bytes = file("the signing key", std::path::Path::new(key))?;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        ui::mask::learn_secret(&pem);
        SigningKey::from_pem(&pem).map(Some).map_err(|error| {
            CommandError::usage("the signing key of the shared cache can't be used")
                .caused_by(&error)
                .hint("make one with `run cache keygen`")
        })
    }
}

fn file(what: &str, path: &std::path::Path) -> Result<Vec<u8>, CommandError> {
    cache::read_regular(path, LONGEST).map_err(|source| {
        let message = format!("cannot read {what} of the shared cache, {}", path.display());
        CommandError::usage(message).caused_by(&source)
    })
}
