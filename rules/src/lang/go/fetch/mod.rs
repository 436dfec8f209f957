//! Fetches the modules that go.sum pins and lays them out as a module cache.
//!
//! The user's own Go settings say how modules are reached. This process asks the proxies; what has to come
//! from a repository is fetched by the user's own go. No program of an image takes part, because the lock of
//! a checkout decides which image that is. The checksums of go.sum decide whether what came is accepted.
//!
//! A go.sum may have lines of modules that are not needed any more. So each go.mod is followed to the modules
//! that it requires, and modules that are not reached are not fetched.
//!
//! Each module is an output of its own besides, so an action that compiles a package sees that module alone.

mod direct;
mod netrc;
mod part;
mod proxy;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{ContentStore, Digest, Entry, Tree};
use engine::{
    Action, ActionId, Artifact, Builtin, BuiltinContext, BuiltinError, Input, Label, Source,
};

use self::direct::ByGo;
use self::part::{MANIFEST, Part, Wanted, escaped};
use self::proxy::{Answer, Proxies, ProxyError};
use self::settings::Settings;
use super::manifest::{Manifest, Replacement, Version};
use super::module::Module;
use crate::lang::bindings::go::RUNTIME;
use crate::package::download::Downloads;
use crate::package::fetch::read_file;
use crate::package::{HttpError, Registries};
use crate::path::ProjectPath;
use crate::planner::{PlanError, Planner};

/// The folder in which an action sees the module cache.
pub(super) const MODULES: &str = "deps/mod";

/// The action that fetches modules. Its input `image` is the Go toolchain, whose `go.env` is read. Its outputs are
/// [`Self::OUTPUT`], the module cache as a whole, and the parts of it: [`Self::DOWNLOAD`] and each module.
pub(super) struct FetchModules {
    /// The modules whose packages may be needed, with the checksum of each zip.
    zips: BTreeMap<Version, String>,
    /// The modules whose go.mod may be needed, with its checksum, as go.sum has them.
    manifests: BTreeMap<Version, String>,
    /// The component's go.mod, whose replacements hold for all modules.
    main: Manifest,
    /// The modules that the modules of the project require.
    required: Vec<Version>,
    registries: Arc<Registries>,
}

/// An error for which modules could not be fetched.
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

/// The modules that an action fetches.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    action: ActionId,
    /// The folder of each module below [`MODULES`].
    folders: BTreeSet<String>,
}

impl Fetched {
    /// Returns the module cache as one tree.
    pub(super) fn whole(&self) -> Input {
        Input::new(MODULES, Source::output(self.action, FetchModules::OUTPUT))
    }

    /// Returns the parts of the module cache. One that is known already need not be laid out on the disk again
    /// when another is added.
    pub(super) fn parts(&self) -> impl Iterator<Item = Input> {
        let download = Source::output(self.action, FetchModules::DOWNLOAD);
        let modules = self.folders.iter().filter_map(|folder| self.module(folder));
        std::iter::once(Input::new(format!("{MODULES}/cache"), download)).chain(modules)
    }

    /// Returns the module in this folder below [`MODULES`].
    pub(super) fn module(&self, folder: &str) -> Option<Input> {
        let output = FetchModules::output_of(self.folders.get(folder)?);
        Some(Input::new(format!("{MODULES}/{folder}"), Source::output(self.action, output)))
    }
}

impl FetchModules {
    const OUTPUT: &'static str = "modules";
    /// The part of the module cache that says which modules there are.
    const DOWNLOAD: &'static str = "download";

    /// Returns the output that is the module in this folder.
    fn output_of(folder: &str) -> String {
        format!("module/{folder}")
    }

    /// Adds the action that fetches other people's modules, if there are any.
    pub(super) fn add(
        planner: &mut Planner<'_>,
        module: &Module,
        toolchain: &'static str,
    ) -> Result<Option<Fetched>, PlanError> {
        let fetch = Self::new(module, planner.registries());
        if module.vendored || fetch.is_empty() {
            return Ok(None);
        }
        let image = planner.image(toolchain)?;
        let owner = match module.dir.as_str() {
            "" => "go".to_owned(),
            dir => format!("go {dir}"),
        };
        let folders: BTreeSet<String> = fetch.zips.keys().map(folder).collect();
        let action = planner.once(&format!("{toolchain} modules {}", module.dir), |planner| {
            let action = Action::builtin(Label::new(owner, "fetch"), fetch)
                .input(Input::new("image", image))
                .output(Self::OUTPUT)
                .output(Self::DOWNLOAD);
            let outputs = folders.iter().map(|folder| Self::output_of(folder));
            planner.add(outputs.fold(action, Action::output))
        })?;
        Ok(Some(Fetched { action, folders }))
    }

