//! The action cache: action key → result.
//!
//! An entry isn't named by its own content, so it carries a checksum over key and message. A damaged
//! one, or one under another key's name, is a miss; the next result replaces it.
//!
//! An entry that can't be read, or replaced, is a miss as well: a cache must not end a build that can do
//! without. It is remembered as [`Unusable`], since a build that is never helped by its cache is something
//! to be told of.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use prost::Message as _;

use super::disk::{At, DiskStore, StoreError};
use super::room::is_full;
use crate::digest::Digest;
use crate::hasher::Hasher;
use crate::{reapi, regular};

/// First bytes of an entry; then the 32-byte checksum, then the `ActionResult` message.
const MAGIC: &[u8; 8] = b"run ac1\n";
const CHECKSUM: usize = 32;

/// Bytes of an entry: what a command said is kept in blobs.
const LONGEST: u64 = 64 << 20;

/// Entries of the action cache that could not be used since this was last asked, of one kind.
#[derive(Debug)]
pub struct Unusable {
    /// Names what could not be done: `read` or `replace`.
    pub action: &'static str,
    /// The first such entry.
    pub path: PathBuf,
    /// The reason that the operating system gives.
    pub source: io::Error,
    /// Counts the further ones.
    pub more: usize,
}

/// The unusable entries of one open store: the first of each kind, and how many.
#[derive(Debug, Default)]
pub(super) struct UnusableEntries {
    found: Mutex<Vec<Unusable>>,
}

impl UnusableEntries {
    fn add(&self, action: &'static str, path: PathBuf, source: io::Error) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.iter_mut().find(|found| found.action == action) {
            Some(first) => first.more += 1,
            None => found.push(Unusable { action, path, source, more: 0 }),
        }
    }
}

impl DiskStore {
    /// Gives what of the action cache could not be used since the last call: at most one of each kind.
    pub fn take_unusable(&self) -> Vec<Unusable> {
        let mut found = self.inner.unusable.found.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *found)
    }

    /// The stored result of the action with the given key. The blobs that it names are not looked
    /// at: any of them may be missing. An entry that can't be read is none; see
    /// [`DiskStore::take_unusable`].
    pub fn action_result(&self, key: &Digest) -> Option<reapi::ActionResult> {
        let path = self.layout().action(key);
        match regular::read_own(&path, LONGEST) {
            Ok(entry) => decode(key, &entry),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.inner.unusable.add("read", path, error);
                None
            }
        }
    }

    /// Stores the result of an action, replacing an older one. If there is something that can't be
    /// replaced, the result is not kept; see [`DiskStore::take_unusable`].
    pub fn put_action_result(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
    ) -> Result<(), StoreError> {
        let path = self.layout().action(key);
        let mut temp = self.temp_file()?;
        temp.file.write_all(&encode(key, result)).at("write", temp.path())?;
        match temp.replace(&path) {
            Err(error) if !is_full(&error) => {
                self.inner.unusable.add("replace", path, error);
                Ok(())
            }
            replaced => replaced.at("create", &path),
        }
    }
}

fn encode(key: &Digest, result: &reapi::ActionResult) -> Vec<u8> {
    let message = result.encode_to_vec();
    [MAGIC.as_slice(), &checksum(key, &message), &message].concat()
}

fn decode(key: &Digest, entry: &[u8]) -> Option<reapi::ActionResult> {
    let (stored, message) = entry.strip_prefix(MAGIC)?.split_first_chunk::<CHECKSUM>()?;
    if *stored != checksum(key, message) {
        return None;
    }
    reapi::ActionResult::decode(message).ok()
}

fn checksum(key: &Digest, message: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = Hasher::new(key.function());
    hasher.update(key.hash());
    hasher.update(&key.size().to_le_bytes());
    hasher.update(message);
    *hasher.finish().hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::DigestFunction;

    fn result() -> reapi::ActionResult {
        let digest = Digest::of(DigestFunction::Blake3, b"output").to_reapi();
        let output = reapi::OutputFile {
            path: "out".to_owned(),
            digest: Some(digest),
            ..reapi::OutputFile::default()
        };
        reapi::ActionResult { output_files: vec![output], ..reapi::ActionResult::default() }
    }

    #[test]
    fn every_damage_is_a_miss() {
        for function in DigestFunction::ALL {
            let key = Digest::of(function, b"action");
            let entry = encode(&key, &result());
            assert_eq!(decode(&key, &entry), Some(result()));
            for at in 0..entry.len() {
                let mut flipped = entry.clone();
                flipped[at] ^= 1;
                assert_eq!(decode(&key, &flipped), None, "flipped byte {at}");
                assert_eq!(decode(&key, &entry[..at]), None, "cut at {at}");
            }
            assert_eq!(decode(&Digest::of(function, b"other"), &entry), None);
        }
    }

    #[test]
    fn an_empty_result_is_a_result() {
        let key = Digest::of(DigestFunction::Blake3, b"action");
        let empty = reapi::ActionResult::default();
        assert_eq!(decode(&key, &encode(&key, &empty)), Some(empty));
    }
}
