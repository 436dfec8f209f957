//! The reasons why a package is not taken into the store.

use std::io;

use cache::StoreError;
use engine::BuiltinError;

use crate::worker::{ErrandError, Refused};

/// The largest archive that is read, in bytes. All of WASI has 400 KiB.
pub(super) const LIMIT: u64 = 64 << 20;

/// The reason why an archive can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no tar archive, or a damaged one.
    #[error("it is no archive that can be read")]
    Damaged(#[source] io::Error),
    /// It has something else than files below its root.
    #[error("its entry `{0}` is no file below its root")]
    Entry(String),
    /// It is too long.
    #[error("it has more than {LIMIT} bytes")]
    TooLong,
}

/// The reason why a package is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// It is an archive that can't be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The package is neither WIT nor a component, or is invalid.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store or the worker failed.
    #[error(transparent)]
    Failed(#[from] BuiltinError),
}

impl From<StoreError> for AdmitError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<ErrandError> for AdmitError {
    fn from(error: ErrandError) -> Self {
        match error {
            ErrandError::Wit(refused) => Self::Refused(refused),
            ErrandError::Builtin(error) => Self::Failed(error),
        }
    }
}
