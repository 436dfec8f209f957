//! Seals bytes that this machine has made, so that it knows them again.
//!
//! Machine code may be loaded only if its maker is trusted. A result in the store says nothing about its maker for certain:
//! the store may be served to other machines, which write results into it, and a damaged disk may change one. So what this
//! machine has made is sealed with a secret that lies beside the store and that only this user can read, and the seal is
//! checked before the bytes are used.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cache::Digest;

/// The length of the secret in bytes, which is that of a BLAKE3 key.
const LENGTH: usize = blake3::KEY_LEN;

/// The secret of this machine.
pub struct Seal {
    key: [u8; LENGTH],
}

/// The error that the secret can't be read or made.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the key for machine code in `{}`", .path.display())]
pub struct SealError {
    /// The file of the secret.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl Seal {
    /// Reads the secret from a file. If there is none, or it is not whole, makes one.
    ///
    /// # Errors
    /// If the file can't be read or written.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        Self::read_or_make(path).map_err(|source| SealError { path: path.to_owned(), source })
    }

    fn read_or_make(path: &Path) -> io::Result<Self> {
        match read(path) {
            Ok(Some(key)) => return Ok(Self { key }),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut key = [0; LENGTH];
        fill(&mut key)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // Another process may make one at the same time. The one that is renamed last counts for the next start; until then,
        // what the other process has sealed is made again.
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(&key)?;
        drop(file);
        fs::rename(&temporary, path)?;
        Ok(Self { key })
    }

    /// Returns a name of the secret that does not give it away. It belongs to the key of an action whose result is sealed.
    #[must_use]
    pub fn name(&self) -> String {
        let name = blake3::keyed_hash(&self.key, b"the name of this key");
        name.to_hex().as_str()[..16].to_owned()
    }

    /// Seals the bytes that have this digest. `purpose` says what they may be used for.
    #[must_use]
    pub fn seal(&self, purpose: &str, digest: &Digest) -> Vec<u8> {
        self.hash(purpose, digest).as_bytes().to_vec()
    }

    /// Tells if this machine has sealed the bytes that have this digest, for this purpose.
    #[must_use]
    pub fn is_right(&self, purpose: &str, digest: &Digest, seal: &[u8]) -> bool {
        // `Hash` compares in constant time.
        <[u8; blake3::OUT_LEN]>::try_from(seal).is_ok_and(|seal| self.hash(purpose, digest) == seal)
    }

    fn hash(&self, purpose: &str, digest: &Digest) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&(purpose.len() as u64).to_le_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(digest.to_string().as_bytes());
        hasher.finalize()
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// Reads the secret. Returns `None` if the file is not one.
fn read(path: &Path) -> io::Result<Option<[u8; LENGTH]>> {
    let mut bytes = Vec::new();
    cache::open_regular(path)?.take(LENGTH as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes.try_into().ok())
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use cache::DigestFunction;

    use super::*;

    #[test]
    fn only_what_was_sealed_here_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let (here, elsewhere) = (folder.path().join("a.key"), folder.path().join("b.key"));
        let seal = Seal::open(&here).unwrap();
        let digest = Digest::of(DigestFunction::Blake3, b"code");
        let sealed = seal.seal("code", &digest);
        assert!(seal.is_right("code", &digest, &sealed));
        let again = Seal::open(&here).unwrap();
        assert!(again.is_right("code", &digest, &sealed), "the secret is kept");
        assert_eq!(again.name(), seal.name());
        let other = Digest::of(DigestFunction::Blake3, b"other");
        assert!(!seal.is_right("code", &other, &sealed));
        assert!(!seal.is_right("data", &digest, &sealed));
        assert!(!seal.is_right("code", &digest, &[]));
        let foreign = Seal::open(&elsewhere).unwrap();
        assert!(!foreign.is_right("code", &digest, &sealed));
        assert_ne!(foreign.name(), seal.name());
    }

    #[test]
    fn the_secret_is_the_users_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        fs::write(&path, "cut off").unwrap();
        Seal::open(&path).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
    }
}
