//! Runs a component of the world `wasi:cli/command`.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime::Store;
use wasmtime::component::Accessor;
use wasmtime_wasi::cli::stdin;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p3::bindings as p3;
use wasmtime_wasi::{I32Exit, WasiCtx};

use crate::failure::Failure;
use crate::host::{Loaded, list};
use crate::log::{Denial, Level, Log, Stream};
use crate::state::InstanceState;
use crate::tail::Tail;
use crate::voice::Voice;

/// The number of bytes that are kept of each output of a command: the last 64 MiB.
const OUTPUT_LIMIT: usize = 64 << 20;

/// The input of a command: its arguments, environment and standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandInput {
    /// The arguments. By custom, the first one is the command's name.
    pub args: Vec<String>,
    /// The environment variables that it sees beside those that its grants name.
    pub env: Vec<(String, String)>,
    /// The bytes on standard input.
    pub stdin: Stdin,
}

/// The standard input of a command. Without a grant of `stdio`, it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// These bytes.
    Bytes(Bytes),
    /// The standard input of this process.
    Inherited,
}

impl Default for Stdin {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

/// The output of a command, and its exit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// The last 64 MiB of its standard output.
    pub stdout: Vec<u8>,
    /// The last 64 MiB of its standard error.
    pub stderr: Vec<u8>,
    /// The way in which it ended.
    pub exit: Exit,
}

/// The way in which a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned (0 for `ok`, 1 for `err`) or exited with a status.
    Status(i32),
    /// It failed: it trapped, or ran into a limit.
    Failed(Failure),
}

/// The error that a component can't be run as a command, because it does not export `wasi:cli/run`.
#[derive(Debug, thiserror::Error)]
#[error("the component is not a command: it exports {}, not `wasi:cli/run`", list(exports))]
pub struct NotACommand {
    /// The names that it exports.
    pub exports: Vec<String>,
}

/// The function that runs a command.
enum Command {
    P2(CommandPre<InstanceState>),
    P3(p3::CommandPre<InstanceState>),
}

impl Loaded {
    /// Runs the component's `wasi:cli/run` until it ends, and keeps its output. Log entries become lines of standard
    /// error.
    pub async fn run(&self, command: &CommandInput) -> Result<CommandOutput, NotACommand> {
        let captured = Arc::new(Captured::default());
        let exit = self.clone().logging_to(captured.clone()).run_aloud(command).await?;
        let [stdout, stderr] =
            [Stream::Stdout, Stream::Stderr].map(|stream| captured.tail(stream).bytes().to_vec());
        Ok(CommandOutput { stdout, stderr, exit })
    }

    /// Runs the component's `wasi:cli/run` until it ends. Its output goes to the component's log.
    pub async fn run_aloud(&self, command: &CommandInput) -> Result<Exit, NotACommand> {
        let run = self.command()?;
        let mut wasi = WasiCtx::builder();
        wasi.args(&command.args).envs(&command.env);
        if self.policy.grants.stdio {
            match &command.stdin {
                Stdin::Bytes(bytes) => wasi.stdin(MemoryInputPipe::new(bytes.clone())),
                Stdin::Inherited => wasi.stdin(stdin()),
            };
        }
        let store = match self.store(&mut wasi) {
            Ok(store) => store,
            Err(error) => return Ok(Exit::Failed(Failure::host(&error))),
        };
        let voice = Arc::clone(&store.data().voice);
        let running = run.run(store);
        let ended = match self.policy.limits.timeout {
            None => running.await,
            Some(limit) => match tokio::time::timeout(limit, running).await {
                Ok(ended) => ended,
                Err(_) => return Ok(Exit::Failed(Failure::timed_out(limit, &voice))),
            },
        };
        Ok(exit(ended, &voice))
    }

    fn command(&self) -> Result<Command, NotACommand> {
        if let Ok(command) = CommandPre::new(self.pre.clone()) {
            return Ok(Command::P2(command));
        }
        let command = p3::CommandPre::new(self.pre.clone()).map(Command::P3);
        command.map_err(|_| NotACommand { exports: self.exports() })
    }
}

