//! The action cache: action key → result.
//!
//! An entry isn't named by its own content, so it carries a checksum over key and message. A damaged
//! one, or one under another key's name, is a miss; the next result replaces it.

use std::io::Write;

use prost::Message as _;

use super::disk::{At, DiskStore, StoreError};
use crate::digest::Digest;
use crate::hasher::Hasher;
use crate::reapi;

/// First bytes of an entry; then the 32-byte checksum, then the `ActionResult` message.
const MAGIC: &[u8; 8] = b"run ac1\n";
const CHECKSUM: usize = 32;

impl DiskStore {
    /// The stored result of the action with the given key. The blobs that it names are not looked
    /// at: any of them may be missing.
    pub fn action_result(&self, key: &Digest) -> Result<Option<reapi::ActionResult>, StoreError> {
        let path = self.layout().action(key);
        match std::fs::read(&path) {
            Ok(entry) => Ok(decode(key, &entry)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", &path),
        }
    }

    /// Stores the result of an action, replacing an older one.
    pub fn put_action_result(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
    ) -> Result<(), StoreError> {
        let path = self.layout().action(key);
        let mut temp = self.temp_file()?;
        temp.file.write_all(&encode(key, result)).at("write", temp.path())?;
        temp.replace(&path).at("create", &path)
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
