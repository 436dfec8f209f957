//! The state that one sync or install shares: the store, connections, and functions that check and keep
//! packages.
//!
//! It knows no source. What a source finds out is kept here under the source's own type.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cache::{ContentStore, Digest, DigestFunction, Entry, StoreError, Tree};

use super::error::SourceError;
use crate::package::fetch::{Client, ClientError, Ended, Http, run};
use crate::package::unpack::{
    Blob, Contents, Limits, Naming, Node, Placement, TREE_FUNCTION, UnpackError, Unpacker,
};
use crate::package::{Event, Events, Registries, environment, parallel};
use crate::toolchain::recipe::Layer;

/// The state of one sync or install, which its threads share.
pub(crate) struct Session<'a> {
    /// The store that gets files and trees.
    pub(crate) store: &'a ContentStore,
    /// The same store by SHA-256, which keeps the fetched packages.
    pub(crate) packages: ContentStore,
    /// The settings by which registries are reached.
    pub(crate) registries: &'a Registries,
    /// The receiver of events, which may also stop the work.
    pub(crate) events: &'a dyn Events,
    /// The findings of the sources, each in a type of its own.
    findings: Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    http: Mutex<Option<Arc<Http>>>,
    /// The number of packages that the store did not have.
    fetched: AtomicUsize,
    /// True once one thread has failed, so that the others stop.
    failed: AtomicBool,
}

impl<'a> Session<'a> {
    /// Begins a session. Nothing is connected until something is fetched.
    ///
    /// # Errors
    /// The store can't be opened.
    pub(crate) fn new(
        store: &'a ContentStore,
        registries: &'a Registries,
        events: &'a dyn Events,
    ) -> Result<Self, StoreError> {
        let packages = match store.function() {
            DigestFunction::Sha256 => store.clone(),
            DigestFunction::Blake3 => ContentStore::open(store.root(), DigestFunction::Sha256)?,
        };
        Ok(Self {
            store,
            packages,
            registries,
            events,
            findings: Mutex::default(),
            http: Mutex::new(None),
            fetched: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        })
    }

    /// Returns the same session with another store for packages.
    pub(crate) fn with_packages(self, packages: ContentStore) -> Self {
        Self { packages, ..self }
    }

    /// Returns what a source has found out since the session began, which is `T::default()` at first.
    pub(super) fn findings<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = findings.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        Arc::clone(of_this).downcast().expect("a type's findings are of that type")
    }

    /// Returns true if the work has to stop, because it failed or the user wants it.
    pub(crate) fn cancelled(&self) -> bool {
        self.failed.load(Ordering::Relaxed) || self.events.cancelled()
    }

    /// Returns the number of packages that the store did not have since the last call.
    pub(crate) fn take_fetched(&self) -> usize {
        self.fetched.swap(0, Ordering::Relaxed)
    }

    /// Returns the path for a text of the user, which may be relative to the registries' folder.
    pub(super) fn local(&self, path: &str) -> PathBuf {
        self.registries.folder.join(path)
    }

    /// Returns the HTTP client, which is set up on the first call.
    pub(super) fn http(&self) -> Result<Arc<Http>, SourceError> {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(http) = &*http {
            return Ok(Arc::clone(http));
        }
        let fresh = Arc::new(Http::new(&self.registries.network)?);
        *http = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// Runs a client of a registry until it ends, and returns its status and output even if it failed. Of the
    /// user's environment the client sees what all clients share and the variables that `own` names.
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

    /// Calls `work` for each item, for a few items at a time, and returns the results in the order of the
    /// items. After a failure no new item is begun, and running work is told to stop. The first failure is
    /// returned.
    pub(crate) fn parallel<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> Result<R, SourceError> + Sync,
    ) -> Result<Vec<R>, SourceError> {
        let at_once = self.registries.network.parallel;
        let cancelled = || self.events.cancelled();
        let results = parallel(items, at_once, &self.failed, &cancelled, work)?;
        results.ok_or(SourceError::Cancelled)
    }

    /// Unpacks a package by the rules of a layer.
    pub(super) fn unpack(
        &self,
        package: &str,
        layer: &Layer,
        work: impl FnOnce(&Unpacker<'_>) -> Result<Contents, UnpackError>,
    ) -> Result<Contents, SourceError> {
        let placement = Placement::new(layer.rules()).map_err(SourceError::Pattern)?;
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

    /// Keeps the bytes of a package in the store if they have the expected digest.
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

    /// Returns the digest of a package's tree by the lock's function.
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

    /// Keeps the tree of a package, so that its files are found by the digest in the lock, and returns that
    /// digest.
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

    /// Returns the files of a tree, or `None` if the store does not have all of them.
    pub(super) fn stored_tree(&self, digest: &Digest) -> Result<Option<Contents>, SourceError> {
        if self.store.function() != TREE_FUNCTION {
            return Ok(None);
        }
        let Some(tree) = self.store.tree(digest)? else { return Ok(None) };
        let mut contents = Contents::default();
        Ok(self.gather(&tree, "", &mut contents).then_some(contents))
    }

    /// Adds a tree's files and links to `contents`. Returns false if the store lacks one of the files.
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
