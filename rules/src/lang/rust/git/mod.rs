//! Packages of git repositories, pinned by the commits in Cargo.lock.
//!
//! *fetch* gets the files of each commit with the user's own git ([`checkout`]), and finds the locked packages in
//! them ([`packages`]). Cargo is told that folders stand in for the repositories ([`listing`]), as `cargo vendor` does
//! it. So it needs no checkout of its own, whose place and form depend on its version. Such a folder has the packages
//! side by side, while a unit sees its package where it lies in the commit, with everything around it. [`Places`]
//! leads from one to the other.

mod checkout;
mod fetch;
mod listing;
mod locked;
mod packages;
mod places;
mod unlocked;

pub(super) use fetch::{FetchRepositories, Repositories};
pub(super) use listing::{GIT, configuration};
pub(super) use locked::LockedRepository;
pub(super) use places::Places;
pub(super) use unlocked::{Pinned, patched_sources};
