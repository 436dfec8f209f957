//! Describes the result of a run: how the command ended, what it wrote and used, or why it never
//! started.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::InvalidSpec;

/// Describes how a command ended, what it wrote and what it used.
///
/// A value of this type exists only after every process of the command has died.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The way in which the command ended.
    pub status: Status,
    /// The bytes of standard output, with a note in the middle if some were dropped there.
    pub stdout: Vec<u8>,
    /// The bytes of standard error, with a note in the middle if some were dropped there.
    pub stderr: Vec<u8>,
    /// True if the command wrote more than [`Spec::output_cap`](crate::Spec::output_cap) bytes
    /// to standard output.
    pub stdout_truncated: bool,
    /// True if the command wrote more than [`Spec::output_cap`](crate::Spec::output_cap) bytes
    /// to standard error.
    pub stderr_truncated: bool,
    /// The time from the request to the death of the last process.
    pub wall: Duration,
    /// The CPU time of all processes in user mode. After [`Status::Cancelled`] this is the time of
    /// only the processes that had ended before.
    pub user: Duration,
    /// The CPU time in the kernel, of all processes and for setting up the sandbox.
    pub system: Duration,
    /// The number of resident bytes of the largest process at its peak.
    pub max_rss: u64,
    /// The targets of [`Scratch`](crate::MountSource::Scratch) mounts whose lower folder was
    /// copied, because overlays don't work on its file system. The command sees no difference, but
    /// the copy takes time and room on the disk.
    pub copied_scratch: Vec<PathBuf>,
    /// The files that the command looked for and did not find, as absolute paths inside the
    /// sandbox. No path comes twice, and none is simplified (`/src/a/../b` stays like that). The
    /// list holds at most 10,000 paths, and is empty without the [determinism
    /// layer](crate::Determinism), which is what sees these calls.
    pub missing: Vec<PathBuf>,
}

/// Says how a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The program returned this exit code.
    Exited(i32),
    /// The program was killed by this signal.
    Signalled(i32),
    /// The command took longer than [`Limits::timeout`](crate::Limits::timeout) and was killed.
    TimedOut,
    /// The command was killed because it used more memory than
    /// [`Limits::memory`](crate::Limits::memory), or by the kernel because the machine had no
    /// memory left.
    OutOfMemory,
    /// [`Cancel::cancel`](crate::Cancel::cancel) killed the command.
    Cancelled,
}

/// Says why a command was not run, or why its end is not known.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The specification can't be run on any machine.
    #[error("the sandbox specification is wrong")]
    Invalid(#[from] InvalidSpec),
    /// A mount could not be made.
    #[error("can't mount `{}`{}: {step} failed", target.display(), from(host.as_ref()))]
    Mount {
        /// The path inside the sandbox at which it should have appeared.
        target: PathBuf,
        /// The file or folder of the host that was to be mounted, if there is one.
        host: Option<PathBuf>,
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
    /// A writable folder could not be given to the command's user, or could not be made readable
    /// for the caller after the run.
    #[error("can't prepare the writable folder `{}`", path.display())]
    Folder {
        /// The folder of the host.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The working directory doesn't exist in the sandbox, or isn't a directory.
    #[error("can't use `{}` as working directory in the sandbox", cwd.display())]
    WorkingDirectory {
        /// The path inside the sandbox.
        cwd: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The program, or the interpreter or loader that it names, doesn't exist or isn't executable.
    #[error("can't run `{}` in the sandbox", program.display())]
    Program {
        /// The first element of the command.
        program: OsString,
        /// The cause.
        source: io::Error,
    },
    /// Another step failed while the sandbox was set up.
    #[error("can't set up the sandbox: {step} failed")]
    Setup {
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
    /// The spawner process, which starts the commands, died.
    #[error("the spawner process died")]
    SpawnerDied,
}

fn from(host: Option<&PathBuf>) -> String {
    host.map(|path| format!(" from `{}`", path.display())).unwrap_or_default()
}
