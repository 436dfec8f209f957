//! Runs in the processes of a command until they have become the program.
//!
//! [`child`] and [`without_namespaces`] set process 1 up, with and without namespaces, by what the
//! spawner has [`prepared`]. [`init`] is the rest of its life. If a program is traced, the
//! [`tracer`] hands its calls to the [`determinism`] layer and to the [`translation`] of paths.
//! [`seccomp`] says which calls those are.

pub(super) mod child;
pub(super) mod determinism;
mod hide;
mod init;
pub(super) mod limits;
mod memory;
pub(super) mod prepared;
mod program;
pub(super) mod seccomp;
mod tracer;
pub(super) mod translation;
pub(super) mod without_namespaces;
