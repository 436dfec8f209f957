//! The cluster that executes actions, as the engine sees it, and the store of blobs that it shares with its cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use cache::{DiskStore, reapi};
use engine::{ActionKey, Artifact, Cluster, ExecutionStage, Refusal, Remote, Report};
use remote::{Client, NotExecuted, Stage};
use sandbox::Cancel;

use crate::SharedCache;
use crate::shared::contents;

/// A cluster that executes actions.
#[derive(Debug, Clone)]
pub struct ExecutionCluster {
    /// The client of the cluster.
    pub client: Client,
    /// The name that progress and results say.
    pub name: String,
    /// The properties that a worker has to have.
    pub platform: BTreeMap<String, String>,
    /// The number of actions that are sent to it at once.
    pub jobs: usize,
    /// True if its results may be used for every project of this machine: the user has named the cluster, and not only the
    /// checkout has.
    pub is_trusted: bool,
    /// True if actions that it does not execute run on this machine.
    pub falls_back: bool,
    /// True if the shared cache is on the same server, and so has the blobs of its results.
    pub shares_cache: bool,
}

impl ExecutionCluster {
    /// Returns the cluster as the engine takes it.
    pub(crate) fn for_engine(&self) -> Arc<dyn Cluster> {
        Arc::new(self.clone())
    }
}

impl Cluster for ExecutionCluster {
    fn name(&self) -> &str {
        &self.name
    }

    fn platform(&self) -> &BTreeMap<String, String> {
        &self.platform
    }

    fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    fn falls_back(&self) -> bool {
        self.falls_back
    }

    fn is_available(&self) -> bool {
        // Without a fallback, every action has to go there, and its failure is reported.
        self.client.may_execute() || !self.falls_back
    }

    fn execute(
        &self,
        execution: &engine::Execution<'_>,
        store: &DiskStore,
        cancel: &Cancel,
    ) -> Result<reapi::ActionResult, Refusal> {
        let watch = |stage| {
            (execution.watch)(match stage {
                Stage::Uploading => ExecutionStage::Uploading,
                Stage::Queued => ExecutionStage::Queued,
                Stage::Executing => ExecutionStage::Executing,
            });
        };
        let engine::Execution { action, timeout, anew, .. } = *execution;
        let execution = remote::Execution { action, timeout, anew, watch: &watch };
        let executed = self.client.execute(execution, store.content(), &|| cancel.is_cancelled());
        executed.map_err(|error| match error {
            NotExecuted::Cancelled => Refusal::Cancelled,
            NotExecuted::TimedOut => Refusal::TimedOut,
            NotExecuted::Missing(digest) => Refusal::Missing(digest),
            NotExecuted::Unavailable(trouble) => Refusal::Unavailable(Report::of(&trouble)),
        })
    }

    fn complain(&self, why: &str) {
        self.client.note_unfit(why);
    }
}

/// The shared cache and the cluster as one remote: results are those of the cache, and blobs come from either.
pub(crate) struct CacheAndCluster {
    pub(crate) cache: Option<SharedCache>,
    pub(crate) cluster: ExecutionCluster,
}

impl CacheAndCluster {
    fn fetch_from_cluster(
        &self,
        artifacts: &[Artifact],
        store: &DiskStore,
        cancel: &Cancel,
    ) -> bool {
        let cancelled = || cancel.is_cancelled();
        self.cluster.client.fetch(&contents(artifacts), store.content(), &cancelled)
    }

    /// Downloads the outputs of a result that the cluster has made and that goes to a cache elsewhere.
    fn bring_home(&self, result: &reapi::ActionResult, store: &DiskStore, cancel: &Cancel) {
        let maker = result.execution_metadata.as_ref().map(|metadata| metadata.worker.as_str());
        if self.cluster.shares_cache || maker != Some(self.cluster.name.as_str()) {
            return;
        }
        let read = |digest: Option<&reapi::Digest>| {
            cache::Digest::from_reapi(store.function(), digest?).ok()
        };
        let files = result.output_files.iter().filter_map(|file| {
            let digest = read(file.digest.as_ref())?;
            Some(Artifact::File { digest, executable: file.is_executable })
        });
        let folders = result.output_directories.iter();
        let folders = folders.filter_map(|folder| read(folder.root_directory_digest.as_ref()));
        let all: Vec<Artifact> = files.chain(folders.map(Artifact::Tree)).collect();
        // What is missing afterwards is reported when the result is uploaded.
        _ = self.fetch_from_cluster(&all, store, cancel);
    }
}

impl Remote for CacheAndCluster {
    fn result(&self, key: &ActionKey, cancel: &Cancel) -> Option<reapi::ActionResult> {
        self.cache.as_ref()?.result(key, cancel)
    }

    fn fetch(&self, artifacts: &[Artifact], store: &DiskStore, cancel: &Cancel) -> bool {
        let cached =
            || self.cache.as_ref().is_some_and(|cache| cache.fetch(artifacts, store, cancel));
        if self.cluster.shares_cache {
            return cached();
        }
        // Most of what is fetched was made in this build, and so by the cluster.
        self.fetch_from_cluster(artifacts, store, cancel) || cached()
    }

    fn is_trusted(&self) -> bool {
        self.cache.as_ref().is_none_or(SharedCache::is_trusted)
    }

    fn takes_results(&self) -> bool {
        self.cache.as_ref().is_some_and(SharedCache::takes_results)
    }

    fn keep(
        &self,
        key: &ActionKey,
        result: &reapi::ActionResult,
        store: &DiskStore,
        cancel: &Cancel,
    ) {
        if let Some(cache) = self.cache.as_ref().filter(|it| !it.is_known_to_have(key, result)) {
            self.bring_home(result, store, cancel);
            cache.keep(key, result, store, cancel);
        }
    }
}
