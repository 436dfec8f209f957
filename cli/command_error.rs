//! Defines the one error type of commands with its exit codes, and turns the errors of all libraries into it.

use std::error::Error;
use std::process::ExitCode;

use engine::{Failure, FailureKind, Outcome, Status};
use sandbox::Cause;

use crate::owner;

/// The hint about a full file system.
pub(crate) const NO_ROOM: &str =
    "there is no room left: free some, or set RUN_HOME to a folder on another file system";

/// The hint if the system can't start a process or a thread.
pub(crate) const NO_PROCESS: &str = "there are too many processes (see `ulimit -u` and the limit of the control group), or not enough memory";

/// The hint about a lock that may not be changed here. It says where to change it.
pub(crate) const LOCK_STAYS: &str = "run.lock.toml is not changed in CI and with --locked: change it on a developer's machine and commit it, or \
                                     run the command with an empty variable CI";

/// The kind of an error, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An action failed.
    BuildFailed,
    /// Arguments or configuration are wrong.
    Usage,
    /// A test failed.
    TestsFailed,
    /// There is no test, or none that is asked for.
    NoTests,
    /// The shared cache is required and can't be used.
    Remote,
    /// The user stopped the command.
    Interrupted,
    /// The machine lacks something.
    Environment,
    /// A bug in `run`, or a machine that misbehaves.
    Internal,
    /// Bytes differ from the pinned ones.
    ChecksumMismatch,
    /// Builds of the same component give different bytes.
    NotReproducible,
}

impl Kind {
    /// Returns the exit code: Bazel's if Bazel has one for this kind, and Nix's for verification.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::BuildFailed => 1,
            Self::Usage => 2,
            // As Bazel has them.
            Self::TestsFailed => 3,
            Self::NoTests => 4,
            Self::Interrupted => 8,
            Self::Remote => 34,
            Self::Environment => 36,
            Self::Internal => 37,
            Self::ChecksumMismatch => 102,
            Self::NotReproducible => 104,
        })
    }

    /// Returns the kind of error for a build that did not succeed.
    fn of_build(outcome: &Outcome) -> Self {
        match outcome.status {
            Status::Interrupted => Self::Interrupted,
            Status::Failed | Status::Succeeded => Self::of_failures(&outcome.failures),
        }
    }

    /// Returns the most important kind among the failures: first wrong bytes, then something that the machine
    /// lacks.
    fn of_failures(failures: &[Failure]) -> Self {
        let any = |is: fn(&FailureKind) -> bool| failures.iter().any(|failure| is(&failure.kind));
        match () {
            () if any(FailureKind::is_mismatch) => Self::ChecksumMismatch,
            () if any(|kind| matches!(kind, FailureKind::NoRoom { .. })) => Self::Environment,
            () if any(FailureKind::is_for_want_of_processes) => Self::Environment,
            () if any(FailureKind::is_of_the_cluster) => Self::Remote,
            () => Self::BuildFailed,
        }
    }
}

/// An error as it is printed for the user, with the lines `error:`, `caused by:` and `hint:`.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) kind: Kind,
    /// The first line. It is empty if everything has been printed already.
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Makes an error about wrong usage or configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Makes an error about something that the machine lacks.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(Kind::Environment, message)
    }

    /// Makes the error for a thread that the system can't start.
    pub(crate) fn threads(source: &std::io::Error) -> Self {
        Self::environment("cannot start a thread").caused_by(source).hint(NO_PROCESS)
    }

    /// Makes an error that prints nothing, because everything has been printed already. It only has an exit
    /// code.
    pub(crate) fn silent(kind: Kind) -> Self {
        Self::new(kind, "")
    }

    /// Makes an error of a library's error and its sources.
    pub(crate) fn from_error(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut this = Self::new(kind, error.to_string());
        this.causes = causes(error);
        this.or_no_room(error)
    }

    /// Adds the error that caused this one, with its own sources.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        self.causes.push(error.to_string());
        self.causes.extend(causes(error));
        self.or_no_room(error)
    }

    /// Sets the kind and adds the hint if one of the sources says that the disk is full.
    fn or_no_room(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut chain = std::iter::successors(Some(error), |error: &&_| (*error).source());
        if chain.any(|error| error.downcast_ref().is_some_and(cache::is_out_of_space)) {
            self.kind = Kind::Environment;
            self.hints.push(NO_ROOM.to_owned());
        }
        self
    }

    /// Adds a hint, which says what the user can do.
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
                        "or use a weaker sandbox, whose results stay on this machine: `--sandbox weak` as an \
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

