//! Runs the client of a registry, such as pip or rustup, and waits for it.
//!
//! Clients are the user's own programs, and the user's own configuration says how they reach their
//! registries. A checkout may choose what they fetch, but never which program runs. So no program of a
//! toolchain's image is started here, and every client runs in the root folder. Clients look for
//! configuration in the folder that they run in and in those above it (cargo for `.cargo/config.toml`, npm
//! for `.npmrc` and package.json, Python for modules, version managers for their files), and the store or the
//! temporary folder may lie in a checkout. The root folder has no folder above it.
//!
//! This file does not decide which variables of the user's environment a client sees. The caller does.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use sandbox::Supervised;

use crate::redact::mask_settings;

/// The folder in which every client runs.
const FOLDER: &str = "/";

/// The pause between two checks whether the client has ended or has to be stopped.
const POLL: Duration = Duration::from_millis(20);

/// The longest wait for the end of a client's output after the client itself has ended. Only a process that
/// the client has moved to a session of its own can still hold the pipe open.
const LEFTOVER: Duration = Duration::from_secs(1);

/// The number of bytes that are kept of each output stream. The rest is read and dropped.
const OUTPUT_LIMIT: usize = 64 << 20;

/// The variable with the token of the registry, which no client may see.
const TOKEN: &str = "RUN_AUTH_TOKEN";

/// The number of lines of a failed client's output that the error contains.
const LINES: usize = 12;

/// A client's program, and what to say if it is missing.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    /// The program: a name to look up in `PATH`, or a path.
    pub(crate) program: &'a OsStr,
    /// An instruction for installing the program.
    pub(crate) install: &'static str,
}

/// The reason why a client did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The program is not installed.
    #[error("`{program}` is not installed; {install}")]
    Missing {
        /// The program.
        program: String,
        /// An instruction for installing the program.
        install: &'static str,
    },
    /// The program can't be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The program ended with a failure.
    #[error("`{command}` failed ({status})\n{output}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// The exit status.
        status: ExitStatus,
        /// The last lines of its output.
        output: String,
    },
    /// The client was stopped because the user wants it.
    #[error("cancelled")]
    Cancelled,
}

/// The exit status and the output of a client that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The client's exit status.
    pub(crate) status: ExitStatus,
    /// All that the client wrote to its standard output.
    pub(crate) stdout: Vec<u8>,
    stderr: Vec<u8>,
    command: String,
}

impl Ended {
    /// Returns the standard output if the client succeeded.
    ///
    /// # Errors
    /// The client failed. The error contains the last lines of its output.
    pub(crate) fn succeeded(self) -> Result<Vec<u8>, ClientError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        let output = last_lines(&[self.stdout, self.stderr].concat());
        Err(ClientError::Failed { command: self.command, status: self.status, output })
    }

    /// Returns both output streams as text that may be shown, without secrets.
    pub(crate) fn text(&self) -> String {
        let all = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        without_settings(&String::from_utf8_lossy(&all))
    }
}

/// Runs a client until it ends, and returns its status and output even if it failed. The client and all that
/// it started are killed when `cancelled` returns true, and when this process dies.
///
/// # Errors
/// The client can't be run, or `cancelled` returned true.
pub(crate) fn run(
    client: Client<'_>,
    configure: impl FnOnce(&mut Command),
    cancelled: &dyn Fn() -> bool,
) -> Result<Ended, ClientError> {
    let program = client.program.to_string_lossy().into_owned();
    let mut command = Command::new(client.program);
    configure(&mut command);
    command.env_remove(TOKEN).current_dir(FOLDER);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Supervised::spawn(&mut command).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            ClientError::Missing { program: program.clone(), install: client.install }
        }
        _ => ClientError::Start { program: program.clone(), source },
    })?;
    let start = |source| ClientError::Start { program: program.clone(), source };
    let stdout = drain(running.stdout()).map_err(start)?;
    let stderr = drain(running.stderr()).map_err(start)?;
    let status = wait(&mut running, cancelled).map_err(start)?;
    let status = status.ok_or(ClientError::Cancelled)?;
    let (stdout, stderr) = (collect(&stdout), collect(&stderr));
    Ok(Ended { status, stdout, stderr, command: shown(&command) })
}

