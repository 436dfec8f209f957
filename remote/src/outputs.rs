//! Lists the blobs that belong to a result, for an upload.
//!
//! A server should be able to answer a hit and to show what an action was. So beside the outputs the Action and Command
//! messages belong to a result, and the first directories of its input root; the contents of inputs don't.

use std::collections::BTreeSet;

use cache::{ContentStore, Digest, Tree, reapi};
use prost::Message as _;

use crate::failure::Failure;
use crate::trouble::Trouble;

/// The blobs of a result.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// The blobs that the result itself names.
    pub(crate) named: BTreeSet<Digest>,
    /// All blobs, with those that it names.
    pub(crate) all: BTreeSet<Digest>,
}

/// The reason why the blobs can't be listed.
#[derive(Debug)]
pub(crate) enum Unlisted {
    /// Something is missing in the store, or the store can't be read.
    Store(Failure),
    /// The result is malformed.
    Malformed(Trouble),
}

impl From<Failure> for Unlisted {
    fn from(failure: Failure) -> Self {
        Self::Store(failure)
    }
}

impl From<cache::StoreError> for Unlisted {
    fn from(error: cache::StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl Outputs {
    /// Lists the blobs of the result of the action `key`.
    pub(crate) fn of(
        key: &Digest,
        result: &reapi::ActionResult,
        store: &ContentStore,
    ) -> Result<Self, Unlisted> {
        let mut outputs = Self::default();
        let read = |path: &str, digest: Option<&reapi::Digest>| {
            let digest = digest.and_then(|digest| Digest::from_reapi(key.function(), digest).ok());
            digest.ok_or_else(|| Unlisted::Malformed(Trouble::Malformed { path: path.to_owned() }))
        };
        for file in &result.output_files {
            outputs.named.insert(read(&file.path, file.digest.as_ref())?);
        }
        let streams = [("stdout", &result.stdout_digest), ("stderr", &result.stderr_digest)];
        for (name, digest) in streams {
            if digest.is_some() {
                outputs.named.insert(read(name, digest.as_ref())?);
            }
        }
        for directory in &result.output_directories {
            let tree = read(&directory.path, directory.tree_digest.as_ref())?;
            outputs.named.insert(tree);
            match &directory.root_directory_digest {
                Some(root) => outputs.directories(read(&directory.path, Some(root))?, store)?,
                None => outputs.tree_message(&tree, store)?,
            }
        }
        outputs.action(key, store)?;
        outputs.all.extend(outputs.named.iter().copied());
        // Every server has the empty blob.
        outputs.all.retain(|digest| digest.size() > 0);
        outputs.named.retain(|digest| digest.size() > 0);
        Ok(outputs)
    }

    /// Adds every directory and file of a tree.
    fn directories(&mut self, root: Digest, store: &ContentStore) -> Result<(), Unlisted> {
        let mut open = vec![root];
        let mut seen = BTreeSet::new();
        while let Some(digest) = open.pop() {
            if seen.insert(digest) {
                let directory = store.directory(&digest)?.ok_or(Failure::Lacking(digest))?;
                self.all.insert(digest);
                self.all.extend(directory.files());
                open.extend(directory.subtrees());
            }
        }
        Ok(())
    }

    /// Adds every directory and file of a Tree message.
    fn tree_message(&mut self, digest: &Digest, store: &ContentStore) -> Result<(), Unlisted> {
        let bytes = store.get(digest)?.ok_or(Failure::Lacking(*digest))?;
        let message = reapi::Tree::decode(&*bytes).map_err(|_| Failure::Lacking(*digest))?;
        for directory in message.root.iter().chain(&message.children) {
            let function = digest.function();
            let tree = Tree::from_directory(function, directory);
            let tree = tree.map_err(|error| Failure::Store(error.to_string()))?;
            self.all.insert(Digest::of(function, &directory.encode_to_vec()));
            self.all.extend(tree.files());
        }
        Ok(())
    }

    /// Adds the messages of an action: its own, the command's, and the first directories of the input root.
    fn action(&mut self, key: &Digest, store: &ContentStore) -> Result<(), Unlisted> {
        let bytes = store.get(key)?.ok_or(Failure::Lacking(*key))?;
        let action = reapi::Action::decode(&*bytes).map_err(|_| Failure::Lacking(*key))?;
        self.all.insert(*key);
        let read = |digest: Option<&reapi::Digest>| {
            digest.and_then(|digest| Digest::from_reapi(key.function(), digest).ok())
        };
        self.all.extend(read(action.command_digest.as_ref()));
        let Some(root) = read(action.input_root_digest.as_ref()) else { return Ok(()) };
        // The input root may consist of parts that are known by digest only.
        if let Some(directory) = store.directory(&root)? {
            self.all.insert(root);
            self.all.extend(directory.subtrees().filter(|child| store.contains(child)));
        }
        Ok(())
    }
}
