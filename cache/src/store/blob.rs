//! Stores and reads blobs, each of which is found under the digest of its bytes. This file does not know what the bytes
//! mean.
//!
//! Trees on disk consist of hard links to the files of blobs, and all hard links of a file share its mode. So a blob
//! has up to two files: one that is executable and one that is not. A blob is stored in the form that is needed first,
//! and the other file is made from it when it is needed.
//!
//! A file whose stat is as the store left it counts as sound. If the stat is different, the file is hashed again, and
//! so are all bytes that are read. A damaged file goes to the quarantine, and counts as missing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;

use super::content::ContentStore;
use super::copy::{copy_hashed, reset};
use super::error::{IoErrorContext, StoreError};
use super::last_use::note_use;
use super::stamp::is_intact_file;
use crate::digest::{Digest, DigestFunction};

/// A file of at most this size is read whole, and written to the store only if the blob is new. A larger file is copied
/// while it is hashed.
const WHOLE: u64 = 1 << 20;

impl ContentStore {
    /// Tells if the store has the blob, by one or two `stat`s. The blob is read only if its stat is not as the store left
    /// it.
    pub fn contains(&self, digest: &Digest) -> bool {
        is_empty(digest) || self.find(digest).is_ok_and(|found| found.is_some())
    }

    /// Returns the size of the blob with the given hash, for callers that were told the hash alone; `None` if the blob is
    /// missing or damaged.
    pub fn blob_size(
        &self,
        function: DigestFunction,
        hash: &[u8; 32],
    ) -> Result<Option<u64>, StoreError> {
        let empty = Digest::new(function, *hash, 0);
        if is_empty(&empty) {
            return Ok(Some(0));
        }
        for executable in [false, true] {
            let path = self.layout().blob(&empty, executable);
            let stat = match rustix::fs::lstat(&path) {
                Err(Errno::NOENT) => continue,
                found => found.at("stat", &path)?,
            };
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            if self.find_variant(&Digest::new(function, *hash, size), executable)?.is_some() {
                return Ok(Some(size));
            }
        }
        Ok(None)
    }