/// Waits until the client ends. Returns `None` if `cancelled` returned true before that.
fn wait(running: &mut Supervised, cancelled: &dyn Fn() -> bool) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = running.try_wait()? {
            return Ok(Some(status));
        }
        if cancelled() {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// The pieces of a client's output, in the order in which they come.
type Output = Receiver<Vec<u8>>;

/// Reads a pipe on a thread of its own, so that the client never waits for this program.
fn drain(pipe: Option<impl Read + Send + 'static>) -> io::Result<Output> {
    let (send, receive) = channel();
    let Some(mut pipe) = pipe else { return Ok(receive) };
    let read = move || {
        let mut kept = 0;
        let mut piece = [0; 16 << 10];
        // Output that came before an error is still worth showing.
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            let length = length.min(OUTPUT_LIMIT - kept);
            kept += length;
            if length > 0 && send.send(piece[..length].to_vec()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("client-output".to_owned()).spawn(read)?;
    Ok(receive)
}

/// Returns all that an ended client has written.
fn collect(output: &Output) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match output.recv_timeout(LEFTOVER) {
            Ok(piece) => all.extend(piece),
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return all,
        }
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    without_settings(&lines[lines.len().saturating_sub(LINES)..].join("\n"))
}

/// Masks secrets in a client's output, because the client may quote the user's configuration.
fn without_settings(said: &str) -> String {
    mask_settings(said).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn shell(script: &str, cancelled: &dyn Fn() -> bool) -> Result<Vec<u8>, ClientError> {
        let client = Client { program: OsStr::new("sh"), install: "install dash" };
        let configure = |command: &mut Command| {
            command.args(["-c", script]);
        };
        run(client, configure, cancelled)?.succeeded()
    }

    #[test]
    fn its_output_is_given() {
        assert_eq!(shell("echo out; echo err >&2", &|| false).unwrap(), b"out\n");
    }

    #[test]
    fn a_failure_shows_what_it_said() {
        let error = shell("echo out; echo err >&2; exit 3", &|| false).unwrap_err().to_string();
        assert!(error.starts_with("`sh -c echo out;"), "{error}");
        assert!(error.ends_with("failed (exit status: 3)\nout\nerr"), "{error}");
    }

    #[test]
    fn a_configuration_that_it_quotes_is_masked() {
        let script = "echo 'token = \"s3cret-1\"'; echo '3 | _password=s3cret-2'; exit 1";
        let error = shell(script, &|| false).unwrap_err();
        let ClientError::Failed { output, .. } = error else { panic!("{error}") };
        assert_eq!(output, "token = \"***\"\n3 | _password=***");
    }

    #[test]
    fn a_missing_client_is_named() {
        let client = Client { program: OsStr::new("no-such-client"), install: "install it" };
        let error = run(client, |_| {}, &|| false).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-client` is not installed; install it");
    }

    #[test]
    fn the_token_of_the_registry_is_kept_from_it() {
        let client = Client { program: OsStr::new("sh"), install: "install dash" };
        let configure = |command: &mut Command| {
            command.args(["-c", "echo ${RUN_AUTH_TOKEN-none} $OTHER"]);
            command.env(TOKEN, "secret").env("OTHER", "seen");
        };
        let output = run(client, configure, &|| false).unwrap().succeeded().unwrap();
        assert_eq!(output, b"none seen\n");
    }

    #[test]
    fn it_can_be_stopped_with_what_it_started() {
        let begin = Instant::now();
        let after = || begin.elapsed() > Duration::from_millis(100);
        let error = shell("sleep 20 & sleep 20", &after).unwrap_err();
        assert!(matches!(error, ClientError::Cancelled), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn it_runs_where_no_checkout_lies_above() {
        assert_eq!(shell("pwd", &|| false).unwrap(), b"/\n");
    }

    #[test]
    fn one_that_leaves_a_process_behind_is_not_waited_for() {
        let begin = Instant::now();
        let output = shell("echo out; setsid sleep 20 & sleep 0.1", &|| false).unwrap();
        assert_eq!(output, b"out\n");
        assert!(begin.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn endless_output_is_cut_off() {
        let output = shell("head -c 100000000 /dev/zero", &|| false).unwrap();
        assert_eq!(output.len(), OUTPUT_LIMIT);
    }
}