    /// Makes the action for `module`. It fetches the zips of the modules that it requires, and each go.mod on
    /// the way to any required module.
    fn new(module: &Module, registries: Arc<Registries>) -> Self {
        let required = module.manifest.require.iter();
        let pinned =
            required.filter(|version| !module.local.contains_key(&version.path)).map(|version| {
                match module.manifest.replacement(version) {
                    Some(Replacement::Module(other)) => other,
                    _ => version,
                }
            });
        // go.sum has no checksum for the zip of a module whose packages nobody imports.
        let zips = pinned
            .filter(|version| version.path != RUNTIME)
            .filter_map(|version| Some((version.clone(), module.sums.zips.get(version)?.clone())))
            .collect();
        let mut manifests = module.sums.manifests.clone();
        manifests.retain(|version, _| version.path != RUNTIME);
        let (main, mut required) = (module.manifest.clone(), module.required());
        // Their order in go.mod decides about nothing.
        required.sort();
        Self { zips, manifests, main, required, registries }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    /// Fetches all parts of modules that are needed, and returns them.
    fn fetch_all(&self, cx: &BuiltinContext) -> Result<Vec<Wanted>, BuiltinError> {
        let wanted = |part| {
            move |(module, sum): (&Version, &String)| Wanted {
                module: module.clone(),
                part,
                sum: sum.clone(),
            }
        };
        let mut all: BTreeMap<Version, Wanted> = BTreeMap::new();
        let mut open = self.required.clone();
        while !open.is_empty() {
            let named = open.iter().map(|version| match self.main.replacement(version) {
                Some(Replacement::Module(other)) => other,
                _ => version,
            });
            // The go command could not use a module without a checksum either.
            let pinned = named.filter_map(|version| self.manifests.get_key_value(version));
            let new: BTreeMap<Version, Wanted> = pinned
                .filter(|(version, _)| !all.contains_key(*version))
                .map(|pinned| (pinned.0.clone(), wanted(Part::Manifest)(pinned)))
                .collect();
            self.fetch(cx, new.values().cloned())?;
            open.clear();
            for wanted in new.values() {
                open.extend(self.requirements(cx.store(), wanted)?);
            }
            all.extend(new);
        }
        let zips: Vec<Wanted> = self.zips.iter().map(wanted(Part::Zip)).collect();
        self.fetch(cx, zips.iter().cloned())?;
        Ok(zips.into_iter().chain(all.into_values()).collect())
    }

    /// Returns the modules that a fetched go.mod requires. If it can't be read, the go command will report
    /// that.
    fn requirements(
        &self,
        store: &ContentStore,
        wanted: &Wanted,
    ) -> Result<Vec<Version>, BuiltinError> {
        let Entry::File { digest, .. } = manifest_entry(store, wanted)? else {
            return Ok(Vec::new());
        };
        let bytes = store.get(&digest)?.ok_or(BuiltinError::Missing(digest))?;
        let text = String::from_utf8_lossy(&bytes);
        let manifest = Manifest::parse(&text, &ProjectPath::root().join(MANIFEST));
        Ok(manifest.map_or_else(|_| Vec::new(), |manifest| manifest.require))
    }

    /// Makes sure that the store has these parts of modules.
    fn fetch(
        &self,
        cx: &BuiltinContext,
        all: impl IntoIterator<Item = Wanted>,
    ) -> Result<(), BuiltinError> {
        let mut absent = Vec::new();
        for wanted in all {
            if wanted.kept(cx.store())?.is_none() {
                absent.push(wanted);
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        let settings = Settings::read(&self.registries.variables, &cx.path("image")?)
            .map_err(|error| infrastructure(FetchError::Read(error)))?;
        let downloads = Downloads::new(&self.registries, cx)
            .map_err(|error| infrastructure(FetchError::Network(error)))?;
        let fetch = Fetch { cx, settings: &settings, downloads: &downloads };
        let absent = fetch.take_from_the_user(absent)?;
        match absent.first() {
            None => Ok(()),
            Some(wanted) if self.registries.network.offline => {
                Err(BuiltinError::failed(&FetchError::Offline(wanted.module.clone())))
            }
            Some(_) => {
                let by_go = fetch.ask_proxies(&absent)?;
                let keep = |wanted: &Wanted, bytes: &[u8]| fetch.keep(wanted, bytes);
                direct::fetch(&self.registries, cx, &by_go, keep)
            }
        }
    }

    /// Returns the parts of the module cache (the Go modules reference, "Module cache"): the folder `cache`, and
    /// each module by its folder.
    fn layout(
        store: &ContentStore,
        all: &[Wanted],
    ) -> Result<(Tree, BTreeMap<String, Digest>), BuiltinError> {
        let (mut cache, mut modules) = (Tree::default(), BTreeMap::new());
        let mut add = |path: &str, entry| {
            cache.insert(path, entry).map_err(|error| BuiltinError::failed(&error))
        };
        for wanted in all {
            let (path, number) = (escaped(&wanted.module.path), escaped(&wanted.module.version));
            match wanted.part {
                Part::Zip => {
                    modules.insert(folder(&wanted.module), kept(store, wanted)?);
                    // The presence of this file tells the go command that the folder is complete.
                    let digest = store.put(wanted.sum.as_bytes())?;
                    let entry = Entry::File { digest, executable: false };
                    add(&format!("download/{path}/@v/{number}.ziphash"), entry)?;
                }
                Part::Manifest => {
                    let entry = manifest_entry(store, wanted)?;
                    add(&format!("download/{path}/@v/{number}.mod"), entry)?;
                }
            }
        }
        Ok((cache, modules))
    }
}

impl Builtin for FetchModules {
    fn name(&self) -> &str {
        "go-fetch"
    }

    fn version(&self) -> &str {
        "3"
    }

    fn arguments(&self) -> Vec<String> {
        let zips = self.zips.iter().map(|(version, sum)| format!("{version} {sum}"));
        let manifests = self.manifests.iter();
        let required = self.required.iter().map(|version| format!("require {version}"));
        let replaced = self.main.replace.iter().map(|replace| format!("{replace:?}"));
        zips.chain(manifests.map(|(version, sum)| format!("{version}/go.mod {sum}")))
            .chain(required)
            .chain(replaced)
            .collect()
    }

    fn needs_network(&self) -> bool {
        // An offline build runs it all the same, because the modules may all be in the store.
        !self.registries.network.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let all = self.fetch_all(cx)?;
        let (cache, modules) = Self::layout(cx.store(), &all)?;
        let cache = cx.store().put_tree(&cache)?;
        cx.produce(Self::DOWNLOAD, Artifact::Tree(cache));
        let mut whole = Tree::default();
        let parts = modules.iter().map(|(folder, tree)| (folder.as_str(), *tree));
        for (folder, tree) in parts.chain([("cache", cache)]) {
            let entry = Entry::Subtree(tree);
            whole.insert(folder, entry).map_err(|error| BuiltinError::failed(&error))?;
        }
        for (folder, tree) in modules {
            cx.produce(&Self::output_of(&folder), Artifact::Tree(tree));
        }
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&whole)?));
        Ok(())
    }
}

