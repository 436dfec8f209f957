//! The cache that a team shares, as the engine sees it.

use std::sync::Arc;

use cache::{DiskStore, reapi};
use engine::{ActionKey, Artifact, Remote};
use remote::{Client, Content, Kept};
use sandbox::Cancel;

use crate::Uploads;

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
    /// The results that it was seen to have, and that it is not asked for again; `None` if it is to be asked for each.
    pub uploads: Option<Uploads>,
    /// True if a build counts as failed when the cache could not be used. The front end sees to that.
    pub is_required: bool,
}

impl SharedCache {
    /// Returns the cache as the engine takes it.
    pub(crate) fn for_engine(&self) -> Arc<dyn Remote> {
        Arc::new(self.clone())
    }

    /// Tells if the cache was seen to have a result not long ago.
    pub(crate) fn is_known_to_have(&self, key: &ActionKey, result: &reapi::ActionResult) -> bool {
        self.uploads.as_ref().is_some_and(|uploads| uploads.has(key, result))
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
        let cancelled = || cancel.is_cancelled();
        let is_whole = self.client.fetch(&contents(artifacts), store.content(), &cancelled);
        if let (Some(uploads), false, false) = (&self.uploads, is_whole, cancelled()) {
            // It has lost something, and who knows what else.
            uploads.forget();
        }
        is_whole
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
        if self.is_known_to_have(key, result) {
            return;
        }
        // The client remembers what went wrong.
        let kept = self.client.keep(&key.0, result, store.content(), &|| cancel.is_cancelled());
        if let (Some(uploads), Kept::Uploaded | Kept::AlreadyThere) = (&self.uploads, kept) {
            uploads.note(key, result);
        }
    }
}
