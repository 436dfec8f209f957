//! Changes run.toml and the lock together: the lock is made for the new text first, and only then are both written.

use std::path::{Path, PathBuf};

use project::{LockPolicy, Project, Release};
use rules::manifest::{FILE_NAME, Manifest};
use rules::replace_file;
use rules::toolchain::{DependencyChange, Lock};
use serde_json::json;

use super::Opened;
use crate::command_error::{CommandError, LOCK_STAYS};
use crate::commands::start;
use crate::config::Config;
use crate::ui;

/// Reads the text of run.toml.
pub(super) fn text(project: &Project) -> Result<String, CommandError> {
    let path = project.folder.join(FILE_NAME);
    std::fs::read_to_string(&path).map_err(|source| {
        CommandError::environment(format!("cannot read {}", path.display())).caused_by(&source)
    })
}

/// Returns a path of the command line, which is relative to the working folder, as one that is relative to run.toml.
pub(super) fn in_project(config: &Config, project: &Project, path: &Path) -> PathBuf {
    let below = config.directory.strip_prefix(&project.folder).unwrap_or(Path::new(""));
    below.join(path)
}

/// Locks what the new text of run.toml asks for, and writes both. `before` is the text that the new one was made of.
pub(super) fn apply(
    config: &Config,
    project: &Project,
    before: &str,
    text: &str,
) -> Result<(), CommandError> {
    if start::lock_policy(config) == LockPolicy::Keep {
        return Err(
            CommandError::usage("the command changes run.toml and run.lock.toml").hint(LOCK_STAYS)
        );
    }
    let changed = parsed(config, project, text)?;
    let opened = Opened::of(config, &changed)?;
    let locked = changed.lock()?;
    let lock = locked.clone().unwrap_or_default();
    let after = opened.dependencies(&changed).update(&lock, &Release::Nothing)?;
    if self::text(project)? != before {
        return Err(CommandError::usage(
            "run.toml was edited in the meantime, so it stays as it is",
        )
        .hint("run the command again"));
    }
    replace(project, text)?;
    write_lock(config, &changed, locked.as_ref(), &after)
}

/// Writes the lock, and says what has changed in it.
pub(super) fn write_lock(
    config: &Config,
    project: &Project,
    before: Option<&Lock>,
    after: &Lock,
) -> Result<(), CommandError> {
    if before.is_some() || *after != Lock::default() {
        project.write_lock(before, after)?;
    }
    say(config, before.unwrap_or(&Lock::default()), after);
    Ok(())
}

/// Says what differs between the packages of two locks. Returns the number of differences.
pub(super) fn say(config: &Config, before: &Lock, after: &Lock) -> usize {
    let changes = DependencyChange::between(before, after);
    for change in &changes {
        config.printer.status(change.verb(), &change.to_string());
        if config.printer.json {
            let DependencyChange { name, old, new } = change;
            ui::emit(&json!({"event": "dependency", "name": name, "old": old, "new": new}));
        }
    }
    changes.len()
}

/// Checks the new text as if it stood in run.toml.
fn parsed(config: &Config, project: &Project, text: &str) -> Result<Project, CommandError> {
    let (manifest, findings) = Manifest::parse(text, &project.folder);
    let Some(mut manifest) = manifest else {
        config.printer.line(findings.render(config.printer.color).trim_end());
        return Err(CommandError::usage("run.toml would not be valid, so it stays as it is"));
    };
    manifest
        .registry
        .apply(&start::overrides(config))
        .map_err(|invalid| CommandError::usage(invalid.message))?;
    Ok(Project { folder: project.folder.clone(), manifest })
}

/// Replaces run.toml as a whole. If it is a link, its target is replaced.
fn replace(project: &Project, text: &str) -> Result<(), CommandError> {
    let path = project.folder.join(FILE_NAME);
    let replaced = path.canonicalize().and_then(|path| replace_file(&path, text.as_bytes()));
    replaced.map_err(|source| {
        CommandError::environment(format!("cannot write {}", path.display())).caused_by(&source)
    })
}