impl Command {
    async fn run(self, mut store: Store<InstanceState>) -> wasmtime::Result<Result<(), ()>> {
        match self {
            Self::P2(pre) => {
                let instance = pre.instantiate_async(&mut store).await?;
                instance.wasi_cli_run().call_run(&mut store).await
            }
            Self::P3(pre) => {
                let instance = pre.instantiate_async(&mut store).await?;
                let run = async |accessor: &Accessor<InstanceState>| {
                    instance.wasi_cli_run().call_run(accessor).await
                };
                store.run_concurrent(run).await?
            }
        }
    }
}

fn exit(ended: wasmtime::Result<Result<(), ()>>, voice: &Voice) -> Exit {
    match ended {
        Ok(Ok(())) => Exit::Status(0),
        Ok(Err(())) => Exit::Status(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Exit::Status(*status),
            None => Exit::Failed(Failure::of(&error, voice)),
        },
    }
}

/// A log that keeps what it is told.
struct Captured {
    stdout: Mutex<Tail>,
    stderr: Mutex<Tail>,
}

impl Default for Captured {
    fn default() -> Self {
        let empty = || Mutex::new(Tail::new(OUTPUT_LIMIT));
        Self { stdout: empty(), stderr: empty() }
    }
}

impl Captured {
    fn tail(&self, stream: Stream) -> MutexGuard<'_, Tail> {
        let tail = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Captured {
    fn output(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        self.tail(stream).push(bytes);
        Ok(())
    }

    fn entry(&self, level: Level, context: &str, message: &str) {
        let line = format!("{level}: {context}: {message}\n");
        self.tail(Stream::Stderr).push(line.as_bytes());
    }

    fn denied(&self, _: &Denial) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use crate::fixture;
    use crate::{Grants, Runtime};

    async fn run(start: &str, command: &CommandInput) -> CommandOutput {
        let runtime = Runtime::new().unwrap();
        let loaded = runtime.load(&fixture::command(start)).unwrap();
        loaded.granting(Grants::everything()).run(command).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_given_comes_through() {
        let command = CommandInput {
            args: vec!["hello".into(), "two words".into()],
            env: vec![("KEY".into(), "value".into())],
            stdin: Stdin::Bytes(vec![b'x'; 200_000].into()),
        };
        let output = run("(call $write_args) (call $write_environ)", &command).await;
        assert_eq!(output.stdout, b"hello\0two words\0KEY=value\0");
        let output = run("(call $write_stderr) (call $copy_stdin)", &command).await;
        assert_eq!(output.stdout, vec![b'x'; 200_000]);
        assert_eq!(output.stderr, b"to stderr\n");
        assert_eq!(output.exit, Exit::Status(0));
    }

    #[tokio::test]
    async fn nothing_of_the_host_comes_through() {
        let start = "(call $write_args) (call $write_environ) (call $copy_stdin)";
        let output = run(start, &CommandInput::default()).await;
        assert_eq!(output, CommandOutput { stdout: vec![], stderr: vec![], exit: Exit::Status(0) });
    }

    #[tokio::test]
    async fn every_end_is_told() {
        let none = CommandInput::default();
        let output = run("(call $write_stderr) (call $exit (i32.const 1))", &none).await;
        assert_eq!((output.exit, &*output.stderr), (Exit::Status(1), &b"to stderr\n"[..]));
        let output = run("(call $exit (i32.const 0)) unreachable", &none).await;
        assert_eq!(output.exit, Exit::Status(0));
        let output = run("(call $write_stderr) unreachable", &none).await;
        assert_eq!(output.stderr, b"to stderr\n");
        let Exit::Failed(trap) = output.exit else { panic!("{:?}", output.exit) };
        assert_eq!((trap.kind, &*trap.stderr), (FailureKind::Trap, "to stderr\n"));
        assert!(trap.message.contains("unreachable"), "{trap}");
    }

    #[tokio::test]
    async fn another_component_is_no_command() {
        let loaded = Runtime::new().unwrap().load(&fixture::calc()).unwrap();
        let error = loaded.run(&CommandInput::default()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the component is not a command: it exports `answer`, `demo:calc/ops@0.1.0`, \
             not `wasi:cli/run`"
        );
    }
}
