//! Wraps the system calls that `rustix` doesn't offer, or not in the form that is needed here.
//!
//! This is the only folder of the crate with `unsafe`. Each function can be called safely as its
//! comment says. Some are only safe in the spawner, which has one thread, or in a process that it
//! has just cloned; these say so.
#![expect(unsafe_code, reason = "these system calls have no safe wrapper")]

mod descriptors;
mod errors;
pub(super) mod files;
pub(super) mod limits;
mod loopback;
mod memory;
mod mounts;
pub(super) mod notify;
mod processes;
mod signals;
pub(super) mod trace;

pub(super) use descriptors::{close_from, place, placed};
pub(super) use loopback::raise_loopback;
pub(super) use memory::segments;
pub(super) use mounts::{MountAttributes, attach, mount_setattr};
pub(super) use notify::set_seccomp_filter;
pub(super) use processes::{
    ALL_NAMESPACES, Forked, StringList, Usage, before_exec, clone_into, clone_sharing_memory,
    execute, exit, fork, kill_all_others, unshare, wait4,
};
pub(super) use signals::{next_signal, reset_signals, set_blocked, signals, wait_for_child_signal};
