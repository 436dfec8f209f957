//! The disk store: blobs, trees and action results in one folder.
//!
//! ```text
//! <root>/format, id              version of this layout; random name of this store
//!        statistics              how often builds found something
//!        cas/<fn>/<2 hex>/<hex>  blobs; `<hex>.x` for those that executables are linked to
//!        ac/<fn>/<2 hex>/<hex>   action results
//!        memos/<fn>/<2 hex>/<hex> remembered results of work that is not an action
//!        trees/<fn>/<hex>/       trees put on disk for actions; their files are hard links to blobs
//!        tmp/<session>/          unfinished files of one process; removed when the process is gone
//!        claims/<fn>/<hex>       locks of the processes that make the result of an action
//!        quarantine/             damaged blobs
//!        kept/                   scratch folders that the user wants to look at
//! ```
//!
//! Many threads and many processes may use one store at once, without a server and without a lock
//! on the whole. Everything becomes visible by one `rename` of a complete file or folder, and a process that wants to
//! add content that is there already uses what is there.
//!
//! The documentation of [`DiskStore`] lists what the store promises.

mod action;
mod blob;
mod claim;
mod collect;
mod content;
mod copy;
mod disk;
mod entry;
mod error;
mod export;
mod folders;
mod free_space;
mod ingest;
mod last_use;
mod layout;
mod materialise;
mod memo;
mod merge;
mod quarantine;
mod recheck;
mod remove;
mod scratch;
mod stamp;
mod statistics;
mod tree_builder;
mod trees;
mod usage;
mod verify;
mod verify_all;
mod writer;
mod writer_session;

#[cfg(test)]
mod tests;

pub use claim::Claim;
pub use collect::{Collected, StoreLimits};
pub use content::ContentStore;
pub use disk::DiskStore;
pub use entry::UnusableEntry;
pub use error::StoreError;
pub use export::StoreExportError;
pub use free_space::is_out_of_space;
pub use ingest::IngestError;
pub use materialise::{FolderIdentity, MaterialiseError, TreeOnDisk};
pub use memo::Memo;
pub use quarantine::Quarantined;
pub use remove::remove_tree;
pub use scratch::ScratchDir;
pub use stamp::FIXED_MTIME;
pub use statistics::Counts;
pub use usage::{Amount, Usage};
pub use verify::{Flaw, Health, TreeHealth};
pub use verify_all::StoreHealth;
pub use writer::BlobWriter;
