//! What came of a run: how the command ended, what it wrote and used, or why it never started.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::InvalidSpec;

/// How a command ended, what it wrote and what it used.
///
/// When this value exists, every process of the command is dead.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// Standard output; with a note in the middle where bytes were dropped.
    pub stdout: Vec<u8>,
    /// Standard error; with a note in the middle where bytes were dropped.
    pub stderr: Vec<u8>,
    /// Whether more than [`Spec::output_cap`](crate::Spec::output_cap) bytes were written to
    /// standard output.
    pub stdout_truncated: bool,
    /// Whether more than [`Spec::output_cap`](crate::Spec::output_cap) bytes were written to
    /// standard error.
    pub stderr_truncated: bool,
    /// From the request to the death of the last process.
    pub wall: Duration,
    /// CPU time in user mode, of all processes. After [`Status::Cancelled`], only of those that
    /// had ended before.
    pub user: Duration,
    /// CPU time in the kernel, of all processes and for setting up the sandbox.
    pub system: Duration,
    /// Bytes resident in the largest process, at its peak.
    pub max_rss: u64,
    /// Targets of [`Scratch`](crate::MountSource::Scratch) mounts that got a private copy of their
    /// lower folder, since overlays don't work on that file system. The command can't tell the
    /// difference; the disk can.
    pub copied_scratch: Vec<PathBuf>,
    /// Files that it looked for or was to read, and that were not there, as absolute paths inside the
    /// sandbox, neither repeated nor tidied (`/src/a/../b`). Under the
    /// [determinism layer](crate::Determinism) only, which sees such calls; at most 10,000.
    pub missing: Vec<PathBuf>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned this exit code.
    Exited(i32),
    /// It was killed by this signal.
    Signalled(i32),
    /// It took longer than [`Limits::timeout`](crate::Limits::timeout) and was killed.
    TimedOut,
    /// It was killed for using more memory than [`Limits::memory`](crate::Limits::memory), or by
    /// the system for want of memory.
    OutOfMemory,
    /// It was killed by [`Cancel::cancel`](crate::Cancel::cancel).
    Cancelled,
}

/// Why a command was not run, or its end is not known.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The specification can't be run on any machine.
    #[error("the sandbox specification is wrong")]
    Invalid(#[from] InvalidSpec),
    /// A mount could not be made.
    #[error("can't mount `{}`{}: {step} failed", target.display(), from(host.as_ref()))]
    Mount {
        /// Where it should have appeared in the sandbox.
        target: PathBuf,
        /// The file or folder of the host, if it has one.
        host: Option<PathBuf>,
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
    /// A folder that the command may write to could not be handed over to it, or taken back.
    #[error("can't prepare the writable folder `{}`", path.display())]
    Folder {
        /// The folder of the host.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The working directory doesn't exist in the sandbox, or isn't a directory.
    #[error("can't use `{}` as working directory in the sandbox", cwd.display())]
    WorkingDirectory {
        /// The path inside the sandbox.
        cwd: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program, or the interpreter or loader that it names, is not there or not executable.
    #[error("can't run `{}` in the sandbox", program.display())]
    Program {
        /// The first element of the command.
        program: OsString,
        /// Why.
        source: io::Error,
    },
    /// Something else failed while the sandbox was set up.
    #[error("can't set up the sandbox: {step} failed")]
    Setup {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
    /// The spawner process, which starts the commands, is gone.
    #[error("the spawner process died")]
    SpawnerDied,
}

fn from(host: Option<&PathBuf>) -> String {
    host.map(|path| format!(" from `{}`", path.display())).unwrap_or_default()
}
