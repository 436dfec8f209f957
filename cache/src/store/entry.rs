//! Reads and writes the files of the store that are not named by their own content: results of actions, and memos.
//!
//! Each such entry carries a checksum over its key and its body. A damaged entry, or one under another key's name,
//! is a miss, and the next entry that is written replaces it.
//!
//! An entry that can't be read or replaced is a miss as well, because a build can go on without its cache. But the
//! user should know that the cache does not help, so the entry is remembered as an [`UnusableEntry`].

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::content::ContentStore;
use super::error::{IoErrorContext as _, StoreError};
use super::free_space::is_out_of_space;
use super::last_use::note_use;
use crate::digest::Digest;
use crate::hasher::Hasher;
use crate::regular;

const CHECKSUM: usize = 32;

/// The first bytes of an entry, which identify its kind. The 32-byte checksum and the body follow.
pub(super) type Magic = [u8; 8];

/// The largest size of an entry in bytes. Entries are small, because the output of commands is kept in blobs.
const LONGEST: u64 = 64 << 20;

/// Reports entries that could not be read, or could not be replaced.
#[derive(Debug)]
pub struct UnusableEntry {
    /// The operation that failed: `read` or `replace`.
    pub action: &'static str,
    /// The path of the first such entry.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
    /// The number of further entries with which the same operation failed.
    pub more: usize,
}

/// The unusable entries of one open store: for each operation the first entry and the number of the others.
#[derive(Debug, Default)]
pub(super) struct UnusableEntries {
    found: Mutex<Vec<UnusableEntry>>,
}

impl UnusableEntries {
    pub(super) fn take(&self) -> Vec<UnusableEntry> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *found)
    }

    fn add(&self, action: &'static str, path: PathBuf, source: io::Error) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.iter_mut().find(|found| found.action == action) {
            Some(first) => first.more += 1,
            None => found.push(UnusableEntry { action, path, source, more: 0 }),
        }
    }
}

impl ContentStore {
    /// Reads the body of an entry. Returns `None` if the entry is missing, damaged, or belongs to another key.
    pub(super) fn read_entry(&self, magic: &Magic, key: &Digest, path: PathBuf) -> Option<Vec<u8>> {
        match regular::read_own(&path, LONGEST) {
            Ok(entry) => {
                if let Ok(stat) = rustix::fs::lstat(&path) {
                    note_use(&path, &stat);
                }
                decode(magic, key, &entry).map(<[u8]>::to_vec)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.inner.unusable.add("read", path, error);
                None
            }
        }
    }

    /// Writes an entry, and replaces an older one. If the older one can't be replaced, nothing is written.
    pub(super) fn write_entry(
        &self,
        magic: &Magic,
        key: &Digest,
        path: PathBuf,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let mut temp = self.temp_file()?;
        temp.file.write_all(&encode(magic, key, body)).at("write", temp.path())?;
        match temp.replace(&path) {
            Err(error) if !is_out_of_space(&error) => {
                self.inner.unusable.add("replace", path, error);
                Ok(())
            }
            replaced => replaced.at("create", &path),
        }
    }
}

fn encode(magic: &Magic, key: &Digest, body: &[u8]) -> Vec<u8> {
    [magic.as_slice(), &checksum(key, body), body].concat()
}

fn decode<'a>(magic: &Magic, key: &Digest, entry: &'a [u8]) -> Option<&'a [u8]> {
    let (stored, body) = entry.strip_prefix(magic)?.split_first_chunk::<CHECKSUM>()?;
    (*stored == checksum(key, body)).then_some(body)
}

fn checksum(key: &Digest, body: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = Hasher::new(key.function());
    hasher.update(key.hash());
    hasher.update(&key.size().to_le_bytes());
    hasher.update(body);
    *hasher.finish().hash()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::DigestFunction;

    #[test]
    fn every_damage_is_a_miss() {
        const MAGIC: &Magic = b"run xy1\n";
        for function in DigestFunction::ALL {
            let key = Digest::of(function, b"action");
            let entry = encode(MAGIC, &key, b"body");
            assert_eq!(decode(MAGIC, &key, &entry), Some(b"body".as_slice()));
            for at in 0..entry.len() {
                let mut flipped = entry.clone();
                flipped[at] ^= 1;
                assert_eq!(decode(MAGIC, &key, &flipped), None, "flipped byte {at}");
                assert_eq!(decode(MAGIC, &key, &entry[..at]), None, "cut at {at}");
            }
            assert_eq!(decode(MAGIC, &Digest::of(function, b"other"), &entry), None);
            assert_eq!(decode(b"run yz1\n", &key, &entry), None, "another kind");
        }
    }

    #[test]
    fn an_empty_body_is_a_body() {
        let key = Digest::of(DigestFunction::Blake3, b"action");
        assert_eq!(decode(b"run xy1\n", &key, &encode(b"run xy1\n", &key, b"")), Some(&[][..]));
    }
}
