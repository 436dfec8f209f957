//! The result of an action that succeeded, and its form as an `ActionResult` message.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use cache::{Digest, DigestFunction, DiskStore, StoreError, reapi};
use prost::Message as _;

use crate::{Action, Artifact};

/// The folder below the root from which outputs are collected. The paths in messages start with it.
pub(crate) const OUT: &str = "out";

/// The result of an action that succeeded. It has only digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Success {
    /// The action's declared outputs, in the order of their declaration.
    pub(crate) outputs: Vec<(String, Artifact)>,
    /// The text on standard output, unless that was empty.
    pub(crate) stdout: Option<Digest>,
    /// The text on standard error, unless that was empty.
    pub(crate) stderr: Option<Digest>,
}

impl Success {
    /// Returns the result that is known of a pinned action without running it.
    pub(crate) fn pinned(action: &Action, tree: Digest) -> Self {
        let outputs = action.outputs.iter().map(|path| (path.clone(), Artifact::Tree(tree)));
        Self { outputs: outputs.collect(), stdout: None, stderr: None }
    }

    pub(crate) fn artifact(&self, path: &str) -> Option<Artifact> {
        self.outputs.iter().find(|(name, _)| name == path).map(|(_, artifact)| *artifact)
    }

    /// Returns the texts that the action wrote, as files.
    pub(crate) fn messages(&self) -> Vec<Artifact> {
        let file = |digest| Artifact::File { digest, executable: false };
        self.stdout.into_iter().chain(self.stderr).map(file).collect()
    }

    /// Looks an action up in the action cache of a store.
    pub(crate) fn cached(store: &DiskStore, action: &Action, key: &Digest) -> Option<Self> {
        Self::from_result(store.function(), action, &store.action_result(key)?)
    }

    /// Reads a cached result. Returns `None` if it can't be used, because the action failed or because a declared output is
    /// missing in it.
    pub(crate) fn from_result(
        function: DigestFunction,
        action: &Action,
        result: &reapi::ActionResult,
    ) -> Option<Self> {
        if result.exit_code != 0 {
            return None;
        }
        let outputs = action.outputs.iter().map(|path| {
            let wire = format!("{OUT}/{path}");
            Some((path.clone(), find(function, result, &wire)?))
        });
        Some(Self {
            outputs: outputs.collect::<Option<_>>()?,
            stdout: optional(function, result.stdout_digest.as_ref())?,
            stderr: optional(function, result.stderr_digest.as_ref())?,
        })
    }

    /// Converts the result to the message that goes into the action cache. Stores the `Tree` message of each
    /// output folder.
    pub(crate) fn to_result(
        &self,
        store: &DiskStore,
        wall: Duration,
        worker: &str,
    ) -> Result<reapi::ActionResult, StoreError> {
        let mut result = reapi::ActionResult {
            stdout_digest: self.stdout.as_ref().map(Digest::to_reapi),
            stderr_digest: self.stderr.as_ref().map(Digest::to_reapi),
            execution_metadata: Some(metadata(wall, worker)),
            ..reapi::ActionResult::default()
        };
        for (path, artifact) in &self.outputs {
            let path = format!("{OUT}/{path}");
            match artifact {
                Artifact::File { digest, executable } => {
                    result.output_files.push(reapi::OutputFile {
                        path,
                        digest: Some(digest.to_reapi()),
                        is_executable: *executable,
                        ..reapi::OutputFile::default()
                    });
                }
                Artifact::Tree(root) => result.output_directories.push(reapi::OutputDirectory {
                    path,
                    tree_digest: Some(store_tree_message(store, root)?.to_reapi()),
                    is_topologically_sorted: true,
                    root_directory_digest: Some(root.to_reapi()),
                }),
            }
        }
        Ok(result)
    }
}

/// Makes the metadata of a result: the time that the action took, and the kind of sandbox. User, machine and date are
/// left out.
fn metadata(wall: Duration, worker: &str) -> reapi::ExecutedActionMetadata {
    reapi::ExecutedActionMetadata {
        worker: worker.to_owned(),
        virtual_execution_duration: Some(wall.into()),
        ..reapi::ExecutedActionMetadata::default()
    }
}

fn find(function: DigestFunction, result: &reapi::ActionResult, path: &str) -> Option<Artifact> {
    let read = |digest: Option<&reapi::Digest>| Digest::from_reapi(function, digest?).ok();
    if let Some(file) = result.output_files.iter().find(|file| file.path == path) {
        let (digest, executable) = (read(file.digest.as_ref())?, file.is_executable);
        return Some(Artifact::File { digest, executable });
    }
    let folder = result.output_directories.iter().find(|folder| folder.path == path)?;
    read(folder.root_directory_digest.as_ref()).map(Artifact::Tree)
}

