//! What ends a command early: one error type with its exit code, and how every library's error
//! becomes one.

use sandbox::Cause;
use std::error::Error;
use std::process::ExitCode;

/// What to do about a full file system.
pub(crate) const NO_ROOM: &str =
    "there is no room left: free some, or set RUN_HOME to a folder on another file system";

/// What to do where the system gives no process or thread.
pub(crate) const NO_PROCESS: &str =
    "the limit of processes is reached (`ulimit -u`, or that of the control group), or memory is";

/// Which kind of end it was; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An action failed.
    BuildFailed,
    /// Arguments or configuration are wrong.
    Usage,
    /// The user stopped it.
    Interrupted,
    /// The machine lacks something.
    Environment,
    /// A bug in `run`, or a machine that misbehaves.
    Internal,
    /// Bytes are not the pinned ones.
    ChecksumMismatch,
    /// A component is not the same each time it is built.
    NotReproducible,
}

impl Kind {
    /// The exit code: Bazel's where it has one, Nix's for verification.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::BuildFailed => 1,
            Self::Usage => 2,
            Self::Interrupted => 8,
            Self::Environment => 36,
            Self::Internal => 37,
            Self::ChecksumMismatch => 102,
            Self::NotReproducible => 104,
        })
    }
}

/// An error as the user is told it: `error:`, `caused by:`, `hint:`.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) kind: Kind,
    /// The first line; empty if everything was printed already.
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The machine lacks something.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(Kind::Environment, message)
    }

    /// The system gives no thread.
    pub(crate) fn threads(source: &std::io::Error) -> Self {
        Self::environment("cannot start a thread").caused_by(source).hint(NO_PROCESS)
    }

    /// Everything there was to say has been printed; only the exit code is left.
    pub(crate) fn silent(kind: Kind) -> Self {
        Self::new(kind, "")
    }

    /// A library's error with its sources.
    pub(crate) fn from_error(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut this = Self::new(kind, error.to_string());
        this.causes = causes(error);
        this.or_no_room(error)
    }

    /// Adds the error below it, with its own sources.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(causes(error));
        self.or_no_room(error)
    }

    /// The same for everything that finds no room left, wherever it is found out.
    fn or_no_room(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut chain = std::iter::successors(Some(error), |error: &&_| (*error).source());
        if chain.any(|error| error.downcast_ref().is_some_and(cache::is_full)) {
            self.kind = Kind::Environment;
            self.hints.push(NO_ROOM.to_owned());
        }
        self
    }

    /// Adds what the user can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}

impl From<engine::BuildError> for CommandError {
    fn from(error: engine::BuildError) -> Self {
        match &error {
            engine::BuildError::Unsupported(unsupported) => {
                let this = Self::from_error(Kind::Environment, &error);
                let this = this.hint(unsupported.remedy());
                match unsupported.cause {
                    Cause::WeakForRoot | Cause::Landlock | Cause::OperatingSystem(_) => this,
                    _ => this.hint(
                        "or, for results that are used on this machine only: `--sandbox weak` as an \
                         ordinary user, or `--sandbox none`; see `run build --help`",
                    ),
                }
            }
            engine::BuildError::Threads(source) => Self::threads(source),
            _ => Self::from_error(Kind::Environment, &error),
        }
    }
}

impl From<rules::toolchain::SyncError> for CommandError {
    fn from(error: rules::toolchain::SyncError) -> Self {
        let kind = match () {
            () if error.is_cancelled() => Kind::Interrupted,
            () if error.is_mismatch() => Kind::ChecksumMismatch,
            () if error.is_usage() => Kind::Usage,
            () => Kind::Environment,
        };
        let hints = error.hints();
        hints.into_iter().fold(Self::from_error(kind, &error), Self::hint)
    }
}
