//! Implements the determinism layer: process 1 traces the command, and answers what differs from
//! run to run.
//!
//! The system call filter picks a few calls; all others cost nothing. Most of these calls are
//! answered in the kernel's place, by seccomp's user notification ([`answers`]). For the others the
//! thread stops before and after the call, by `ptrace` ([`calls`]), which costs more. Process 1
//! changes the memory and the registers of the thread, so it makes no difference how the program
//! was linked and in which language it is written.
//!
//! What a thread gets depends on how its process came to be (the first, the third child of the
//! second, …) and on what the thread has asked before. It never depends on when the thread runs:
//! see [`thread`].
//!
//! [`Determinism::LAYER`](crate::Determinism::LAYER) says what the layer fixes.

mod answers;
mod calls;
mod clock;
mod facts;
mod file;
mod filesystems;
mod folders;
mod inodes;
mod layer;
mod links;
mod listing;
mod missing;
mod ports;
mod processes;
mod program;
mod refused;
mod reply;
mod scheduling;
mod settings;
mod thread;
mod time;
mod timers;
#[cfg(target_arch = "x86_64")]
mod vdso;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_vdso.rs"]
mod vdso;

pub(in crate::linux) use answers::NOTIFIED;
pub(super) use calls::PendingCall;
pub(in crate::linux) use calls::TRACED;
pub(super) use layer::Layer;
pub(super) use links::kind as numbered;
pub(in crate::linux) use refused::RULES;
pub(super) use thread::Thread;
