//! The registries of a project: what other crates call. Its methods block the thread that calls them, and may be
//! called from many threads at once. The work is done on a small runtime of its own.

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use semver::Version;
use tokio::runtime::Runtime;

use crate::address::{Address, Kind};
use crate::artifact::{Artifact, Fetched, Found, Published, Release, binary};
use crate::credentials::Credentials;
use crate::digest::Sha256;
use crate::directory::Directory;
use crate::discover::{Discovery, Protocol};
use crate::failure::{Error, Wanted};
use crate::http::{Http, HttpError};
use crate::kept::Kept;
use crate::mirror::Mirrors;
use crate::oci::Oci;
use crate::package::PackageId;
use crate::plain::Plain;
use crate::registry::Registry;
use crate::session::Session;
use crate::settings::{Settings, Source};

/// The threads that drive connections.
const THREADS: usize = 2;

/// The pause between two checks whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// The registries that packages come from and go to.
///
/// The methods must not be called on a thread of a tokio runtime.
pub struct Registries {
    settings: Settings,
    kept: Option<Kept>,
    /// Made when a server is asked for the first time, because reading the system's certificates takes a moment.
    session: Mutex<Option<Arc<Session>>>,
    discovery: Discovery,
    mirrors: Mirrors,
    /// Made when something is asked for: most builds have all packages, and need no threads for that.
    runtime: OnceLock<Runtime>,
}

