//! Hashes bytes and files with either digest function.
//!
//! Files are read, never mapped into memory: a process that reads a mapped file dies of SIGBUS if the file is truncated
//! meanwhile, and an editor may do that to a source file at any time. Reading is no slower: small
//! files go through one small buffer; large ones are read in blocks, and BLAKE3 hashes a block on
//! all cores while the next one is being read, which is as fast as mapping the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::Digest as _;

use crate::digest::{Digest, DigestFunction};
use crate::regular::open_regular;

/// Pieces of at least this many bytes are hashed by several threads. For smaller ones, waking the threads costs more
/// than they save.
const WIDE: usize = 1 << 20;
/// Files of at least this size are read by one thread while another one hashes.
const READ_AHEAD_FROM: u64 = 16 << 20;
const SMALL_BLOCK: usize = 128 << 10;
const LARGE_BLOCK: usize = 2 << 20;

/// Takes bytes piece by piece and computes their [`Digest`].
#[derive(Debug, Clone)]
pub struct Hasher {
    state: HasherState,
    size: u64,
}

#[derive(Debug, Clone)]
enum HasherState {
    /// Boxed, because the hasher's state is large: it holds a stack of 54 chaining values.
    Blake3(Box<blake3::Hasher>),
    Sha256(sha2::Sha256),
}

impl Hasher {
    /// Makes a hasher that has seen no bytes yet.
    pub fn new(function: DigestFunction) -> Self {
        let state = match function {
            DigestFunction::Blake3 => HasherState::Blake3(Box::default()),
            DigestFunction::Sha256 => HasherState::Sha256(sha2::Sha256::new()),
        };
        Self { state, size: 0 }
    }

    /// Adds `bytes`. BLAKE3 uses several threads if there is a megabyte of them or more.
    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        match &mut self.state {
            HasherState::Blake3(hasher) if bytes.len() >= WIDE => _ = hasher.update_rayon(bytes),
            HasherState::Blake3(hasher) => _ = hasher.update(bytes),
            HasherState::Sha256(hasher) => hasher.update(bytes),
        }
    }

    /// Returns the digest of all bytes that were added so far.
    pub fn finish(&self) -> Digest {
        match &self.state {
            HasherState::Blake3(hasher) => {
                Digest::new(DigestFunction::Blake3, *hasher.finalize().as_bytes(), self.size)
            }
            HasherState::Sha256(hasher) => {
                let hash = hasher.clone().finalize().into();
                Digest::new(DigestFunction::Sha256, hash, self.size)
            }
        }
    }
}

/// Computes the digest of a file's content.
///
/// If another process writes to the file meanwhile, the digest is that of the bytes that were read.
pub fn digest_file(function: DigestFunction, path: &Path) -> io::Result<Digest> {
    digest_open_file(function, &open_regular(path)?)
}

/// Computes the digest of the bytes from the current position of `file` to its end.
pub(crate) fn digest_open_file(function: DigestFunction, file: &File) -> io::Result<Digest> {
    let mut hasher = Hasher::new(function);
    for_each_block(file, |block| {
        hasher.update(block);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Hands the rest of `file` to `sink`, block by block. A large file is read on another thread while
/// `sink` works.
pub(crate) fn for_each_block(
    file: &File,
    mut sink: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<()> {
    if file.metadata()?.len() >= READ_AHEAD_FROM {
        return for_each_block_ahead(file, sink);
    }
    let mut block = vec![0; SMALL_BLOCK];
    loop {
        match fill(file, &mut block)? {
            0 => return Ok(()),
            n => sink(&block[..n])?,
        }
    }
}

fn for_each_block_ahead(
    file: &File,
    mut sink: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<()> {
    let (mut current, mut next) = (vec![0; LARGE_BLOCK], vec![0; LARGE_BLOCK]);
    let mut filled = fill(file, &mut current)?;
    while filled > 0 {
        let (done, read) = rayon::join(|| sink(&current[..filled]), || fill(file, &mut next));
        done?;
        filled = read?;
        std::mem::swap(&mut current, &mut next);
    }
    Ok(())
}

/// Reads until `block` is full or the file ends.
fn fill(mut file: &File, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match file.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of every size, on each path through the reader, get the digest of their plain bytes.
    #[test]
    fn files_of_all_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let ahead = usize::try_from(READ_AHEAD_FROM).unwrap();
        for size in [0, 1, SMALL_BLOCK, SMALL_BLOCK + 1, ahead - 1, ahead, ahead + LARGE_BLOCK + 7]
        {
            let bytes: Vec<u8> = (0..size).map(|i| (i.wrapping_mul(31) >> 3) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            for function in DigestFunction::ALL {
                let expected = match function {
                    DigestFunction::Blake3 => *blake3::hash(&bytes).as_bytes(),
                    DigestFunction::Sha256 => sha2::Sha256::digest(&bytes).into(),
                };
                let digest = digest_file(function, &path).unwrap();
                assert_eq!(digest, Digest::new(function, expected, size as u64));
                assert_eq!(digest, Digest::of(function, &bytes));
            }
        }
    }

    #[test]
    fn an_error_of_the_sink_stops_the_reading() {
        let dir = tempfile::tempdir().unwrap();
        for size in [1, READ_AHEAD_FROM + 1] {
            let path = dir.path().join("file");
            File::create(&path).unwrap().set_len(size).unwrap();
            let mut calls = 0;
            let result = for_each_block(&File::open(&path).unwrap(), |_| {
                calls += 1;
                Err(io::Error::other("full"))
            });
            assert_eq!(result.unwrap_err().to_string(), "full");
            assert_eq!(calls, 1);
        }
    }
}
