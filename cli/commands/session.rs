//! What most commands begin with: the project, its manifest, its lock, the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{DiskStore, Unusable};
use engine::State;
use rules::manifest::{self, Diagnostics, Manifest, Overrides, Secret};
use rules::plan::{Clients, Selection};
use rules::toolchain::{Lock, Mirrors, Network, Registries};

use crate::arguments::Names;
use crate::checkout;
use crate::command_error::{CommandError, Kind};
use crate::config::Config;
use crate::owner;
use crate::ui;

/// The project that a command is about.
pub(crate) struct Session {
    /// The folder of run.toml.
    pub(crate) folder: PathBuf,
    /// What run.toml says.
    pub(crate) manifest: Manifest,
}

impl Session {
    /// Finds and reads the project. Prints what is wrong with run.toml; warnings don't stop it.
    pub(crate) fn open(config: &Config) -> Result<Self, CommandError> {
        let folder = manifest::find_project(&config.directory)
            .map_err(|error| CommandError::from_error(Kind::Usage, &error).hint(error.help()))?;
        let overrides = Overrides {
            registry_url: config.registry_url.clone(),
            auth_token: config.auth_token.clone().map(Secret::new),
        };
        let (manifest, diagnostics) = Manifest::load(&folder, &overrides);
        ui::mask::learn(diagnostics.source().secrets());
        report(config, &diagnostics);
        match manifest {
            Some(manifest) => Ok(Self { folder, manifest }),
            None => Err(CommandError::silent(Kind::Usage)),
        }
    }

    /// Where the lock lies.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.folder.join("run.lock.toml")
    }

    /// The lock, if there is one.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, CommandError> {
        Lock::read(&self.lock_path()).map_err(|error| {
            CommandError::from_error(Kind::Usage, &error)
                .hint("restore run.lock.toml from version control, or delete it and run `run toolchain sync`")
        })
    }

    /// Writes the lock, unless it says the same already.
    pub(crate) fn write_lock(
        &self,
        before: Option<&Lock>,
        after: &Lock,
    ) -> Result<(), CommandError> {
        if before == Some(after) {
            return Ok(());
        }
        after
            .write(&self.lock_path())
            .map_err(|error| CommandError::from_error(Kind::Environment, &error))
    }

    /// The folder for what `run` keeps inside the project.
    pub(crate) fn private_folder(&self) -> PathBuf {
        self.folder.join(".run")
    }

    /// Refuses a link in the place of the private folder: files of its target would be replaced and removed.
    pub(crate) fn refuse_linked_folder(&self) -> Result<(), CommandError> {
        let folder = self.private_folder();
        if folder.is_symlink() {
            let message = format!("`{}` is a symbolic link and not a folder", folder.display());
            return Err(CommandError::usage(message).hint("remove it: `run` makes the folder anew"));
        }
        Ok(())
    }

    /// The incremental state of the project.
    pub(crate) fn state(&self, store: &DiskStore) -> Result<State, CommandError> {
        let folder = self.private_folder();
        self.refuse_linked_folder()?;
        std::fs::create_dir_all(&folder).map_err(|source| cannot_write(&folder, &source))?;
        Ok(State::open(store, &folder.join("state")))
    }
}

/// The components that a command is about.
pub(crate) fn selection(session: &Session, names: &Names) -> Result<Selection, CommandError> {
    Selection::new(&session.manifest, &names.all()).map_err(|error| {
        let hint = error.hint();
        hint.into_iter().fold(CommandError::from_error(Kind::Usage, &error), CommandError::hint)
    })
}

/// Prints findings about run.toml.
pub(crate) fn report(config: &Config, diagnostics: &Diagnostics) {
    if diagnostics.is_empty() || (config.printer.verbosity < 0 && diagnostics.errors() == 0) {
        return;
    }
    if config.printer.json {
        ui::emit(&ui::diagnostic(&diagnostics.render(false)));
    }
    config.printer.line(diagnostics.render(config.printer.color).trim_end());
}

/// Opens the store.
pub(crate) fn store(config: &Config) -> Result<DiskStore, CommandError> {
    cache::start_threads().map_err(|source| CommandError::threads(&source))?;
    DiskStore::open(&config.store, config.digest_function).map_err(|error| {
        let this = CommandError::from_error(Kind::Environment, &error);
        match owner::of_closed(&config.store) {
            Some(closed) => this.hint(closed.hint()),
            None => this.hint("set RUN_HOME to a folder that you may write to"),
        }
    })
}

/// Tells what of the action cache could not be used since this was last asked.
pub(crate) fn tell_unusable(config: &Config, store: &DiskStore) {
    for Unusable { action, path, source, more } in store.take_unusable() {
        let more = if more > 0 { format!(", nor {more} more") } else { String::new() };
        let what = match action {
            "read" => "what it remembers is found out anew",
            _ => "what it was to remember will be found out again",
        };
        config.printer.warning(&format!(
            "cannot {action} the cache entry `{}`{more}: {source}; {what}",
            path.display()
        ));
    }
}

/// How registries' clients are run.
pub(crate) fn clients(config: &Config, session: &Session) -> Arc<Clients> {
    Arc::new(Clients {
        variables: config.client_environment.clone(),
        offline: config.offline,
        checkout: checkout::root(config, &session.folder),
        lent: config.lent_variables.clone(),
    })
}

/// How registries are reached for toolchains.
pub(crate) fn registries(config: &Config, session: &Session) -> Registries {
    Registries {
        mirrors: Mirrors { debian: config.debian_mirror.clone() },
        network: Network::of(&config.client_environment, config.offline),
        folder: session.folder.clone(),
        checkout: checkout::root(config, &session.folder),
        variables: config.client_environment.clone(),
        ..Registries::default()
    }
}

fn cannot_write(path: &Path, source: &std::io::Error) -> CommandError {
    CommandError::environment(format!("cannot write `{}`", path.display())).caused_by(source)
}
