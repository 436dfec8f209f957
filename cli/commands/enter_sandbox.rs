//! `run enter-sandbox`: runs a command in the sandbox of a failed action, on the user's terminal.

use std::process::ExitCode;

use sandbox::{Cancel, Sandbox, SandboxError, Status};

use crate::arguments::EnterSandbox;
use crate::command_error::{CommandError, Kind};
use crate::ui::Printer;

/// Runs the command, and returns the exit code that a shell would give for it.
pub(crate) fn run(arguments: EnterSandbox) -> Result<ExitCode, CommandError> {
    let (isolation, spec) = arguments.into_spec();
    let folder = tempfile::Builder::new().prefix("run-sandbox-").tempdir().map_err(|source| {
        CommandError::environment("cannot create a temporary folder").caused_by(&source)
    })?;
    let sandbox = Sandbox::start_with(isolation, folder.path()).map_err(|unsupported| {
        CommandError::from_error(Kind::Environment, &unsupported).hint(unsupported.remedy())
    })?;
    // Ctrl-C ends this process, and with it everything that runs in the sandbox.
    let outcome = sandbox
        .run_inherited(&spec, &Cancel::new())
        .map_err(|error| CommandError::from_error(kind(&error), &error))?;
    let code = match outcome.status {
        Status::Exited(code) => code,
        Status::Signalled(signal) => 128 + signal,
        Status::TimedOut | Status::Cancelled => killed(124, "the command was killed"),
        Status::OutOfMemory => {
            killed(137, "the command was killed, because it used too much memory")
        }
    };
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

/// Returns the kind of the error: a user may have changed the line to something wrong, or a folder may be
/// gone.
const fn kind(error: &SandboxError) -> Kind {
    match error {
        SandboxError::Invalid(_)
        | SandboxError::WorkingDirectory { .. }
        | SandboxError::Program { .. } => Kind::Usage,
        SandboxError::Mount { .. } | SandboxError::Folder { .. } => Kind::Environment,
        SandboxError::Setup { .. } | SandboxError::SpawnerDied => Kind::Internal,
    }
}

fn killed(code: i32, message: &str) -> i32 {
    Printer::plain().error(&CommandError::new(Kind::BuildFailed, message));
    code
}
