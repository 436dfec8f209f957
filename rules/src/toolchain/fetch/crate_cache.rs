//! The crate archives that the user's Cargo has downloaded: `registry/cache/*/NAME-VERSION.crate`
//! in its home.
//!
//! Cargo checks an archive when it downloads it, and never again; so whoever takes one from here
//! holds it against a checksum.

use std::path::{Path, PathBuf};

use cache::{Digest, DigestFunction};

use crate::environment::{Variables, cargo_home};

/// Crate archives that Cargo downloaded.
pub(crate) struct CrateCache {
    home: PathBuf,
}

impl CrateCache {
    /// The user's own, so that what Cargo has is not fetched twice; `else_home` without a home.
    pub(crate) fn of(variables: &Variables, else_home: impl FnOnce() -> PathBuf) -> Self {
        Self { home: cargo_home(variables).unwrap_or_else(else_home) }
    }

    /// Cargo's home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The archive `folder.crate`, if it has the bytes of this SHA-256 (hexadecimal).
    pub(crate) fn find(&self, folder: &str, sha256: &str) -> Option<Vec<u8>> {
        self.candidates(folder).find(|bytes| sha256_of(bytes) == sha256)
    }

    /// Every archive `folder.crate`: each registry has its own.
    pub(crate) fn candidates(&self, folder: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
        let name = format!("{folder}.crate");
        let registries = std::fs::read_dir(self.home.join("registry/cache")).into_iter().flatten();
        registries.flatten().filter_map(move |entry| std::fs::read(entry.path().join(&name)).ok())
    }
}

/// The SHA-256 of an archive, hexadecimal.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    Digest::of(DigestFunction::Sha256, bytes).hex()
}