impl Registries {
    /// Makes registries of settings. Nothing is read or connected yet, and no thread is started.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            kept: settings.kept.as_ref().map(Kept::new),
            settings,
            session: Mutex::new(None),
            discovery: Discovery::default(),
            mirrors: Mirrors::default(),
            runtime: OnceLock::new(),
        }
    }

    /// Returns the settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the address of the registry that a package belongs to, as locks have it.
    #[must_use]
    pub fn source(&self, package: &PackageId) -> String {
        self.settings.source(package).registry.to_string()
    }

    /// Lists the versions of a package, the oldest first. Without a network these are the versions that the
    /// registry had when it was asked last.
    ///
    /// # Errors
    /// [`Error::NoPackage`] if the package does not exist, and the others of [`Error`].
    pub fn versions(&self, package: &PackageId) -> Result<Vec<Release>, Error> {
        let source = self.reachable(package);
        let registry = self.source(package);
        if let Some(source) = &source {
            let asked = self.mirrors.ask(source, package, async |address| {
                self.open(address).await?.versions(package, address).await
            });
            match self.run(asked) {
                Err(error) if self.settings.network.offline && error.is_absence() => {}
                Err(error) => return Err(error),
                Ok(releases) => {
                    if let Some(kept) = &self.kept {
                        kept.remember_versions(&registry, package, &releases)?;
                    }
                    return Ok(releases);
                }
            }
        }
        let kept = self.kept.as_ref().map(|kept| kept.versions(&registry, package)).transpose()?;
        let missing = || Error::NotKept { package: package.clone(), version: None, registry };
        kept.flatten().ok_or_else(missing)
    }

    /// Fetches a version of a package. If its digest is known, such as from a lock, anything else is refused, and
    /// what was kept under this digest is used without asking anybody.
    ///
    /// # Errors
    /// [`Error::NoVersion`] if the version does not exist, [`Error::Mismatch`] if the bytes are not the expected
    /// ones, and the others of [`Error`].
    pub fn fetch(
        &self,
        package: &PackageId,
        version: &Version,
        expected: Option<Sha256>,
    ) -> Result<Fetched, Error> {
        let registry = self.source(package);
        if let Some(fetched) = self.kept_package(&registry, expected)? {
            return Ok(fetched);
        }
        let Some(source) = self.reachable(package) else {
            return self.without_network(package, version, expected);
        };
        let asked = self.mirrors.ask(&source, package, async |address| {
            let registry = self.open(address).await?;
            let fetched = registry.fetch(package, version, expected, address).await?;
            check(fetched, package, version, expected)
        });
        let fetched = match self.run(asked) {
            Err(error) if self.settings.network.offline && error.is_absence() => {
                return self.without_network(package, version, expected);
            }
            fetched => Fetched { source: registry, ..fetched? },
        };
        if let Some(kept) = &self.kept {
            kept.put(&fetched.bytes)?;
            kept.remember_digest(&fetched.source, package, version, fetched.sha256)?;
        }
        Ok(fetched)
    }

    /// Publishes a version of a package in the registry that it belongs to. Mirrors are left alone.
    ///
    /// # Errors
    /// [`Error::Exists`] if the version exists with other bytes, and the others of [`Error`].
    pub fn publish(
        &self,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        self.publish_to(&self.settings.source(package).registry, package, version, artifact)
    }

    /// Publishes a version of a package in a registry.
    ///
    /// # Errors
    /// As for [`Registries::publish`].
    pub fn publish_to(
        &self,
        registry: &Address,
        package: &PackageId,
        version: &Version,
        artifact: &Artifact,
    ) -> Result<Published, Error> {
        let address = || format!("`{package}` {version}");
        check_wasm(&artifact.bytes, address)?;
        self.run(async { self.open(registry).await?.publish(package, version, artifact).await })
    }

    /// Lists the packages of the default registry whose name contains a text. A registry may look for the text in
    /// descriptions, too.
    ///
    /// # Errors
    /// [`Error::NoSearch`] if the registry can't be searched, and the others of [`Error`].
    pub fn search(&self, text: &str) -> Result<Vec<Found>, Error> {
        self.run(async { self.open(&self.settings.default.registry).await?.search(text).await })
    }

    /// Checks that a registry answers, and that it accepts the credentials that are known for it.
    ///
    /// # Errors
    /// [`Error::Refused`] if it does not accept them, and the others of [`Error`].
    pub fn check_access(&self, registry: &Address) -> Result<(), Error> {
        self.run(async { self.open(registry).await?.check_access().await })
    }

    /// Returns what was kept under the expected digest.
    fn kept_package(
        &self,
        registry: &str,
        expected: Option<Sha256>,
    ) -> Result<Option<Fetched>, Error> {
        let (Some(kept), Some(expected)) = (&self.kept, expected) else { return Ok(None) };
        let bytes = kept.get(expected)?;
        Ok(bytes.map(|bytes| Fetched {
            bytes,
            sha256: expected,
            source: registry.to_owned(),
            served_by: kept.path(expected).display().to_string(),
            manifest: None,
        }))
    }

    /// Returns what was kept of a version, for a build without a network.
    fn without_network(
        &self,
        package: &PackageId,
        version: &Version,
        expected: Option<Sha256>,
    ) -> Result<Fetched, Error> {
        let registry = self.source(package);
        let kept = self.kept.as_ref();
        let known =
            kept.map(|kept| kept.digest(&registry, package, version)).transpose()?.flatten();
        let fetched = self.kept_package(&registry, expected.or(known))?;
        fetched.ok_or_else(|| Error::NotKept {
            package: package.clone(),
            version: Some(version.clone()),
            registry,
        })
    }

    /// Returns the registry of a package with its mirrors; without a network only those that are folders, and none
    /// if none is.
    fn reachable(&self, package: &PackageId) -> Option<Source> {
        let source = self.settings.source(package);
        if !self.settings.network.offline {
            return Some(source.clone());
        }
        let all = std::iter::once(&source.registry).chain(&source.mirrors);
        let mut folders = all.filter(|address| address.folder().is_some()).cloned();
        Some(Source { registry: folders.next()?, mirrors: folders.collect() })
    }

    /// Returns the client of a registry, and asks for its protocol if necessary.
    async fn open(&self, address: &Address) -> Result<Registry, Error> {
        let largest = self.settings.network.largest_package;
        let protocol = match (&address.0, self.discovery.known(address)) {
            (_, Some(protocol)) => protocol,
            (Kind::Web(url), None) => self.discovery.ask(&*self.session()?, url).await?,
            (Kind::Oci { .. } | Kind::Directory(_), None) => {
                unreachable!("BUG: the protocol of {address} is a part of it")
            }
        };
        Ok(match protocol {
            Protocol::Directory(root) => Registry::Directory(Directory { root, largest }),
            Protocol::Plain(base) => Registry::Plain(Plain { session: self.session()?, base }),
            Protocol::Oci { base, prefix } => {
                Registry::Oci(Oci { session: self.session()?, base, prefix })
            }
        })
    }

    fn session(&self) -> Result<Arc<Session>, Error> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = &*session {
            return Ok(Arc::clone(session));
        }
        let http = Http::new(&self.settings.network, Arc::clone(&self.settings.watch))?;
        let made = Arc::new(Session::new(http, self.credentials()));
        *session = Some(Arc::clone(&made));
        Ok(made)
    }

    fn credentials(&self) -> Credentials {
        let settings = &self.settings;
        let server = settings.default.registry.server().cloned();
        Credentials {
            token: server.zip(settings.token.clone()),
            others: settings.logins.clone(),
            login_file: settings.login_file.clone(),
            docker_config: settings.docker_config.clone(),
            helpers: settings.helpers.clone(),
        }
    }

    fn runtime(&self) -> Result<&Runtime, Error> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let made = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(HttpError::Runtime)?;
        if let Err(second) = self.runtime.set(made) {
            // Another thread was faster. Waiting for the threads of this one is not allowed everywhere.
            second.shutdown_background();
        }
        Ok(self.runtime.get().expect("it was set a moment ago"))
    }

    /// Does work on the runtime until it is done or the command is cancelled.
    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let cancelled = async {
            while !(self.settings.cancelled)() {
                tokio::time::sleep(POLL).await;
            }
        };
        let runtime = self.runtime()?;
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = cancelled => Err(HttpError::Cancelled.into()),
                done = work => done,
            }
        })
    }
}

impl Drop for Registries {
    fn drop(&mut self) {
        // A look-up of a name that does not end must not hold the command up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Checks the digest and the form of what was fetched.
fn check(
    fetched: Fetched,
    package: &PackageId,
    version: &Version,
    expected: Option<Sha256>,
) -> Result<Fetched, Error> {
    if let Some(expected) = expected.filter(|expected| *expected != fetched.sha256) {
        return Err(Error::Mismatch {
            wanted: Wanted::new(package, version),
            served_by: fetched.served_by,
            expected,
            actual: fetched.sha256,
        });
    }
    check_wasm(&fetched.bytes, || format!("`{package}` {version} of {}", fetched.served_by))?;
    Ok(fetched)
}

/// Checks that bytes begin as WebAssembly does. Whether they are valid is not known here.
fn check_wasm(bytes: &[u8], address: impl FnOnce() -> String) -> Result<(), Error> {
    if binary(bytes).is_some() {
        return Ok(());
    }
    let reason = "it does not begin as a WebAssembly binary does".to_owned();
    Err(Error::NotWasm { address: address(), reason })
}
