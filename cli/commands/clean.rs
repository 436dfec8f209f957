//! `run clean`: removes what `run build` wrote into the project. Caches stay.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::session::Session;
use crate::command_error::CommandError;
use crate::config::Config;

/// Runs `run clean`.
pub(crate) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let session = Session::open(config)?;
    let folder = session.manifest.output_dir();
    let mut removed = 0;
    for component in &session.manifest.components {
        removed +=
            usize::from(remove_file(&folder.join(format!("{}.wasm", component.name.as_str())))?);
    }
    remove_if_empty(&folder);
    if let Some(parent) = folder.parent().filter(|parent| *parent != session.folder) {
        remove_if_empty(parent);
    }
    removed += usize::from(remove_file(&session.private_folder().join("state"))?);
    remove_if_empty(&session.private_folder());
    config.printer.status("Removed", &format!("{removed} files"));
    Ok(ExitCode::SUCCESS)
}

fn remove_file(path: &Path) -> Result<bool, CommandError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => {
            Err(CommandError::environment(format!("cannot remove `{}`", path.display()))
                .caused_by(&source))
        }
    }
}

/// A folder in which something else lies stays.
fn remove_if_empty(folder: &Path) {
    let _ = std::fs::remove_dir(folder);
}
