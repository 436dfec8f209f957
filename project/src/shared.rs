//! The cache that a team shares, as the engine sees it.

use std::sync::Arc;

use cache::{DiskStore, reapi};
use engine::{ActionKey, Artifact, Remote};
use remote::{Client, Content};
use sandbox::Cancel;

/// A cache that a team shares.
#[derive(Debug, Clone)]
pub struct SharedCache {
    /// The client of the cache.
    pub client: Client,
    /// True if its results may be used for every project of this machine: the user has named the cache, and not only the
    /// checkout has.
    pub is_trusted: bool,
    /// True if it is given the results that this machine has.
    pub upload: bool,
    /// True if a build counts as failed when the cache could not be used. The front end sees to that.
    pub is_required: bool,
}

impl SharedCache {
    /// Returns the cache as the engine takes it.
    pub(crate) fn for_engine(&self) -> Arc<dyn Remote> {
        Arc::new(self.clone())
    }
}

/// Returns artifacts as the client of a server takes them.
pub(crate) fn contents(artifacts: &[Artifact]) -> Vec<Content> {
    let content = |artifact: &Artifact| match artifact {
        Artifact::File { digest, .. } => Content::File(*digest),
        Artifact::Tree(digest) => Content::Tree(*digest),
    };
    artifacts.iter().map(content).collect()
}

impl Remote for SharedCache {
    fn result(&self, key: &ActionKey, cancel: &Cancel) -> Option<reapi::ActionResult> {
        self.client.result(&key.0, &|| cancel.is_cancelled())
    }

    fn fetch(&self, artifacts: &[Artifact], store: &DiskStore, cancel: &Cancel) -> bool {
        self.client.fetch(&contents(artifacts), store.content(), &|| cancel.is_cancelled())
    }

    fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    fn takes_results(&self) -> bool {
        self.upload
    }

    fn keep(
        &self,
        key: &ActionKey,
        result: &reapi::ActionResult,
        store: &DiskStore,
        cancel: &Cancel,
    ) {
        // The client remembers what went wrong.
        _ = self.client.keep(&key.0, result, store.content(), &|| cancel.is_cancelled());
    }
}
