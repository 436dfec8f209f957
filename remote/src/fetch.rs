//! Brings files and whole trees into the store.
//!
//! A tree is fetched level by level: all directories of one level in few batches, and all files of the tree together at
//! the end. So the number of round trips grows with the depth of a tree and not with the number of its files.

use std::collections::BTreeSet;

use cache::{ContentStore, Digest, MAX_DEPTH};

use crate::client::Inner;
use crate::transfer::{Answer, Wanted};
use crate::trouble::Trouble;

/// The largest message of a directory that is fetched. A larger one would have to be in memory as a whole.
const MAX_DIRECTORY: u64 = 64 << 20;

/// Something to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// A file, by the digest of its bytes.
    File(Digest),
    /// A tree, by the digest of its root's `Directory` message.
    Tree(Digest),
}

impl Inner {
    /// Fetches what the store lacks. Returns `true` if all is there now.
    pub(crate) async fn fetch(&self, wanted: &[Content], store: &ContentStore) -> bool {
        let mut files = BTreeSet::new();
        let mut level = BTreeSet::new();
        for content in wanted {
            match content {
                Content::File(digest) => files.insert(*digest),
                Content::Tree(digest) => level.insert(*digest),
            };
        }
        let mut seen = level.clone();
        for _ in 0..=MAX_DEPTH {
            if level.is_empty() {
                break;
            }
            let too_large = level.iter().any(|digest| digest.size() > MAX_DIRECTORY);
            if too_large || !self.bring(&level, store).await {
                return false;
            }
            match self.children(&level, store, &mut files) {
                Some(children) => level = children.difference(&seen).copied().collect(),
                None => return false,
            }
            seen.extend(level.iter().copied());
        }
        level.is_empty() && self.bring(&files, store).await
    }

    /// Reads the directories of one level. Adds their files to `files`, and returns their subdirectories.
    fn children(
        &self,
        level: &BTreeSet<Digest>,
        store: &ContentStore,
        files: &mut BTreeSet<Digest>,
    ) -> Option<BTreeSet<Digest>> {
        let mut children = BTreeSet::new();
        for digest in level {
            let Ok(directory) = store.directory(digest) else {
                let host = self.line.host.clone();
                self.line.troubles.note(Trouble::NotADirectory { host, digest: *digest });
                return None;
            };
            let directory = directory?;
            files.extend(directory.files());
            children.extend(directory.subtrees());
        }
        Some(children)
    }

    /// Fetches the blobs that the store lacks. Returns `true` if all are there now.
    async fn bring(&self, digests: &BTreeSet<Digest>, store: &ContentStore) -> bool {
        let lacking = digests.iter().filter(|digest| !store.contains(digest));
        let wanted = |digest: &Digest| Wanted { digest: *digest, store: store.clone(), ask: true };
        let wanted: Vec<Wanted> = lacking.map(wanted).collect();
        if wanted.is_empty() {
            return true;
        }
        if !self.prepare().await {
            return false;
        }
        let answers = self.downloads.all(wanted).await;
        answers.values().all(|answer| *answer == Answer::Done)
    }
}
