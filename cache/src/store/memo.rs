//! Memos: remembered results of work that is not an action, such as completing a WIT folder or unpacking a package.
//!
//! Memos are kept apart from the action cache, because their keys are digests that have a meaning for this program
//! only. So code that sends results of actions to other machines can never send a memo.

use super::content::ContentStore;
use super::entry::Magic;
use super::error::StoreError;
use crate::digest::Digest;

/// The magic number of the entries. The body of an entry is the digest of the tree, a line feed, and the text.
const MAGIC: &Magic = b"run me1\n";

/// A remembered result: a tree and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memo {
    /// The digest of the tree. Its blobs may be missing.
    pub tree: Digest,
    /// The text, whose form is up to the caller; it may be empty.
    pub text: String,
}

impl ContentStore {
    /// Returns the memo with the given key. An entry that can't be read counts as missing; see
    /// [`DiskStore::take_unusable`](crate::DiskStore::take_unusable).
    pub fn memo(&self, key: &Digest) -> Option<Memo> {
        let body = self.read_entry(MAGIC, key, self.layout().memo(key))?;
        let body = String::from_utf8(body).ok()?;
        let (tree, text) = body.split_once('\n')?;
        Some(Memo { tree: tree.parse().ok()?, text: text.to_owned() })
    }

    /// Stores a memo under the given key, and replaces an older one. If the older entry can't be
    /// replaced, the memo is not stored; see [`DiskStore::take_unusable`](crate::DiskStore::take_unusable).
    pub fn put_memo(&self, key: &Digest, memo: &Memo) -> Result<(), StoreError> {
        let Memo { tree, text } = memo;
        self.write_entry(MAGIC, key, self.layout().memo(key), format!("{tree}\n{text}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DiskStore;
    use crate::digest::DigestFunction;

    #[test]
    fn memos_come_back_and_are_no_results() {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path(), DigestFunction::Blake3).unwrap();
        let key = Digest::of(DigestFunction::Blake3, b"what");
        assert_eq!(store.memo(&key), None);
        for text in ["", "world", "two\nlines\n"] {
            let tree = Digest::of(DigestFunction::Blake3, text.as_bytes());
            let memo = Memo { tree, text: text.to_owned() };
            store.put_memo(&key, &memo).unwrap();
            assert_eq!(store.memo(&key), Some(memo));
        }
        assert_eq!(store.action_result(&key), None);
    }
}
