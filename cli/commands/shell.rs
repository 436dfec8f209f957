//! `run completions` and `run man`: print what a package of `run` installs beside the program.
//!
//! They need neither a project nor a home folder, because packages are built without them.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions, Man};
use crate::command_error::CommandError;
use crate::completion;
use crate::config;
use crate::ui::Printer;

/// Runs `run completions`.
pub(crate) fn completions(arguments: &Completions) -> Result<ExitCode, CommandError> {
    Printer::plain().verbatim(&completion::script(arguments.shell)?);
    Ok(ExitCode::SUCCESS)
}

/// Runs `run man`.
pub(crate) fn man(arguments: &Arguments, man: &Man) -> Result<ExitCode, CommandError> {
    match &man.folder {
        Some(folder) => write_pages(arguments, folder)?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(|source| {
                CommandError::environment("cannot make the manual page").caused_by(&source)
            })?;
            Printer::plain().verbatim(&String::from_utf8_lossy(&page));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_pages(arguments: &Arguments, shown: &Path) -> Result<(), CommandError> {
    let folder = config::working_directory(&arguments.global)?.join(shown);
    std::fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder))
        .map_err(|source| {
            let message = format!("cannot write the manual pages to `{}`", shown.display());
            CommandError::environment(message).caused_by(&source)
        })?;
    if !arguments.global.quiet {
        Printer::plain().status("Wrote", &format!("the manual pages to {}", shown.display()));
    }
    Ok(())
}