/// Reads a digest that may be absent. Returns `Some(None)` if it is absent, and `None` if it is invalid.
#[expect(clippy::option_option, reason = "absent and unreadable are different things here")]
fn optional(function: DigestFunction, digest: Option<&reapi::Digest>) -> Option<Option<Digest>> {
    match digest {
        None => Some(None),
        Some(digest) => Digest::from_reapi(function, digest).ok().map(Some),
    }
}

/// Stores the `Tree` message of a stored directory. The message has every directory once, parents first.
fn store_tree_message(store: &DiskStore, root: &Digest) -> Result<Digest, StoreError> {
    let mut directories = Vec::new();
    let mut queue = VecDeque::from([*root]);
    let mut seen = BTreeSet::from([*root]);
    while let Some(digest) = queue.pop_front() {
        let bytes = store.get(&digest)?.ok_or(StoreError::Missing(digest))?;
        let directory = reapi::Directory::decode(bytes.as_slice())
            .map_err(|_| StoreError::NotADirectory(digest))?;
        for child in directory.directories.iter().filter_map(|node| node.digest.as_ref()) {
            let child = Digest::from_reapi(digest.function(), child)
                .map_err(|_| StoreError::NotADirectory(digest))?;
            if seen.insert(child) {
                queue.push_back(child);
            }
        }
        directories.push(directory);
    }
    let mut directories = directories.into_iter();
    let tree = reapi::Tree { root: directories.next(), children: directories.collect() };
    store.put(&tree.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use cache::{Entry, Tree};

    use super::*;
    use crate::{Builtin, BuiltinContext, BuiltinError, Label};

    struct Nothing;

    impl Builtin for Nothing {
        fn name(&self) -> &'static str {
            "nothing"
        }

        fn version(&self) -> &'static str {
            "1"
        }

        fn arguments(&self) -> Vec<String> {
            Vec::new()
        }

        fn run(&self, _: &BuiltinContext) -> Result<(), BuiltinError> {
            Ok(())
        }
    }

    fn store() -> (tempfile::TempDir, DiskStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        (folder, store)
    }

    fn action() -> Action {
        Action::builtin(Label::new("c", "a"), Nothing).output("file").output("d/tree")
    }

    /// Makes a result of [`action`] with a tree of three directories, two of which are equal.
    fn success(store: &DiskStore) -> Success {
        let digest = store.put(b"x").unwrap();
        let mut tree = Tree::default();
        for path in ["a/f", "b/f", "g"] {
            tree.insert(path, Entry::File { digest, executable: false }).unwrap();
        }
        let outputs = vec![
            ("file".to_owned(), Artifact::File { digest, executable: true }),
            ("d/tree".to_owned(), Artifact::Tree(store.put_tree(&tree).unwrap())),
        ];
        Success { outputs, stdout: None, stderr: Some(digest) }
    }

    #[test]
    fn results_round_trip() {
        let (_folder, store) = store();
        let success = success(&store);
        let result =
            success.to_result(&store, Duration::from_millis(1500), "linux-weak-1").unwrap();
        assert_eq!(result.execution_metadata.as_ref().unwrap().worker, "linux-weak-1");
        assert_eq!(result.output_files[0].path, "out/file");
        let read = Success::from_result(store.function(), &action(), &result);
        assert_eq!(read, Some(success));
    }

    #[test]
    fn the_tree_message_has_every_directory_once() {
        let (_folder, store) = store();
        let success = success(&store);
        let result = success.to_result(&store, Duration::ZERO, "").unwrap();
        let [folder] = result.output_directories.as_slice() else { panic!() };
        let digest = folder.tree_digest.as_ref().unwrap();
        let digest = Digest::from_reapi(store.function(), digest).unwrap();
        let tree = reapi::Tree::decode(&*store.get(&digest).unwrap().unwrap()).unwrap();
        let root = tree.root.unwrap().encode_to_vec();
        assert_eq!(Artifact::Tree(Digest::of(store.function(), &root)), success.outputs[1].1);
        assert_eq!(tree.children.len(), 1, "`a` and `b` are the same directory");
    }

    #[test]
    fn a_result_of_no_use_is_a_miss() {
        let (_folder, store) = store();
        let whole = success(&store).to_result(&store, Duration::ZERO, "").unwrap();
        let check = |change: &dyn Fn(&mut reapi::ActionResult)| {
            let mut result = whole.clone();
            change(&mut result);
            assert_eq!(Success::from_result(store.function(), &action(), &result), None);
        };
        check(&|result| result.exit_code = 1);
        check(&|result| result.output_files.clear());
        check(&|result| result.output_directories.clear());
        check(&|result| result.output_files[0].path = "file".to_owned());
        check(&|result| result.output_files[0].digest = None);
        check(&|result| result.output_directories[0].root_directory_digest = None);
        check(&|result| result.stderr_digest.as_mut().unwrap().size_bytes = -1);
    }
}