    /// Returns the blob's bytes after hashing them. A damaged blob is quarantined, and counts as missing.
    pub fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        if is_empty(digest) {
            return Ok(Some(Vec::new()));
        }
        match self.read_variant(digest, false)? {
            Some(bytes) => Ok(Some(bytes)),
            None => self.read_variant(digest, true),
        }
    }

    /// Stores `bytes`.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.put_bytes(bytes, false)
    }

    /// Stores the content of a regular file. If the file changes meanwhile, the digest is that of the bytes that were
    /// stored. The blob of an executable file is stored as an executable file (see [`ContentStore::writer`]).
    pub fn put_file(&self, path: &Path) -> Result<Digest, StoreError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty()).at("open", path)?);
        let metadata = file.metadata().at("stat", path)?;
        if !metadata.is_file() {
            let error = io::Error::other("it is not a regular file");
            return Err(error).at("store", path);
        }
        self.put_open_file(&file, &metadata, path)
    }

    /// Stores `bytes` if they have the digest `expected`, whichever function made it. Returns `false`, and stores nothing, if
    /// they have another one.
    pub fn put_as(&self, expected: &Digest, bytes: &[u8]) -> Result<bool, StoreError> {
        if Digest::of(expected.function(), bytes) != *expected {
            return Ok(false);
        }
        if !is_empty(expected) && self.find(expected)?.is_none() {
            let mut temp = self.temp_file()?;
            temp.file.write_all(bytes).at("write", temp.path())?;
            self.publish(temp, expected, false)?;
        }
        Ok(true)
    }

    /// Opens a blob for reading; `None` if it is missing, or is the empty blob, which needs no file. The bytes are not hashed
    /// here. The reader has to hash them; if they are wrong, [`ContentStore::get`] sets the blob aside.
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        if is_empty(digest) {
            return Ok(None);
        }
        for executable in [false, true] {
            if self.find_variant(digest, executable)?.is_some() {
                let path = self.layout().blob(digest, executable);
                if let Some(file) = open_no_follow(&path).at("open", &path)? {
                    return Ok(Some(file));
                }
            }
        }
        Ok(None)
    }

    /// Returns the path of the blob's file with the given mode, so that it can be mounted; `None` if the blob is missing.
    /// The file must not be written to.
    pub fn blob_path(
        &self,
        digest: &Digest,
        executable: bool,
    ) -> Result<Option<PathBuf>, StoreError> {
        let blob = self.ensure(digest, executable)?;
        Ok(blob.map(|_| self.layout().blob(digest, executable)))
    }

    pub(super) fn put_bytes(&self, bytes: &[u8], executable: bool) -> Result<Digest, StoreError> {
        let digest = Digest::of(self.function(), bytes);
        if self.find(&digest)?.is_none() {
            let mut temp = self.temp_file()?;
            temp.file.write_all(bytes).at("write", temp.path())?;
            self.publish(temp, &digest, executable)?;
        }
        Ok(digest)
    }

    /// Stores the content of an open file. `path` is for messages.
    pub(super) fn put_open_file(
        &self,
        mut file: &File,
        metadata: &std::fs::Metadata,
        path: &Path,
    ) -> Result<Digest, StoreError> {
        let executable = is_executable(metadata);
        if metadata.len() <= WHOLE {
            let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1);
            file.read_to_end(&mut bytes).at("read", path)?;
            return self.put_bytes(&bytes, executable);
        }
        let temp = self.temp_file()?;
        let digest = copy_hashed(self.function(), file, &temp.file).at("store", path)?;
        if self.find(&digest)?.is_none() {
            self.publish(temp, &digest, executable)?;
        }
        Ok(digest)
    }

    /// Returns the stat of one of the blob's files, whatever its mode.
    pub(super) fn find(&self, digest: &Digest) -> Result<Option<Stat>, StoreError> {
        match self.find_variant(digest, false)? {
            Some(stat) => Ok(Some(stat)),
            None => self.find_variant(digest, true),
        }
    }

    /// Returns the stat of the blob's file with the given mode. If only the other file exists, this one is made from it.
    pub(super) fn ensure(
        &self,
        digest: &Digest,
        executable: bool,
    ) -> Result<Option<Stat>, StoreError> {
        if let Some(stat) = self.find_variant(digest, executable)? {
            return Ok(Some(stat));
        }
        let temp = self.temp_file()?;
        if !self.copy_blob(digest, &temp.file)? {
            return Ok(None);
        }
        self.publish(temp, digest, executable)?;
        self.find_variant(digest, executable)
    }

    /// Copies the blob's bytes into the empty file `to`, and checks them by their hash. Returns `false` if the blob is
    /// missing or turns out to be damaged.
    pub(super) fn copy_blob(&self, digest: &Digest, to: &File) -> Result<bool, StoreError> {
        if is_empty(digest) {
            return Ok(true);
        }
        for executable in [false, true] {
            let path = self.layout().blob(digest, executable);
            match open_no_follow(&path) {
                Ok(None) => continue,
                Ok(Some(from)) if is_regular(&from) => {
                    let copied = copy_hashed(digest.function(), &from, to).at("copy", &path)?;
                    if copied == *digest {
                        return Ok(true);
                    }
                    reset(to).at("copy", &path)?;
                }
                // `recheck` decides below: it quarantines a bad blob, and returns an error that is not the blob's fault.
                _ => {}
            }
            self.recheck(digest, executable)?;
        }
        Ok(false)
    }

    fn read_variant(
        &self,
        digest: &Digest,
        executable: bool,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.layout().blob(digest, executable);
        let file = match open_no_follow(&path) {
            Ok(None) => return Ok(None),
            opened => opened.ok().flatten(),
        };
        if let Some(file) = file
            && let Some(bytes) = read_exactly(&file, digest.size()).at("read", &path)?
            && Digest::of(digest.function(), &bytes) == *digest
        {
            if let Ok(stat) = rustix::fs::fstat(&file) {
                note_use(&path, &stat);
            }
            return Ok(Some(bytes));
        }
        self.recheck(digest, executable)?;
        Ok(None)
    }

    fn find_variant(&self, digest: &Digest, executable: bool) -> Result<Option<Stat>, StoreError> {
        let path = self.layout().blob(digest, executable);
        match rustix::fs::lstat(&path) {
            Ok(stat) if is_intact_file(&stat, digest.size(), executable) => {
                note_use(&path, &stat);
                Ok(Some(stat))
            }
            Ok(_) => self.recheck(digest, executable),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error).at("stat", &path),
        }
    }
}

/// Tells if a file counts as executable. The owner's bit decides, because the action ran as the owner.
pub(super) fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

/// Tells if this is the digest of the empty blob, which needs no file.
pub(super) fn is_empty(digest: &Digest) -> bool {
    digest.size() == 0 && *digest == Digest::empty(digest.function())
}

/// Opens a stored file; returns `None` if it is missing. Never blocks and never follows a link, whatever stands in the
/// blob's place.
pub(super) fn open_no_follow(path: &Path) -> Result<Option<File>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

/// Reads the file's bytes; returns `None` if their number is not `size`.
fn read_exactly(mut file: &File, size: u64) -> io::Result<Option<Vec<u8>>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() != size {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?];
    match file.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other.map(|()| Some(bytes)),
    }
}
