//! `run clean`: removes the files that `run build` wrote into the project. Caches stay, and so do files that
//! somebody has changed since.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use engine::{Fate, FormerOutput, OutputJournal};

use super::{report, start};
use crate::command_error::CommandError;
use crate::config::Config;

/// Runs `run clean`.
pub(crate) fn run(config: &Config) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    project.refuse_linked_folder()?;
    let mut removed = 0;
    let mut changed = BTreeSet::new();
    // This includes files of components that are no longer in run.toml, and files in former output folders.
    let former = project.remove_former(&mut OutputJournal::open(&project.folder), [])?;
    for FormerOutput { path, fate } in former {
        let shown = report::shown(&project, &path);
        match fate {
            Fate::Removed => removed += 1,
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
    // If the journal has been lost, outputs are recognised by the names of components.
    let folder = project.manifest.output_dir();
    for component in &project.manifest.components {
        let path = folder.join(format!("{}.wasm", component.name.as_str()));
        if !changed.contains(&path) && remove_file(&path)? {
            removed += 1;
            project.remove_empty_folders(&path);
        }
    }
    removed += usize::from(remove_file(&project.private_folder().join("state"))?);
    remove_if_empty(&project.private_folder());
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

/// Removes a folder if it is empty.
fn remove_if_empty(folder: &Path) {
    let _ = std::fs::remove_dir(folder);
}
