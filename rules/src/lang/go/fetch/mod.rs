//! Fetches the modules that go.sum pins and lays them out as a module cache.
//!
//! The user's own Go settings say how modules are reached. Proxies are asked by this process; what has
//! to come from a repository is fetched by the user's own go. No program of an image takes part, as
//! the lock of a checkout says which image that is. The checksums of go.sum judge what came.

mod direct;
mod netrc;
mod part;
mod pattern;
mod proxy;
mod settings;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use self::direct::ByGo;
use self::part::{MANIFEST, Part, Wanted, escaped};
use self::proxy::{Answer, Proxies, ProxyError};
use self::settings::Settings;
use super::manifest::{Replacement, Version};
use super::module::{Module, RUNTIME};
use crate::lang::download::Downloads;
use crate::plan::Clients;
use crate::toolchain::HttpError;
use crate::toolchain::fetch::read_file;

/// The folder in which an action sees the module cache.
pub(super) const MODULES: &str = "deps/mod";

/// The action that fetches modules. Input: `image`, the Go toolchain, whose `go.env` is read; output:
/// [`Self::OUTPUT`].
pub(super) struct FetchModules {
    /// Modules whose packages may be needed, with the checksum of their zip.
    zips: BTreeMap<Version, String>,
    /// Modules whose go.mod may be needed, with its checksum.
    manifests: BTreeMap<Version, String>,
    clients: Arc<Clients>,
}

