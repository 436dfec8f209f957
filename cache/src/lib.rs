//! Content-addressed store and action cache.
//!
//! This crate knows bytes, their digests, trees of files, and the results of actions. It does not run actions, knows
//! no graph and no language, and never prints: it returns what a caller should hear about, or keeps it until the
//! caller asks ([`DiskStore::take_quarantined`]).
//!
//! - [`Digest`] names bytes, [`Tree`] names a directory; [`reapi`] has the wire format of both.
//! - [`DiskStore`] keeps blobs, trees and results in one folder that many processes may share. Its [`ContentStore`] is the
//!   part that all code may use: blobs, trees, scratch folders and memos.

mod digest;
mod directory;
mod hasher;
mod link;
pub mod reapi;
mod regular;
mod store;
mod threads;
mod tree;

pub use digest::{Digest, DigestFunction, ParseDigestError};
pub use directory::EncodedDirectory;
pub use hasher::{Hasher, digest_file};
pub use link::LinkError;
pub use regular::{open_regular, read_regular, read_regular_to_string};
pub use store::{
    Amount, BlobWriter, Claim, Collected, ContentStore, Counts, DiskStore, FIXED_MTIME, Flaw,
    FolderIdentity, Health, IngestError, MaterialiseError, Memo, Quarantined, ScratchDir,
    StoreError, StoreExportError, StoreHealth, StoreLimits, TreeHealth, TreeOnDisk, UnusableEntry,
    Usage, is_out_of_space, remove_tree,
};
pub use threads::start_threads;
pub use tree::{Entry, MAX_DEPTH, Tree, TreeError};
