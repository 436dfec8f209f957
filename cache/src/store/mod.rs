//! The disk store: blobs, trees and action results in one folder.
//!
//! ```text
//! <root>/format, id              version of this layout; random name of this store
//!        cas/<fn>/<2 hex>/<hex>  blobs; `<hex>.x` for those that executables are linked to
//!        ac/<fn>/<2 hex>/<hex>   action results
//!        trees/<fn>/<hex>/       trees put on disk for actions, hardlinked to blobs
//!        tmp/<session>/          what one process is writing; swept when the process is gone
//!        quarantine/             damaged blobs
//!        kept/                   scratch folders that someone wants to look at
//! ```
//!
//! Many threads and many processes may use one store at once, without a server and without a lock
//! on the whole: everything becomes visible by one `rename` of something complete, and who comes
//! second with the same content finds it there.
//!
//! What it promises stands at [`DiskStore`].

mod action;
mod blob;
mod build;
mod copy;
mod disk;
mod export;
mod folders;
mod ingest;
mod layout;
mod materialise;
mod merge;
mod quarantine;
mod recheck;
mod remove;
mod room;
mod scratch;
mod session;
mod stamp;
mod symlink;
mod trees;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use action::Unusable;
pub use disk::{DiskStore, StoreError};
pub use export::ExportError;
pub use ingest::IngestError;
pub use materialise::{MaterialiseError, OnDisk, Which};
pub use quarantine::Quarantined;
pub use remove::remove_tree;
pub use room::is_full;
pub use scratch::ScratchDir;
pub use stamp::FIXED_MTIME;
pub use verify::{Health, TreeHealth};
pub use writer::BlobWriter;
