//! Runs the client of a registry, such as pip or rustup, and waits for it.
//!
//! A client sees the user's environment: its configuration, proxies and credentials are there. The one
//! secret that is not for clients, the token of the user's own cache, is taken out.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is asked whether the client has ended, and whether to stop.
const POLL: Duration = Duration::from_millis(20);

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

    /// All it wrote, as text.
    pub(crate) fn text(&self) -> String {
        let all = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Runs the client to its end, however it ends.
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
    command.env_remove(TOKEN);
    // A group of its own, so that what the client starts can be stopped with it.
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            ClientError::Missing { program: program.clone(), install: client.install }
        }
        _ => ClientError::Start { program: program.clone(), source },
    })?;
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, cancelled);
    let (stdout, stderr) = (collect(stdout), collect(stderr));
    let status = status.map_err(|source| ClientError::Start { program, source })?;
    let status = status.ok_or(ClientError::Cancelled)?;
    Ok(Ended { status, stdout, stderr, command: shown(&command) })
}

/// Waits for the end of the client; `None` if it was stopped.
fn wait(child: &mut Child, cancelled: &dyn Fn() -> bool) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if cancelled() {
            let group = rustix::process::Pid::from_child(child);
            // It may have ended by itself since.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

type Drain = Option<JoinHandle<Vec<u8>>>;

fn drain(pipe: Option<impl Read + Send + 'static>) -> Drain {
    pipe.map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What came before an error is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        })
    })
}

fn collect(drain: Drain) -> Vec<u8> {
    drain.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
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
}
