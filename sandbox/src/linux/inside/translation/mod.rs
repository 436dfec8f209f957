//! Shows a command a file tree without mounts: where there are no namespaces, the path in every
//! system call is translated.
//!
//! A thread stops before such a call. Process 1 reads the path, finds out what it means in the
//! command's file tree, and has the call made with the path of the host. After the call the thread
//! gets its registers back. Paths that the kernel returns are translated the other way round.
//! Programs are started with the loader and the interpreter of the tree ([`programs`]).
//!
//! This shows a file tree and does not guard it: another thread can change a path between the
//! translation and the call. Landlock decides what a command can read and write. One thread alone
//! can't go around the translation: a call with a path, a folder or a descriptor that process 1
//! can't look at is never made.

mod calls;
mod changes;
mod guard;
mod places;
mod process_rules;
mod programs;
mod threads;
mod translator;
mod walk;

pub(in crate::linux) use calls::TRANSLATED;
pub(super) use guard::restrict;
pub(super) use translator::{Entered, PendingCall, Translator, is_marked};
pub(super) use walk::{LastLink, LinkTarget, Path, ProcView, walk};
