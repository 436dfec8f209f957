//! The bytes of an upload on their way into the store. They become a blob only if they have the expected digest.
//!
//! Small blobs stay in memory until they are complete, so that a blob that is known already costs no write at all. Larger ones
//! go into an unfinished file of the store.
//!
//! HTTP names a blob by its hash alone and does not say which function made it. The bytes of such an upload are hashed with
//! both functions; if they are too many for the memory, they are written once for each, and one of the files is dropped. The
//! store has no file that could become a blob of either function.

use std::io::{self, Write};

use cache::{BlobWriter, ContentStore, Digest, DigestFunction};

use crate::failure::Failure;

/// The number of bytes that are kept in memory before a file is made.
pub(crate) const IN_MEMORY: usize = 1 << 20;

/// The facts that are known in advance about the bytes of an upload.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// Their digest.
    Digest(Digest),
    /// Their hash, which either function may have made.
    Hash([u8; 32]),
}

impl Expected {
    fn functions(&self) -> Vec<DigestFunction> {
        match self {
            Self::Digest(digest) => vec![digest.function()],
            Self::Hash(_) => DigestFunction::ALL.to_vec(),
        }
    }

    fn digest(&self, function: DigestFunction, size: u64) -> Digest {
        match self {
            Self::Digest(digest) => *digest,
            Self::Hash(hash) => Digest::new(function, *hash, size),
        }
    }
}

/// Takes the bytes of one upload.
#[derive(Debug)]
pub(crate) struct Staging {
    store: ContentStore,
    expected: Expected,
    limit: u64,
    size: u64,
    memory: Vec<u8>,
    /// A file for each function that is tried; none while the bytes are in memory.
    writers: Vec<BlobWriter>,
    /// The reason for the last error of `write`, which can carry a `std::io::Error` only.
    failure: Option<Failure>,
}

impl Staging {
    /// Prepares for an upload of at most `limit` bytes. A digest sets a limit of its own.
    pub(crate) fn new(store: &ContentStore, expected: Expected, limit: u64) -> Self {
        Self {
            store: store.clone(),
            expected,
            limit,
            size: 0,
            memory: Vec::new(),
            writers: Vec::new(),
            failure: None,
        }
    }

    /// Returns the number of bytes that have arrived.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Tells if so many more bytes would only be copied in memory.
    pub(crate) fn fits_in_memory(&self, more: usize) -> bool {
        self.writers.is_empty() && self.memory.len() + more <= IN_MEMORY
    }

    /// Returns the reason why the last `write` failed, if it was the staging that failed.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Makes a blob of the bytes, and returns its digest. If they have another digest than expected, nothing is kept.
    pub(crate) fn finish(self) -> Result<Digest, Failure> {
        let mut writers = self.writers.into_iter();
        for function in self.expected.functions() {
            let digest = self.expected.digest(function, self.size);
            let is_stored = match writers.next() {
                Some(writer) => writer.finish_as(&digest)?,
                None => self.store.put_as(&digest, &self.memory)?,
            };
            if is_stored {
                return Ok(digest);
            }
        }
        Err(Failure::WrongDigest)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let size = self.size + bytes.len() as u64;
        if let Expected::Digest(digest) = self.expected
            && size > digest.size()
        {
            return Err(Failure::WrongDigest);
        }
        if size > self.limit {
            return Err(Failure::TooLarge(self.limit));
        }
        if self.fits_in_memory(bytes.len()) {
            self.memory.extend_from_slice(bytes);
        } else {
            self.spill()?;
            for writer in &mut self.writers {
                writer.write_all(bytes)?;
            }
        }
        self.size = size;
        Ok(())
    }

    /// Moves the bytes from memory into files.
    fn spill(&mut self) -> Result<(), Failure> {
        if !self.writers.is_empty() {
            return Ok(());
        }
        for function in self.expected.functions() {
            let mut writer = self.store.writer_of(function, false)?;
            writer.write_all(&self.memory)?;
            self.writers.push(writer);
        }
        self.memory = Vec::new();
        Ok(())
    }
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(failure) => {
                self.failure = Some(failure);
                Err(io::Error::other("the bytes were not accepted"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
