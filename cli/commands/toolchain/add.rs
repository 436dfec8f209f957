//! `run toolchain add` and `run toolchain remove`: pin and remove the user's own toolchains.

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use project::Project;
use rules::toolchain::{Add, AddError, AddFrom, Catalogue, Lock};

use super::{platform, refuse_if_locked};
use crate::arguments::{ToolchainAdd, ToolchainRemove};
use crate::command_error::{CommandError, Kind};
use crate::commands::start;
use crate::config::Config;
use crate::signals;
use crate::ui::SyncProgress;

/// Runs `run toolchain add`.
pub(super) fn run(arguments: &ToolchainAdd, config: &Config) -> Result<ExitCode, CommandError> {
    refuse_if_locked(config)?;
    let project = start::project(config)?;
    let before = project.lock()?;
    let from = from(arguments, config, &project)?;
    warn_if_private(config, &from);
    let progress = SyncProgress::new(config.printer, signals::cancel_on_signal()?);
    let added = Add {
        store: start::store(config)?.content(),
        catalogue: Catalogue::builtin(),
        name: &arguments.toolchain.name,
        version: arguments.toolchain.version.as_deref(),
        platform: match arguments.platform {
            Some(platform) => platform,
            None => platform()?,
        },
        from,
        registries: &start::registries(config, &project),
        events: &progress,
    }
    .run(before.as_ref());
    progress.clear();
    let after = added.map_err(|error| explain(&error))?;
    project.write_lock(before.as_ref(), &after)?;
    say(config, &arguments.toolchain.name, before.as_ref(), &after);
    Ok(ExitCode::SUCCESS)
}

/// Runs `run toolchain remove`.
pub(super) fn remove(
    arguments: &ToolchainRemove,
    config: &Config,
) -> Result<ExitCode, CommandError> {
    let project = start::project(config)?;
    let before = project.lock()?.unwrap_or_default();
    let mut after = before.clone();
    for name in &arguments.names {
        before.require(name).map_err(|error| CommandError::from_error(Kind::Usage, &error))?;
        after.remove(name);
    }
    refuse_if_locked(config)?;
    project.write_lock(Some(&before), &after)?;
    for name in &arguments.names {
        let version = before.version(name).unwrap_or_default();
        config.printer.status("Removed", &format!("{name} {version}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn from(
    arguments: &ToolchainAdd,
    config: &Config,
    project: &Project,
) -> Result<AddFrom, CommandError> {
    match (&arguments.path, &arguments.url) {
        (Some(path), _) => project_path(&config.directory.join(path), &project.folder),
        (None, Some(url)) => {
            Ok(AddFrom::Url { url: url.clone(), sha256: arguments.sha256.clone() })
        }
        (None, None) => {
            Err(CommandError::usage("the place of the toolchain is missing: give --path or --url"))
        }
    }
}

/// Returns a path as a place for the lock. It is relative to the project if it lies in the project, because
/// other machines have the project elsewhere.
fn project_path(path: &Path, project: &Path) -> Result<AddFrom, CommandError> {
    let path = normal(path);
    let path = path.strip_prefix(project).unwrap_or(&path);
    match path.to_str() {
        Some("") => Err(CommandError::usage("the project's own folder can't be a toolchain")),
        Some(text) => Ok(AddFrom::Path(text.to_owned())),
        None => Err(CommandError::usage(format!("`{}` is not valid UTF-8", path.display()))),
    }
}

/// Removes `.` and `..` from a path. Links are not resolved, because the user may want to change their
/// targets later.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// Warns of a place that only this machine has, because others who share the lock can't use it.
fn warn_if_private(config: &Config, from: &AddFrom) {
    let place = match from {
        AddFrom::Path(path) if Path::new(path).is_absolute() => path,
        AddFrom::Url { url, .. } if url.starts_with("file:") => url,
        _ => return,
    };
    config.printer.warning(&format!(
        "`{place}` is outside the project: a machine that does not have it can only use results from its cache"
    ));
}

fn explain(error: &AddError) -> CommandError {
    let kind = match error {
        _ if error.is_cancelled() => Kind::Interrupted,
        _ if error.is_mismatch() => Kind::ChecksumMismatch,
        _ if error.is_usage() => Kind::Usage,
        _ => Kind::Environment,
    };
    let explained = CommandError::from_error(kind, error);
    match error {
        AddError::InCatalogue(name) => explained
            .hint(format!("components that need `{name}` use the one of the catalogue, which `run toolchain sync` pins"))
            .hint("add yours under another name, because the components expect the catalogue's"),
        AddError::ChecksumMismatch { name, .. } => explained.hint(format!(
            "if the checksum was written by hand and is wrong, take the line of `{name}` out of [checksums]"
        )),
        AddError::Credentials => explained
            .hint("download the archive into the project and add it with --path"),
        _ => explained,
    }
}

fn say(config: &Config, name: &str, before: Option<&Lock>, after: &Lock) {
    let printer = config.printer;
    let version = after.version(name).unwrap_or_default();
    match before.and_then(|lock| lock.version(name)) {
        Some(old) if old != version => {
            printer.status("Replaced", &format!("{name} {old} -> {version}"));
        }
        Some(_) => printer.status("Replaced", &format!("{name} {version}")),
        None => printer.status("Added", &format!("{name} {version}")),
    }
    for image in after.images_of(name) {
        let package = after.packages(name, image.platform).next();
        let pin = package.map(|package| package.checksum().to_string()).unwrap_or_default();
        printer.status("Pinned", &format!("{} {pin}", image.platform));
    }
}
