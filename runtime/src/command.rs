//! Runs a component of the world `wasi:cli/command`.

use bytes::Bytes;
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{I32Exit, WasiCtx};

use crate::host::{Loaded, list};
use crate::output_tail::OutputTail;

/// The number of bytes that are kept of each output of a command: the last 64 MiB.
const OUTPUT_LIMIT: usize = 64 << 20;

/// The input of a command: its arguments, environment and standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandInput {
    /// The arguments. By custom, the first one is the command's name.
    pub args: Vec<String>,
    /// The environment variables.
    pub env: Vec<(String, String)>,
    /// The bytes on standard input.
    pub stdin: Bytes,
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
    /// It trapped. The text is the message of wasmtime.
    Trap(String),
}

/// The error that a component can't be run as a command, because it does not export `wasi:cli/run`.
#[derive(Debug, thiserror::Error)]
#[error("the component is not a command: it exports {}, not `wasi:cli/run`", list(exports))]
pub struct NotACommand {
    /// The names that it exports.
    pub exports: Vec<String>,
}

impl Loaded {
    /// Runs the component's `wasi:cli/run` until it ends.
    pub async fn run(&self, command: &CommandInput) -> Result<CommandOutput, NotACommand> {
        let pre = CommandPre::new(self.pre.clone())
            .map_err(|_| NotACommand { exports: self.exports() })?;
        let (stdout, stderr) = (OutputTail::new(OUTPUT_LIMIT), OutputTail::new(OUTPUT_LIMIT));
        let mut wasi = WasiCtx::builder();
        wasi.args(&command.args)
            .envs(&command.env)
            .stdin(MemoryInputPipe::new(command.stdin.clone()))
            .stdout(stdout.clone());
        let mut store = self.store(&mut wasi, &stderr);
        let ended = async {
            let instance = pre.instantiate_async(&mut store).await?;
            instance.wasi_cli_run().call_run(&mut store).await
        };
        let exit = exit(ended.await);
        Ok(CommandOutput { stdout: stdout.take(), stderr: stderr.take(), exit })
    }
}

fn exit(ended: wasmtime::Result<Result<(), ()>>) -> Exit {
    match ended {
        Ok(Ok(())) => Exit::Status(0),
        Ok(Err(())) => Exit::Status(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(status)) => Exit::Status(*status),
            None => Exit::Trap(format!("{error:?}")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;
    use crate::fixture;

    async fn run(start: &str, command: &CommandInput) -> CommandOutput {
        let runtime = Runtime::new().unwrap();
        let loaded = runtime.load(&fixture::command(start)).unwrap();
        loaded.run(command).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_given_comes_through() {
        let command = CommandInput {
            args: vec!["hello".into(), "two words".into()],
            env: vec![("KEY".into(), "value".into())],
            stdin: Bytes::from(vec![b'x'; 200_000]),
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
        let Exit::Trap(trap) = output.exit else { panic!("{:?}", output.exit) };
        assert!(trap.contains("unreachable"), "{trap}");
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
