//! `run clean`: removes what `run build` wrote into the project. Caches stay, and so does what somebody
//! has changed since.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use engine::{Fate, Former, Outputs};

use super::build;
use super::session::Session;
use crate::command_error::CommandError;
use crate::config::Config;

/// Runs `run clean`.
pub(crate) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let session = Session::open(config)?;
    session.refuse_linked_folder()?;
    let mut removed = 0;
    let mut changed = BTreeSet::new();
    // Also of components that are gone from run.toml, and in former output folders.
    for Former { path, fate } in build::former(&mut Outputs::open(&session.folder), &changed)? {
        let shown = path.strip_prefix(&session.folder).unwrap_or(&path).display();
        match fate {
            Fate::Removed => {
                removed += 1;
                build::remove_empty_folders(&session.folder, &path);
            }
            Fate::Changed => {
                config.printer.warning(&format!(
                    "`{shown}` stays, as somebody has changed it since it was written"
                ));
                changed.insert(path);
            }
            Fate::Stuck(error) => {
                let message = format!("cannot remove `{shown}`");
                return Err(CommandError::environment(message).caused_by(&error));
            }
        }
    }
    // Without a journal, or one that was lost, what has the name of a component is known by that.
    let folder = session.manifest.output_dir();
    for component in &session.manifest.components {
        let path = folder.join(format!("{}.wasm", component.name.as_str()));
        if !changed.contains(&path) && remove_file(&path)? {
            removed += 1;
            build::remove_empty_folders(&session.folder, &path);
        }
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
