//! Writes a blob into the store piece by piece.

use std::io::{self, Write};

use super::content::ContentStore;
use super::error::{IoErrorContext, StoreError};
use super::stamp::{file_mode, stamp};
use super::writer_session::TempFile;
use crate::digest::{Digest, DigestFunction};
use crate::hasher::Hasher;

/// Takes the bytes of a new blob. The blob becomes visible with [`BlobWriter::finish`]; if the writer is dropped before
/// that, nothing stays. It has no buffer: every write is a system call.
#[derive(Debug)]
pub struct BlobWriter {
    store: ContentStore,
    temp: TempFile,
    hasher: Hasher,
    executable: bool,
}

impl BlobWriter {
    /// Publishes the blob under its digest.
    pub fn finish(self) -> Result<Digest, StoreError> {
        let digest = self.hasher.finish();
        if self.store.find(&digest)?.is_none() {
            self.store.publish(self.temp, &digest, self.executable)?;
        }
        Ok(digest)
    }

    /// Publishes the blob if its bytes have the digest `expected`. Returns `false`, and keeps nothing, if they have another
    /// one. `expected` has to be of the function that the writer was made for.
    pub fn finish_as(self, expected: &Digest) -> Result<bool, StoreError> {
        if self.hasher.finish() != *expected {
            return Ok(false);
        }
        self.finish().map(|_| true)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.temp.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ContentStore {
    /// Starts a new blob. `executable` tells if the file that will use the blob first is executable, so that the blob
    /// need not be copied then; the digest does not depend on it.
    pub fn writer(&self, executable: bool) -> Result<BlobWriter, StoreError> {
        self.writer_of(self.function(), executable)
    }

    /// Starts a new blob whose digest is made with `function`, which may be another one than the store's own. See
    /// [`ContentStore::writer`].
    pub fn writer_of(
        &self,
        function: DigestFunction,
        executable: bool,
    ) -> Result<BlobWriter, StoreError> {
        let temp = self.temp_file()?;
        Ok(BlobWriter { store: self.clone(), temp, hasher: Hasher::new(function), executable })
    }

    pub(super) fn temp_file(&self) -> Result<TempFile, StoreError> {
        let session = &self.inner.session;
        session.create_file().at("create a file in", &self.layout().tmp())
    }

    /// Turns a complete file, whose digest has been checked, into a blob.
    pub(super) fn publish(
        &self,
        temp: TempFile,
        digest: &Digest,
        executable: bool,
    ) -> Result<(), StoreError> {
        stamp(&temp.file, file_mode(executable)).at("stamp", temp.path())?;
        let path = self.layout().blob(digest, executable);
        temp.publish(&path).at("create", &path)
    }
}
