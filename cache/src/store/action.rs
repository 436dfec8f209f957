//! The action cache, which maps action keys to results.

use prost::Message as _;

use super::disk::DiskStore;
use super::entry::Magic;
use super::error::StoreError;
use crate::digest::Digest;
use crate::reapi;

/// The magic number of the entries. The body of an entry is the `ActionResult` message.
const MAGIC: &Magic = b"run ac1\n";

impl DiskStore {
    /// Returns the stored result of the action with the given key. The blobs that the result names are not checked,
    /// so any of them may be missing. An entry that can't be read counts as missing; see
    /// [`DiskStore::take_unusable`](crate::DiskStore::take_unusable).
    pub fn action_result(&self, key: &Digest) -> Option<reapi::ActionResult> {
        let body = self.read_entry(MAGIC, key, self.layout().action(key))?;
        reapi::ActionResult::decode(&*body).ok()
    }

    /// Stores the result of an action, and replaces an older one. If the older entry can't be
    /// replaced, the result is not stored; see [`DiskStore::take_unusable`](crate::DiskStore::take_unusable).
    pub fn put_action_result(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
    ) -> Result<(), StoreError> {
        self.write_entry(MAGIC, key, self.layout().action(key), &result.encode_to_vec())
    }
}
