//! Runs the client of a registry, such as pip or rustup, and waits for it.
//!
//! Clients are the user's own programs, and the user's own configuration says how they reach their
//! registries. What stands in a checkout may choose what they fetch, and never what is run: so no program
//! of a toolchain's image is started here, and every client runs in the root folder. Clients look for
//! configuration in the folder that they run in and in those above it (cargo for `.cargo/config.toml`, npm
//! for `.npmrc` and package.json, Python for modules, version managers for their files), and the store or
//! the temporary folder may lie in a checkout. Nothing is above the root folder.
//!
//! What a client sees of the user's environment is said by whoever runs it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use sandbox::Supervised;

use crate::redact::mask_settings;

/// The folder in which every client runs.
const FOLDER: &str = "/";

/// How often it is asked whether the client has ended, and whether to stop.
const POLL: Duration = Duration::from_millis(20);

/// How long the end of a client's output is waited for after the client itself has ended. Only a process
/// that the client has put into a session of its own can still hold the pipe.
const LEFTOVER: Duration = Duration::from_secs(1);

/// How much of each kind of output is kept, in bytes. The rest is read and dropped.
const OUTPUT_LIMIT: usize = 64 << 20;

/// The variable with the token of the remote cache: no client's business.
const TOKEN: &str = "RUN_AUTH_TOKEN";

/// How many lines of what a failed client said go into the error.
const LINES: usize = 12;

/// A program and what to say if it is missing.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    /// The program: a name to look up, or a path.
    pub(crate) program: &'a OsStr,
    /// How to get it.
    pub(crate) install: &'static str,
}

/// Why a client did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The program is not there.
    #[error("`{program}` is not installed; {install}")]
    Missing {
        /// The program.
        program: String,
        /// How to get it.
        install: &'static str,
    },
    /// The program can't be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program failed.
    #[error("`{command}` failed ({status})\n{output}")]
    Failed {
        /// The program and its arguments.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of what it said.
        output: String,
    },
    /// The user wants it to stop.
    #[error("cancelled")]
    Cancelled,
}

/// How a client ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// What it wrote to its standard output.
    pub(crate) stdout: Vec<u8>,
    stderr: Vec<u8>,
    command: String,
}

impl Ended {
    /// Its standard output, if it succeeded.
    ///
    /// # Errors
    /// It failed; the error has the last lines of what it said.
    pub(crate) fn succeeded(self) -> Result<Vec<u8>, ClientError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        let output = last_lines(&[self.stdout, self.stderr].concat());
        Err(ClientError::Failed { command: self.command, status: self.status, output })
    }

    /// All it wrote, as text to be shown.
    pub(crate) fn text(&self) -> String {
        let all = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        without_settings(&String::from_utf8_lossy(&all))
    }
}

/// Runs the client to its end, however it ends. It is killed, with all that it started, when `cancelled`
/// says so, and when this process dies.
///
/// # Errors
/// It can't be run, or was stopped because `cancelled` said so.
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

/// Waits for the end of the client, or for the wish that it ends (`None`).
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

/// Pieces of a client's output, as they come.
type Output = Receiver<Vec<u8>>;

/// Reads a pipe on a thread of its own, so that the client never waits for this program.
fn drain(pipe: Option<impl Read + Send + 'static>) -> io::Result<Output> {
    let (send, receive) = channel();
    let Some(mut pipe) = pipe else { return Ok(receive) };
    let read = move || {
        let mut kept = 0;
        let mut piece = [0; 16 << 10];
        // What came before an error is still worth showing.
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

/// All that an ended client has written.
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

/// What a client said, without secrets: it may quote the user's configuration.
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
    fn the_token_of_the_cache_is_kept_from_it() {
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
