//! What one sync or install shares: the store, connections, and the one way to a package's files.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{Digest, DigestFunction, DiskStore, Entry, StoreError, Tree};

use super::{SourceError, crates, debian, npm, path, pypi, rustup, url};
use crate::environment;
use crate::toolchain::catalogue::{Layer, Origin};
use crate::toolchain::fetch::{Client, ClientError, Ended, Http, run};
use crate::toolchain::lock::{Package, Pin, TREE_FUNCTION};
use crate::toolchain::unpack::{
    Blob, Contents, Format, Limits, Naming, Node, Placement, UnpackError, Unpacker,
};
use crate::toolchain::{Event, Events, Recipe, Registries};

/// The surroundings of one sync or install; shared by its threads.
pub(crate) struct Session<'a> {
    /// Where files and trees go.
    pub(crate) store: &'a DiskStore,
    /// The same store, by SHA-256: where fetched packages are kept.
    pub(crate) packages: DiskStore,
    /// How registries are reached.
    pub(crate) registries: &'a Registries,
    /// Who is told.
    pub(crate) events: &'a dyn Events,
    pub(super) debian: debian::Mirrors,
    pub(super) rustup: rustup::Releases,
    http: Mutex<Option<Arc<Http>>>,
    /// How many packages the store did not have.
    fetched: AtomicUsize,
    /// Set when one thread has failed: the others need not go on.
    failed: AtomicBool,
}

impl<'a> Session<'a> {
    /// Begins. Nothing is connected before something is fetched.
    ///
    /// # Errors
    /// The store can't be opened.
    pub(crate) fn new(
        store: &'a DiskStore,
        registries: &'a Registries,
        events: &'a dyn Events,
    ) -> Result<Self, StoreError> {
        let packages = match store.function() {
            DigestFunction::Sha256 => store.clone(),
            DigestFunction::Blake3 => DiskStore::open(store.root(), DigestFunction::Sha256)?,
        };
        Ok(Self {
            store,
            packages,
            registries,
            events,
            debian: debian::Mirrors::default(),
            rustup: rustup::Releases::default(),
            http: Mutex::new(None),
            fetched: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        })
    }

    /// The same with packages from another store.
    pub(crate) fn with_packages(self, packages: DiskStore) -> Self {
        Self { packages, ..self }
    }

    /// Whether to stop.
    pub(crate) fn cancelled(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.events.cancelled()
    }

    /// How many packages the store did not have since this was last asked.
    pub(crate) fn take_fetched(&self) -> usize {
        self.fetched.swap(0, Ordering::Relaxed)
    }

    /// A path of the user, which may be relative to the registries' folder.
    pub(super) fn local(&self, path: &str) -> PathBuf {
        self.registries.folder.join(path)
    }

    /// The connections.
    pub(super) fn http(&self) -> Result<Arc<Http>, SourceError> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = &*http {
            return Ok(Arc::clone(http));
        }
        let fresh = Arc::new(Http::new(&self.registries.network)?);
        *http = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Runs the client of a registry to its end, however it ends. Of the user's environment it sees
    /// what all clients share and the variables that `own` names.
    pub(super) fn run(
        &self,
        client: Client<'_>,
        own: &[&str],
        configure: impl FnOnce(&mut Command),
    ) -> Result<Ended, ClientError> {
        let variables = environment::for_client(&self.registries.variables, own);
        let configure = |command: &mut Command| {
            command.env_clear().envs(variables);
            configure(command);
        };
        run(client, configure, &|| self.cancelled())
    }