/// The reasons for which modules could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("module {0} is not on this machine, and this build is offline")]
    Offline(Version),
    #[error("cannot fetch module {module}")]
    Proxy { module: Version, source: ProxyError },
    #[error("the settings of the go command can't be used")]
    Settings(#[source] ProxyError),
    #[error("cannot read the settings of the go command")]
    Read(#[source] HttpError),
    #[error("cannot fetch modules")]
    Network(#[source] HttpError),
    #[error("module {0} was fetched, but is no longer in the store")]
    Absent(Version),
}

impl FetchModules {
    pub(super) const OUTPUT: &'static str = "modules";

    /// Fetches what `module` needs: the zips of what it requires, and every go.mod that its go.sum names.
    pub(super) fn new(module: &Module, clients: Arc<Clients>) -> Self {
        let required = module.manifest.require.iter();
        let pinned =
            required.filter(|version| !module.local.contains_key(&version.path)).map(|version| {
                match module.manifest.replacement(version) {
                    Some(Replacement::Module(other)) => other,
                    _ => version,
                }
            });
        // A module without a checksum of its zip is one whose packages nobody imports.
        let zips = pinned
            .filter(|version| version.path != RUNTIME)
            .filter_map(|version| Some((version.clone(), module.sums.zips.get(version)?.clone())))
            .collect();
        let mut manifests = module.sums.manifests.clone();
        manifests.retain(|version, _| version.path != RUNTIME);
        Self { zips, manifests, clients }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    fn wanted(&self) -> impl Iterator<Item = Wanted> {
        let of = |part| {
            move |(module, sum): (&Version, &String)| Wanted {
                module: module.clone(),
                part,
                sum: sum.clone(),
            }
        };
        self.zips.iter().map(of(Part::Zip)).chain(self.manifests.iter().map(of(Part::Manifest)))
    }

    /// Makes sure that the store has all modules.
    fn fetch(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let mut absent = Vec::new();
        for wanted in self.wanted() {
            if wanted.kept(cx.store())?.is_none() {
                absent.push(wanted);
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        let settings = Settings::read(&self.clients.variables, &cx.path("image")?)
            .map_err(|error| infrastructure(FetchError::Read(error)))?;
        let downloads = Downloads::new(&self.clients, cx)
            .map_err(|error| infrastructure(FetchError::Network(error)))?;
        let fetch = Fetch { cx, settings: &settings, downloads: &downloads };
        let absent = fetch.take_from_the_user(absent)?;
        match absent.first() {
            None => Ok(()),
            Some(wanted) if self.clients.offline => {
                Err(BuiltinError::failed(&FetchError::Offline(wanted.module.clone())))
            }
            Some(_) => {
                let by_go = fetch.ask_proxies(&absent)?;
                let keep = |wanted: &Wanted, bytes: &[u8]| fetch.keep(wanted, bytes);
                direct::fetch(&self.clients, cx, &by_go, keep)
            }
        }
    }

    /// The module cache (the Go modules reference, "Module cache").
    fn layout(&self, store: &DiskStore) -> Result<Tree, BuiltinError> {
        let mut modules = Tree::default();
        let mut add = |path: &str, entry| {
            modules.insert(path, entry).map_err(|error| BuiltinError::failed(&error))
        };
        for wanted in self.wanted() {
            let tree = wanted.kept(store)?;
            let tree =
                tree.ok_or_else(|| infrastructure(FetchError::Absent(wanted.module.clone())))?;
            let (path, number) = (escaped(&wanted.module.path), escaped(&wanted.module.version));
            match wanted.part {
                Part::Zip => {
                    add(&format!("{path}@{number}"), Entry::Subtree(tree))?;
                    // Its presence tells the go command that the folder is complete.
                    let digest = store.put(wanted.sum.as_bytes())?;
                    let entry = Entry::File { digest, executable: false };
                    add(&format!("cache/download/{path}/@v/{number}.ziphash"), entry)?;
                }
                Part::Manifest => {
                    let entry = store.directory(&tree)?.ok_or(BuiltinError::Missing(tree))?;
                    let entry = entry.entries[MANIFEST].clone();
                    add(&format!("cache/download/{path}/@v/{number}.mod"), entry)?;
                }
            }
        }
        Ok(modules)
    }
}

impl Builtin for FetchModules {
    fn name(&self) -> &str {
        "go-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        let zips = self.zips.iter().map(|(version, sum)| format!("{version} {sum}"));
        let manifests = self.manifests.iter();
        zips.chain(manifests.map(|(version, sum)| format!("{version}/go.mod {sum}"))).collect()
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the modules may all be here.
        !self.clients.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        self.fetch(cx)?;
        let modules = self.layout(cx.store())?;
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&modules)?));
        Ok(())
    }
}

/// One run of fetching what the store lacks.
struct Fetch<'a> {
    cx: &'a BuiltinContext,
    settings: &'a Settings,
    downloads: &'a Downloads<'a>,
}

impl Fetch<'_> {
    /// Keeps what the user's own module cache has, and gives the rest. Nothing is written there, and
    /// what has other bytes than the pinned ones is passed over.
    fn take_from_the_user(&self, wanted: Vec<Wanted>) -> Result<Vec<Wanted>, BuiltinError> {
        let Some(folder) = self.settings.module_cache() else { return Ok(wanted) };
        let folder = folder.join("cache/download");
        let absent = Mutex::new(Vec::new());
        self.downloads.each(&wanted, |wanted| {
            let path = folder.join(wanted.part.place(&wanted.module));
            let bytes = read_file(&path, wanted.part.limit()).ok();
            let judged = bytes.filter(|bytes| wanted.judge(bytes, &|| self.cx.cancelled()).is_ok());
            match judged {
                Some(bytes) => wanted.keep(self.cx.store(), &bytes, &|| self.cx.cancelled()),
                None => {
                    absent.lock().unwrap_or_else(PoisonError::into_inner).push(wanted.clone());
                    Ok(())
                }
            }
        })?;
        let mut absent = absent.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What is told of the first one must not depend on which thread came first.
        absent.sort_by(|a, b| (a.part, &a.module).cmp(&(b.part, &b.module)));
        Ok(absent)
    }

    /// Fetches what proxies have; gives what the user's go has to fetch.
    fn ask_proxies(&self, wanted: &[Wanted]) -> Result<ByGo, BuiltinError> {
        let settings = |error| infrastructure(FetchError::Settings(error));
        let logins = self.settings.logins();
        let logins = logins.map_err(|error| infrastructure(FetchError::Read(error)))?;
        let proxies = Proxies::new(self.settings).map_err(settings)?.with_logins(logins);
        let (by_go, begun) = (Mutex::new(ByGo::new()), AtomicUsize::new(0));
        let total = wanted.len();
        self.downloads.each(wanted, |wanted| {
            let number = begun.fetch_add(1, Ordering::Relaxed) + 1;
            let Wanted { module, part, .. } = wanted;
            self.cx.status(format!("fetching {} ({number} of {total})", part.of(module)));
            let answer = proxies.fetch(self.downloads, module, *part);
            match answer.map_err(|error| refused(module, error))? {
                Answer::Bytes(bytes) => self.keep(wanted, &bytes),
                Answer::ByGo(reason) => {
                    let mut by_go = by_go.lock().unwrap_or_else(PoisonError::into_inner);
                    by_go.push((wanted.clone(), reason));
                    Ok(())
                }
            }
        })?;
        let mut by_go = by_go.into_inner().unwrap_or_else(PoisonError::into_inner);
        by_go.sort_by(|(a, _), (b, _)| (a.part, &a.module).cmp(&(b.part, &b.module)));
        Ok(by_go)
    }

    fn keep(&self, wanted: &Wanted, bytes: &[u8]) -> Result<(), BuiltinError> {
        wanted.judge(bytes, &|| self.cx.cancelled())?;
        wanted.keep(self.cx.store(), bytes, &|| self.cx.cancelled())
    }
}

fn refused(module: &Version, source: ProxyError) -> BuiltinError {
    if matches!(&source, ProxyError::Fetch { source: HttpError::Cancelled, .. }) {
        return BuiltinError::Cancelled;
    }
    infrastructure(FetchError::Proxy { module: module.clone(), source })
}

fn infrastructure(error: FetchError) -> BuiltinError {
    BuiltinError::infrastructure(&error)
}
