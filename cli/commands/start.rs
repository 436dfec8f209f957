//! Opens what most commands need: the project, the store, the selected components, the access to registries.
//!
//! It takes the values for the library `project` from the configuration, and prints the library's findings.

use std::path::PathBuf;
use std::sync::Arc;

use cache::{DigestFunction, DiskStore, UnusableEntry};
use project::{Builder, LockPolicy, Project};
use rules::manifest::{Diagnostics, Overrides, Secret};
use rules::package::{Mirrors, Network, Registries};
use rules::plan::Selection;
use sandbox::Isolation;

use crate::arguments::Names;
use crate::checkout;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::owner;
use crate::ui;

/// Finds and reads the project, and prints the errors and warnings about run.toml.
pub(super) fn project(config: &Config) -> Result<Project, CommandError> {
    project_in(config, Project::find(&config.directory)?)
}

/// Reads the project in a folder, and prints the errors and warnings about run.toml.
pub(super) fn project_in(config: &Config, folder: PathBuf) -> Result<Project, CommandError> {
    let opened = Project::read(folder, &overrides(config));
    let findings = match &opened {
        Ok((_, warnings)) => Some(warnings),
        Err(error) => error.findings(),
    };
    if let Some(findings) = findings {
        ui::mask::learn(findings.source().secrets());
        report(config, findings);
    }
    Ok(opened?.0)
}

/// Returns what the environment says about the registry.
pub(super) fn overrides(config: &Config) -> Overrides {
    Overrides {
        registry_url: config.registry_url.clone(),
        auth_token: config.auth_token.clone().map(Secret::new),
    }
}

/// Warns if actions are not isolated from the machine as they should be.
pub(super) fn warn_of(config: &Config, isolation: Isolation) {
    if isolation != Isolation::default() {
        let name = isolation.name();
        config.printer.warning(&format!(
            "--sandbox {name}: actions may see more of this machine than they declare, so only \
             builds with --sandbox {name} use these results"
        ));
    }
}

/// Returns the components that a command is about.
pub(super) fn selection(project: &Project, names: &Names) -> Result<Selection, CommandError> {
    Selection::new(&project.manifest, &names.all()).map_err(|error| {
        let hint = error.hint();
        hint.into_iter().fold(CommandError::from_error(Kind::Usage, &error), CommandError::hint)
    })
}

/// Opens the store.
pub(super) fn store(config: &Config) -> Result<DiskStore, CommandError> {
    store_of(config, config.digest_function)
}

/// Opens the store for a build whose digests are made with `function`.
pub(super) fn store_of(
    config: &Config,
    function: DigestFunction,
) -> Result<DiskStore, CommandError> {
    cache::start_threads().map_err(|source| CommandError::threads(&source))?;
    DiskStore::open(&config.store, function).map_err(|error| {
        let this = CommandError::from_error(Kind::Environment, &error);
        match owner::of_closed(&config.store) {
            Some(closed) => this.hint(closed.hint()),
            None => this.hint("set RUN_HOME to a folder that you may write to"),
        }
    })
}

/// Returns how registries are reached.
pub(super) fn registries(config: &Config, project: &Project) -> Registries {
    Registries {
        mirrors: Mirrors { debian: config.debian_mirror.clone() },
        network: Network::of(&config.client_environment, config.offline),
        folder: project.folder.clone(),
        checkout: checkout::root(config, &project.folder),
        variables: config.client_environment.clone(),
        lent: config.lent_variables.clone(),
        ..Registries::default()
    }
}

/// Returns what tells how many bytes came from the shared cache of a builder, and how many went there.
pub(super) fn traffic(builder: &Builder) -> Option<ui::Traffic> {
    let client = builder.shared.as_ref()?.client.clone();
    Some(Arc::new(move || {
        let traffic = client.traffic();
        (traffic.bytes_down, traffic.bytes_up)
    }))
}

/// Returns what a build may do about a lock that lacks something.
pub(super) fn lock_policy(config: &Config) -> LockPolicy {
    if config.locked || config.ci { LockPolicy::Keep } else { LockPolicy::Complete }
}

/// Prints what is wrong with the project and the store, and turns the error of a build into that of the
/// command.
pub(super) fn explain(config: &Config, store: &DiskStore, error: project::Error) -> CommandError {
    if let Some(findings) = error.findings() {
        report(config, findings);
    }
    tell_faults(config, store);
    error.into()
}

/// Prints warnings about the faults of the store since the last call: entries that could not be used, and
/// damaged blobs.
pub(super) fn tell_faults(config: &Config, store: &DiskStore) {
    for UnusableEntry { action, path, source, more } in store.take_unusable() {
        let more = if more > 0 { format!(", nor {more} more") } else { String::new() };
        let what = match action {
            "read" => "its content is found out again",
            _ => "the next build has to find out its content again",
        };
        config.printer.warning(&format!(
            "cannot {action} the cache entry `{}`{more}: {source}; {what}",
            path.display()
        ));
    }
    let damaged = store.take_quarantined();
    if let Some(first) = damaged.first() {
        let (what, were) = match damaged.len() {
            1 => ("a blob".to_owned(), "was"),
            count => (format!("{count} blobs"), "were"),
        };
        config.printer.warning(&format!(
            "{what} of the store {were} damaged and set aside, {} first; they are fetched or made again when something needs them. \
             If this happens again, check the disk and who writes to the store",
            first.path.display()
        ));
    }
}

/// Prints findings about run.toml.
pub(super) fn report(config: &Config, findings: &Diagnostics) {
    if findings.is_empty() || (config.printer.verbosity < 0 && findings.errors() == 0) {
        return;
    }
    if config.printer.json {
        ui::emit(&ui::diagnostic(&findings.render(false)));
    }
    config.printer.line(findings.render(config.printer.color).trim_end());
}
