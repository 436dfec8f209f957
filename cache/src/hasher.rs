//! Hashing bytes and files with either digest function.
//!
//! Small files take one `read`; large ones are read in blocks, hashed by BLAKE3 on all cores while
//! the next block is being read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest as _;

use crate::digest::{Digest, DigestFunction};

/// Takes bytes piece by piece and gives their [`Digest`].
#[derive(Debug, Clone)]
pub struct Hasher {
    state: State,
    size: u64,
}

#[derive(Debug, Clone)]
enum State {
    /// Boxed: the state holds a stack of 54 chaining values.
    Blake3(Box<blake3::Hasher>),
    Sha256(sha2::Sha256),
}

impl Hasher {
    /// Starts with no bytes.
    pub fn new(function: DigestFunction) -> Self {
        let state = match function {
            DigestFunction::Blake3 => State::Blake3(Box::default()),
            DigestFunction::Sha256 => State::Sha256(sha2::Sha256::new()),
        };
        Self { state, size: 0 }
    }

    /// Adds `bytes`, on the calling thread.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        match &mut self.state {
            State::Blake3(hasher) => _ = hasher.update(bytes),
            State::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of all bytes so far.
    pub fn finish(&self) -> Digest {
        match &self.state {
            State::Blake3(hasher) => {
                Digest::new(DigestFunction::Blake3, *hasher.finalize().as_bytes(), self.size)
            }
            State::Sha256(hasher) => {
                let hash = hasher.clone().finalize().into();
                Digest::new(DigestFunction::Sha256, hash, self.size)
            }
        }
    }
}

/// The digest of a file's content.
///
/// The file may be truncated or written by others meanwhile: the digest is then that of the bytes
/// that were read.
pub fn digest_file(function: DigestFunction, path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(function);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}