/// Returns the folder of a module in the module cache.
fn folder(module: &Version) -> String {
    format!("{}@{}", escaped(&module.path), escaped(&module.version))
}

/// Returns the tree that the store has of a part of a module.
fn kept(store: &ContentStore, wanted: &Wanted) -> Result<Digest, BuiltinError> {
    let absent = || infrastructure(FetchError::Absent(wanted.module.clone()));
    wanted.kept(store)?.ok_or_else(absent)
}

/// Returns the go.mod that the store has of a module.
fn manifest_entry(store: &ContentStore, wanted: &Wanted) -> Result<Entry, BuiltinError> {
    let tree = kept(store, wanted)?;
    let folder = store.directory(&tree)?.ok_or(BuiltinError::Missing(tree))?;
    folder.entries.get(MANIFEST).cloned().ok_or(BuiltinError::Missing(tree))
}

/// A single run that fetches the parts which the store lacks.
struct Fetch<'a> {
    cx: &'a BuiltinContext,
    settings: &'a Settings,
    downloads: &'a Downloads<'a>,
}

impl Fetch<'_> {
    /// Keeps the parts that the user's own module cache has, and returns the others. Nothing is written to
    /// that cache, and a file that differs from the pinned one is ignored.
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
        // The first part may be named in an error, so the order must not depend on which thread was faster.
        absent.sort_by(|a, b| (a.part, &a.module).cmp(&(b.part, &b.module)));
        Ok(absent)
    }

    /// Fetches the parts that proxies have, and returns those that the user's go has to fetch.
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
