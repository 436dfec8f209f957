//! `run login` and `run logout`: keep the logins of registries in a file that only the user can read.

use std::io::{IsTerminal as _, Read as _};
use std::path::PathBuf;
use std::process::ExitCode;

use registry::{Host, Secret};

use crate::arguments::{Login, Logout};
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::package_registries::login_file;

/// The length of the longest secret, in bytes.
const LONGEST: u64 = 64 << 10;

/// Runs `run login`.
pub(crate) fn login(arguments: &Login, config: &Config) -> Result<ExitCode, CommandError> {
    let host = host(arguments.host.as_deref(), config)?;
    let file = file(config)?;
    let odd =
        |user: &&String| user.is_empty() || user.contains(':') || user.contains(char::is_control);
    if let Some(user) = arguments.username.as_ref().filter(odd) {
        let user = user.escape_debug();
        return Err(CommandError::usage(format!("`{user}` can't be the name of a user"))
            .hint("it has at least one character, and no colon"));
    }
    let secret = secret(config, &host)?;
    let login = match &arguments.username {
        Some(user) => registry::Login::Password { user: user.clone(), password: secret },
        None => registry::Login::Token(secret),
    };
    registry::login(&file, &host, login)
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    config.printer.status("Stored", &format!("a login for {host} in {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// Runs `run logout`.
pub(crate) fn logout(arguments: &Logout, config: &Config) -> Result<ExitCode, CommandError> {
    let host = host(arguments.host.as_deref(), config)?;
    let file = file(config)?;
    let was_there = registry::logout(&file, &host)
        .map_err(|error| CommandError::from_error(Kind::Environment, &error))?;
    match was_there {
        true => config.printer.status("Removed", &format!("the login for {host}")),
        false => config.printer.status("Kept", &format!("nothing: there is no login for {host}")),
    }
    Ok(ExitCode::SUCCESS)
}

fn host(named: Option<&str>, config: &Config) -> Result<Host, CommandError> {
    let text = match named {
        Some(host) => host.to_owned(),
        None => start::project(config)?.manifest.registry.url.as_str().to_owned(),
    };
    if text.starts_with("file:") {
        return Err(CommandError::usage(format!("{text} is a folder, which needs no login")));
    }
    text.parse().map_err(|error| CommandError::from_error(Kind::Usage, &error))
}

fn file(config: &Config) -> Result<PathBuf, CommandError> {
    login_file(config).ok_or_else(|| {
        CommandError::environment("there is no folder for the user's configuration")
            .hint("set HOME or XDG_CONFIG_HOME")
    })
}

/// Reads the secret from standard input.
fn secret(config: &Config, host: &Host) -> Result<Secret, CommandError> {
    let input = std::io::stdin();
    if input.is_terminal() {
        config.printer.line(&format!(
            "Paste the secret for {host}, then press Enter and Ctrl-D. It is shown as you type."
        ));
    }
    let mut text = String::new();
    input.lock().take(LONGEST + 1).read_to_string(&mut text).map_err(|source| {
        CommandError::usage("cannot read the secret from standard input").caused_by(&source)
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(CommandError::usage("there is no secret on standard input")
            .hint("pass it like this: run login HOST < token.txt"));
    }
    if text.len() as u64 >= LONGEST || text.contains(char::is_control) {
        return Err(CommandError::usage("the secret has more than one line, or is too long")
            .hint("a token or password is one line of text"));
    }
    Ok(Secret::new(text))
}
