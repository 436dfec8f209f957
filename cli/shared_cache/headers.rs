//! The values of headers, which are secrets: they are never printed.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::command_error::CommandError;
use crate::config::Config;

/// The time that a command may take that prints the value of a header.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest value of a header that is read, in bytes.
const LONGEST: u64 = 64 << 10;

/// The value of a header, or how it is found out.
#[derive(Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "the value has to be a text or `{ command = [\"program\", \"argument\"] }`"
)]
pub(crate) enum HeaderConfig {
    /// A text. `${NAME}` in it stands for a variable of the environment.
    Text(String),
    /// A command that prints the value. It is run without a shell.
    Command {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A text in a file of the checkout, in which only variables that the user lends are filled in.
    #[serde(skip)]
    OfCheckout(String),
}

impl std::fmt::Debug for HeaderConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeaderConfig(***)")
    }
}

impl HeaderConfig {
    /// Returns the value of the header `name`.
    pub(super) fn value(&self, name: &str, config: &Config) -> Result<String, CommandError> {
        match self {
            Self::Text(text) => filled_in(name, text, |variable| config.variable(variable)),
            Self::Command { command } => printed_by(name, command),
            Self::OfCheckout(text) => {
                let lent = |variable: &str| config.lent_variables.iter().any(|it| it == variable);
                filled_in(name, text, |variable| {
                    config.variable(variable).filter(|_| lent(variable))
                })
                .map_err(|error| {
                    error.hint(
                        "run.toml may refer only to variables that you lend to checkouts: name it in \
                         RUN_FETCH_VARIABLES, or in `[fetch] variables` of your configuration",
                    )
                })
            }
        }
    }
}

/// Replaces each `${NAME}` by the value of the variable.
fn filled_in(
    name: &str,
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, CommandError> {
    let mut value = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let message = || format!("the header `{name}` of the shared cache");
        let Some((reference, behind)) = behind.split_once('}') else {
            return Err(CommandError::usage(format!("{} has a `${{` without `}}`", message())));
        };
        let Some(filled) = variable(reference) else {
            let message = format!("{} needs the variable `{reference}`", message());
            return Err(CommandError::usage(message).hint(format!("set `{reference}`")));
        };
        value.push_str(before);
        value.push_str(&filled);
        rest = behind;
    }
    Ok(value + rest)
}

/// Runs a command and returns what it prints on standard output, without the line end.
fn printed_by(name: &str, command: &[String]) -> Result<String, CommandError> {
    let what = format!("the command for the header `{name}` of the shared cache");
    let Some((program, arguments)) = command.split_first() else {
        return Err(CommandError::usage(format!("{what} is empty")));
    };
    let failed = |source: std::io::Error| {
        CommandError::environment(format!("{what}, `{program}`, failed")).caused_by(&source)
    };
    let mut process = Command::new(program);
    process.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = process.spawn().map_err(failed)?;
    let mut output = child.stdout.take().expect("it is piped").take(LONGEST);
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).map(|_| text)
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if begin.elapsed() > PATIENCE {
            // It may have ended just now.
            _ = child.kill();
            _ = child.wait();
            let message = format!("{what}, `{program}`, took longer than {} s", PATIENCE.as_secs());
            return Err(CommandError::environment(message));
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    if !status.success() {
        let message = format!("{what}, `{program}`, failed: {status}");
        return Err(CommandError::environment(message).hint("what it printed is above"));
    }
    let text = reader.join().unwrap_or_else(|_| Ok(String::new())).map_err(failed)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_filled_in() {
        let variable = |name: &str| (name == "TOKEN").then(|| "t${x}".to_owned());
        let check = |text: &str, expect: Result<&str, &str>| {
            let value = filled_in("h", text, variable).map_err(|error| error.message);
            assert_eq!(value.as_deref().map_err(String::as_str), expect, "{text}");
        };
        check("Bearer ${TOKEN}, $TOKEN", Ok("Bearer t${x}, $TOKEN"));
        check("", Ok(""));
        check("${TOKEN", Err("the header `h` of the shared cache has a `${` without `}`"));
        check("${A}", Err("the header `h` of the shared cache needs the variable `A`"));
    }

    #[test]
    fn a_command_prints_the_value() {
        let run = |script: &str| {
            let command = ["sh", "-c", script].map(str::to_owned);
            printed_by("h", &command).map_err(|error| error.message)
        };
        assert_eq!(run("echo secret"), Ok("secret".to_owned()));
        let failed = run("exit 3").unwrap_err();
        assert!(failed.starts_with("the command for the header `h`"), "{failed}");
        assert!(failed.ends_with("failed: exit status: 3"), "{failed}");
        assert!(printed_by("h", &[]).is_err());
    }
}