impl From<project::Error> for CommandError {
    fn from(error: project::Error) -> Self {
        use project::Error as E;
        let kind = match error {
            // These have been printed already.
            E::Manifest(_) | E::Unplannable(_) => return Self::silent(Kind::Usage),
            E::NotBuilt(outcome) => return Self::silent(Kind::of_build(&outcome)),
            E::Build(error) => return error.into(),
            E::Sync(error) => return (*error).into(),
            E::Dependencies(error) => return (*error).into(),
            E::NoProject(_) | E::LinkedFolder(_) | E::UnreadableLock(_) | E::Stale(_) => {
                Kind::Usage
            }
            E::Catalogue(_) => Kind::Internal,
            E::Unpromised { .. } | E::Unsteady(_) => Kind::NotReproducible,
            E::PrivateFolder { .. }
            | E::Outputs(_)
            | E::UnwritableLock(_)
            | E::Host(_)
            | E::NoRoom(_)
            | E::ClosedStore { .. }
            | E::Copy(_)
            | E::Unsettled(_)
            | E::Store(_)
            | E::Lost(_) => Kind::Environment,
        };
        hints(&error).into_iter().fold(Self::from_error(kind, &error), Self::hint)
    }
}

impl From<project::DependencyError> for CommandError {
    fn from(error: project::DependencyError) -> Self {
        use project::DependencyError as E;
        let kind = match &error {
            E::Cancelled => Kind::Interrupted,
            E::OtherBytes { .. } => Kind::ChecksumMismatch,
            E::Registry(error) => of_registry(error),
            E::Resolve(resolver::ResolveError::Source { error, .. }) => match &**error {
                E::Registry(error) => of_registry(error),
                E::Cancelled => Kind::Interrupted,
                E::Name(_) | E::OtherName { .. } => Kind::Usage,
                _ => Kind::Environment,
            },
            E::Name(_)
            | E::Resolve(_)
            | E::Drift { .. }
            | E::NotLocked { .. }
            | E::OtherName { .. } => Kind::Usage,
            E::Repository(_)
            | E::Unusable { .. }
            | E::Kept(_)
            | E::Offline { .. }
            | E::Copy { .. }
            | E::Store(_) => Kind::Environment,
        };
        let hint = match &error {
            E::Drift { .. } => Some(LOCK_STAYS.to_owned()),
            E::NotLocked { known, .. } if known.is_empty() => None,
            E::NotLocked { known, .. } => Some(format!("it has {}", known.join(", "))),
            _ => None,
        };
        hint.into_iter().fold(Self::from_error(kind, &error), Self::hint)
    }
}

/// Returns the kind of error for a registry that did not give or take a package.
const fn of_registry(error: &registry::Error) -> Kind {
    use registry::Error as E;
    match error {
        E::Mismatch { .. } => Kind::ChecksumMismatch,
        E::NoPackage { .. } | E::NoVersion { .. } | E::Exists { .. } => Kind::Usage,
        _ => Kind::Environment,
    }
}

/// Returns hints for an error whose message does not say what the user can do.
fn hints(error: &project::Error) -> Vec<String> {
    use project::Error as E;
    match error {
        E::NoProject(error) => vec![error.help()],
        E::LinkedFolder(_) => vec!["remove it: `run` makes the folder anew".to_owned()],
        E::UnreadableLock(_) => vec![
            "restore run.lock.toml from version control, or delete it and run `run toolchain sync`".to_owned(),
        ],
        E::Stale(stale) => vec![stale.hint(), LOCK_STAYS.to_owned()],
        E::NoRoom(_) => vec![NO_ROOM.to_owned()],
        E::ClosedStore { store, .. } => vec![owner::hint_about_the_inside(store)],
        E::Unpromised { proof, .. } => vec![match proof {
            Some(_) => {
                "`run verify` shows what differs; build without `reproducible = true`, or add another release of the toolchain"
            }
            None => {
                "run `run verify`: if it finds that the components of this toolchain are the same in each build, the store remembers that"
            }
        }
        .to_owned()],
        _ => Vec::new(),
    }
}
