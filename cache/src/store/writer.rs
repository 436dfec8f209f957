//! Streaming a blob into the store.

use std::io::{self, Write};

use super::disk::{At, DiskStore, StoreError};
use super::session::TempFile;
use super::stamp::{file_mode, stamp};
use crate::digest::Digest;
use crate::hasher::Hasher;

/// Takes the bytes of a new blob; nothing is visible before [`BlobWriter::finish`], and nothing
/// stays if it's dropped. Unbuffered: every write is a system call.
#[derive(Debug)]
pub struct BlobWriter {
    store: DiskStore,
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

impl DiskStore {
    /// Starts a new blob. `executable` says which kind of file will use it first, so that it needn't
    /// be copied then; it's no part of the digest.
    pub fn writer(&self, executable: bool) -> Result<BlobWriter, StoreError> {
        let temp = self.temp_file()?;
        let hasher = Hasher::new(self.function());
        Ok(BlobWriter { store: self.clone(), temp, hasher, executable })
    }

    pub(super) fn temp_file(&self) -> Result<TempFile, StoreError> {
        let session = &self.inner.session;
        session.create_file().at("create a file in", &self.layout().tmp())
    }

    /// Makes a complete file, whose digest has been checked, a blob.
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
