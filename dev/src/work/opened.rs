//! A project that was opened: its builder, its state, and what it was opened from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine::State;
use project::{Builder, LOCK_FILE};
use rules::manifest::{Component, FILE_NAME};

use super::data::Data;
use crate::watch::Area;

/// A project that was opened.
pub(crate) struct Opened {
    pub(crate) builder: Builder,
    pub(crate) state: State,
    /// The files that `[dev].watch` names.
    pub(crate) data: Data,
    /// The contents of run.toml and the lock.
    configuration: Configuration,
}

/// The contents of run.toml and the lock, as far as they could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    manifest: Option<blake3::Hash>,
    lock: Option<blake3::Hash>,
}

impl Configuration {
    pub(crate) fn of(folder: &Path) -> Self {
        let hash = |name: &str| std::fs::read(folder.join(name)).ok().map(|it| blake3::hash(&it));
        Self { manifest: hash(FILE_NAME), lock: hash(LOCK_FILE) }
    }

    /// Takes the lock as it is now. Opening a project may complete it.
    pub(crate) fn with_lock_of(self, folder: &Path) -> Self {
        Self { lock: Self::of(folder).lock, ..self }
    }
}

impl Opened {
    /// Takes note of what a builder needs to be used again and again. `configuration` is what it was made from.
    pub(crate) fn new(builder: Builder, state: State, configuration: Configuration) -> Self {
        let project = &builder.project;
        let mut area = Area::new(project.folder.clone());
        area.learn(project.manifest.output_dir(), std::sync::Arc::default());
        let watch = &project.manifest.dev.watch;
        let data = Data::new(&project.folder, watch, |folder| area.is_open(folder));
        Self { builder, state, data, configuration }
    }

    /// Tells if run.toml and the lock are as they were.
    pub(crate) fn is_current(&self) -> bool {
        Configuration::of(&self.builder.project.folder) == self.configuration
    }

    /// Returns the files that the last plan depended on.
    pub(crate) fn inputs(&mut self) -> BTreeSet<PathBuf> {
        self.state.sources().taken().map(Path::to_owned).collect()
    }

    /// Returns the components of run.toml by name.
    pub(crate) fn components(&self) -> BTreeMap<&str, &Component> {
        let components = self.builder.project.manifest.components.iter();
        components.map(|component| (component.name.as_str(), component)).collect()
    }
}
