//! The commands about packages: `run add`, `remove`, `update`, `fetch`, `tree`, `search`, `publish`, `login` and `logout`.

mod add;
mod editing;
mod fetch;
mod login;
mod publish;
mod search;
mod tree;
mod update;

pub(super) use add::{add, remove};
pub(super) use fetch::run as fetch;
pub(super) use login::{login, logout};
pub(super) use publish::run as publish;
pub(super) use search::run as search;
pub(super) use tree::run as tree;
pub(super) use update::run as update;

use cache::DiskStore;
use project::{Dependencies, DependencyError, Project};
use registry::Registries;
use sandbox::Cancel;

use crate::command_error::CommandError;
use crate::commands::start;
use crate::config::Config;
use crate::{package_registries, signals};

/// Everything that a command about packages works with.
struct Opened {
    store: DiskStore,
    packages: Registries,
    clients: rules::package::Registries,
    cancel: Cancel,
}

/// Turns the error of a registry into that of the command.
fn of_registry(error: registry::Error) -> CommandError {
    DependencyError::from(error).into()
}

impl Opened {
    fn of(config: &Config, project: &Project) -> Result<Self, CommandError> {
        let cancel = signals::cancel_on_signal()?;
        Ok(Self {
            store: start::store(config)?,
            packages: package_registries::of_project(config, project, &cancel)?,
            clients: start::registries(config, project),
            cancel,
        })
    }

    fn dependencies<'a>(&'a self, project: &'a Project) -> Dependencies<'a> {
        Dependencies {
            project,
            store: &self.store,
            packages: &self.packages,
            clients: &self.clients,
            cancel: self.cancel.clone(),
        }
    }
}
