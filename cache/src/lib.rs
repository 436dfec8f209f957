//! Content-addressed store and action cache.
//!
//! Knows bytes, their digests, trees of them, and the results of actions. Knows no action
//! execution, no graph, no language, and never prints: what a caller should hear about is returned
//! or can be asked for ([`DiskStore::take_quarantined`]).
//!
//! - [`Digest`] names bytes, [`Tree`] names a directory; [`reapi`] has the wire format of both.
//! - [`DiskStore`] keeps blobs, trees and results in one folder that many processes may share.

mod digest;
mod directory;
mod hasher;
pub mod reapi;
mod regular;
mod store;
mod threads;
mod tree;

pub use digest::{Digest, DigestFunction, ParseDigestError};
pub use directory::EncodedDirectory;
pub use hasher::{Hasher, digest_file};
pub use regular::{open_regular, read_regular, read_regular_to_string};
pub use store::{
    BlobWriter, DiskStore, ExportError, FIXED_MTIME, Health, IngestError, MaterialiseError, OnDisk,
    Quarantined, ScratchDir, StoreError, TreeHealth, Unusable, Which, is_full, remove_tree,
};
pub use threads::start_threads;
pub use tree::{Entry, MAX_DEPTH, Tree, TreeError};