    /// Does some work for each item, a few at a time; gives the results in the items' order. After a
    /// failure nothing new is begun, and what runs is told to stop; the first failure is given.
    pub(crate) fn parallel<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R, SourceError> + Sync,
    ) -> Result<Vec<R>, SourceError> {
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let failure = Mutex::new(None);
        let worker = || {
            while !self.cancelled() {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return };
                match work(item) {
                    Ok(result) => {
                        results
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((index, result));
                    }
                    Err(error) => {
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                        self.failed.store(true, Ordering::Relaxed);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.registries.network.parallel.clamp(1, items.len().max(1)) {
                scope.spawn(worker);
            }
        });
        if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        if results.len() < items.len() {
            return Err(SourceError::Cancelled);
        }
        results.sort_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Unpacks something by the rules of a layer.
    pub(super) fn unpack(
        &self,
        package: &str,
        layer: &Layer,
        work: impl FnOnce(&Unpacker<'_>) -> Result<Contents, UnpackError>,
    ) -> Result<Contents, SourceError> {
        let placement = Placement::new(layer).map_err(SourceError::Pattern)?;
        let cancelled = || self.cancelled();
        let unpacker = Unpacker {
            store: self.store,
            placement: &placement,
            limits: Limits::default(),
            cancelled: &cancelled,
        };
        let contents = work(&unpacker)
            .map_err(|source| SourceError::Unpack { package: package.to_owned(), source })?;
        self.events.event(Event::Unpacked { package });
        Ok(contents)
    }

    /// Keeps the bytes of a package, if they are the expected ones.
    pub(super) fn keep(
        &self,
        package: &str,
        expected: &Digest,
        bytes: &[u8],
    ) -> Result<(), SourceError> {
        let actual = Digest::of(expected.function(), bytes);
        if actual != *expected {
            return Err(SourceError::mismatch(package, expected, &actual));
        }
        self.packages.put(bytes)?;
        self.fetched.fetch_add(1, Ordering::Relaxed);
        self.events.event(Event::Fetched { package, size: actual.size() });
        Ok(())
    }

    /// The digest of a package's tree, by the lock's function.
    pub(super) fn locked_tree(
        &self,
        package: &str,
        contents: &Contents,
    ) -> Result<Digest, SourceError> {
        let wrong =
            |source| SourceError::Tree { package: package.to_owned(), source: Box::new(source) };
        let mut tree = Tree::default();
        contents.add_to(&mut tree, Naming::Locked).map_err(wrong)?;
        Ok(tree.digest(TREE_FUNCTION).map_err(wrong)?.0)
    }

    /// Keeps the tree of a package, so that its files are found by the digest in the lock.
    pub(super) fn keep_tree(
        &self,
        package: &str,
        contents: &Contents,
    ) -> Result<Digest, SourceError> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        if self.store.function() == TREE_FUNCTION {
            let mut tree = Tree::default();
            let wrong = |source| SourceError::Tree {
                package: package.to_owned(),
                source: Box::new(source),
            };
            contents.add_to(&mut tree, Naming::Locked).map_err(wrong)?;
            return Ok(self.store.put_tree(&tree)?);
        }
        self.locked_tree(package, contents)
    }

    /// The files of a locked package: from the store, else from its source, checked.
    pub(crate) fn contents(
        &self,
        package: &Package,
        layer: &Layer,
        recipe: &Recipe,
    ) -> Result<Contents, SourceError> {
        match &package.pin {
            Pin::File(digest) => {
                let name = package.display_name();
                let bytes = self.bytes(package, layer, digest)?;
                self.unpack(name, layer, |unpacker| match npm::place(layer, package) {
                    Some(place) => unpacker.npm(place, &bytes),
                    None => unpacker.archive(Format::detect(name, &bytes)?, &bytes),
                })
            }
            Pin::Tree { tree, .. } => self.tree(package, layer, recipe, tree),
        }
    }

    fn bytes(
        &self,
        package: &Package,
        layer: &Layer,
        digest: &Digest,
    ) -> Result<Vec<u8>, SourceError> {
        if let Some(bytes) = self.packages.get(digest)? {
            return Ok(bytes);
        }
        let bytes = match &layer.from {
            Origin::Crates(from) => crates::fetch(self, from, package, digest)?,
            Origin::Debian(from) => debian::fetch(self, from, package, digest.size())?,
            Origin::Npm(_) => {
                // All of an image's were fetched together; this one has been swept since.
                npm::fetch(self, &[package])?;
                return self.packages.get(digest)?.ok_or_else(|| unmatched(package));
            }
            Origin::Pypi(from) => pypi::fetch(self, from, package, digest)?,
            Origin::Url(_) => url::fetch(self, package, digest.size())?,
            Origin::Path(_) => path::fetch(self, package)?,
            Origin::Rustup(_) => return Err(unmatched(package)),
        };
        self.keep(package.display_name(), digest, &bytes)?;
        Ok(bytes)
    }

    fn tree(
        &self,
        package: &Package,
        layer: &Layer,
        recipe: &Recipe,
        tree: &Digest,
    ) -> Result<Contents, SourceError> {
        if let Some(contents) = self.stored_tree(tree)? {
            return Ok(contents);
        }
        let contents = match &layer.from {
            Origin::Rustup(from) => rustup::fetch(self, from, layer, recipe, (package, tree))?,
            Origin::Path(from) => path::folder(self, &from.path, layer)?,
            _ => return Err(unmatched(package)),
        };
        let actual = self.keep_tree(package.display_name(), &contents)?;
        if actual == *tree {
            return Ok(contents);
        }
        Err(SourceError::mismatch(package.display_name(), tree, &actual))
    }

    /// The files of a tree that is whole in the store.
    fn stored_tree(&self, digest: &Digest) -> Result<Option<Contents>, SourceError> {
        if self.store.function() != TREE_FUNCTION {
            return Ok(None);
        }
        let Some(tree) = self.store.tree(digest)? else { return Ok(None) };
        let mut contents = Contents::default();
        Ok(self.gather(&tree, "", &mut contents).then_some(contents))
    }

    /// Lists a tree's files and links; `false` if a file of it is not there.
    fn gather(&self, tree: &Tree, above: &str, contents: &mut Contents) -> bool {
        tree.entries.iter().all(|(name, entry)| {
            let path = format!("{above}{name}");
            let node = match entry {
                Entry::Directory(child) => {
                    return self.gather(child, &format!("{path}/"), contents);
                }
                Entry::Subtree(_) => return false,
                Entry::Symlink { target } => Node::Link { target: target.clone() },
                Entry::File { digest, executable } => Node::File {
                    blob: Blob { stored: *digest, locked: *digest },
                    executable: *executable,
                },
            };
            let there = match entry {
                Entry::File { digest, .. } => self.store.contains(digest),
                _ => true,
            };
            contents.nodes.insert(path, node);
            there
        })
    }
}

fn unmatched(package: &Package) -> SourceError {
    SourceError::Unmatched {
        toolchain: package.toolchain.clone(),
        package: package.purl.to_string(),
    }
}
