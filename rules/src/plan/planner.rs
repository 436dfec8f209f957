//! What language modules add their actions to.
//!
//! Holds the graph under construction and everything that is shared by several components: one
//! action per toolchain image, one per dependency layer. Order of insertion is the order of
//! run.toml, so the same project always gives the same graph.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cache::{Digest, DiskStore, Tree};
use engine::{Action, ActionId, Artifact, Graph, Source, SourceFile, Sources, Work};
use sandbox::{Determinism, Isolation, WorkerLimits};

use super::{Clients, Options, PlanError, Project};
use crate::lang::{SOURCE_DATE_EPOCH, SourceTree, Walk};
use crate::manifest::{self, Component, Language, Origin, Pattern, PatternSet, Spanned};
use crate::path::ProjectPath;
use crate::toolchain;
use crate::worker;

/// The graph under construction and what it is made from.
pub(crate) struct Planner<'a> {
    project: Project<'a>,
    store: &'a DiskStore,
    sources: &'a mut Sources,
    clients: Arc<Clients>,
    graph: Graph,
    /// Actions that several components share, by what they are for.
    shared: BTreeMap<String, ActionId>,
    /// What several components are planned from, by what it is.
    known: BTreeMap<String, Rc<dyn Any>>,
    /// Folders of the project that builds write to.
    outputs: BTreeSet<ProjectPath>,
    /// See [`Options::epoch`].
    epoch: Option<u64>,
    isolation: Isolation,
    /// See [`Plan::unpromised`](super::Plan::unpromised).
    unpromised: BTreeSet<String>,
    /// See [`Plan::warnings`](super::Plan::warnings).
    warnings: BTreeSet<String>,
    /// The component that is being planned, and what its commands may use up.
    limited: Option<(String, manifest::Limits)>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        project: Project<'a>,
        store: &'a DiskStore,
        sources: &'a mut Sources,
        options: &Options<'_>,
    ) -> Self {
        Self {
            project,
            store,
            sources,
            clients: Arc::clone(&options.clients),
            graph: Graph::new(),
            shared: BTreeMap::new(),
            known: BTreeMap::new(),
            outputs: [project.manifest.build.output_dir.value.clone()].into(),
            epoch: options.epoch,
            isolation: options.isolation,
            unpromised: BTreeSet::new(),
            warnings: BTreeSet::new(),
            limited: None,
        }
    }

    /// The graph, [`Plan::unpromised`](super::Plan::unpromised) and [`Plan::warnings`](super::Plan::warnings).
    pub(super) fn into_parts(self) -> (Graph, BTreeSet<String>, BTreeSet<String>) {
        (self.graph, self.unpromised, self.warnings)
    }

    /// Has the user told something that does not stop the build.
    pub(crate) fn warn(&mut self, text: String) {
        self.warnings.insert(text);
    }

    /// The folder of run.toml.
    pub(crate) fn project(&self) -> &'a Path {
        self.project.folder
    }

    pub(super) fn manifest(&self) -> &'a crate::manifest::Manifest {
        self.project.manifest
    }

    /// The store that sources go to.
    pub(crate) fn store(&self) -> &'a DiskStore {
        self.store
    }

    /// How registries are reached.
    pub(crate) fn clients(&self) -> Arc<Clients> {
        Arc::clone(&self.clients)
    }

    /// Folders that hold results and never sources.
    pub(crate) fn outputs(&self) -> &BTreeSet<ProjectPath> {
        &self.outputs
    }

    /// Adds an action.
    pub(crate) fn add(&mut self, mut action: Action) -> Result<ActionId, PlanError> {
        if let Work::Process(process) = &mut action.work {
            process.isolation = self.isolation;
            if let Some(epoch) = self.epoch {
                process.determinism = Some(Determinism::at(epoch));
                let variable = process.env.get_mut(SOURCE_DATE_EPOCH);
                variable.into_iter().for_each(|value| *value = epoch.to_string());
            }
        }
        self.limit(&mut action);
        Ok(self.graph.add(action)?)
    }

    /// From here on, commands of this component have its limits; those that it shares do not.
    pub(super) fn begin(&mut self, component: &Component) {
        self.limited = Some((component.name.to_string(), component.limits.clone()));
    }

    /// What a worker for the component that is being planned may use up.
    pub(crate) fn worker_limits(&self) -> WorkerLimits {
        let limits = self.limited.as_ref().map(|(_, limits)| limits.clone());
        worker::limits(&limits.unwrap_or_default())
    }

    fn limit(&self, action: &mut Action) {
        let Some((component, manifest::Limits { timeout, memory, cpu })) = &self.limited else {
            return;
        };
        if let Work::Process(process) = &mut action.work
            && action.label.owner() == component
        {
            let limits = &mut process.limits;
            limits.timeout = timeout.as_ref().map(|timeout| timeout.value).or(limits.timeout);
            limits.memory = memory.as_ref().map(|memory| memory.value).or(limits.memory);
            limits.cpus = cpu.as_ref().map(|cpu| cpu.value.into()).or(limits.cpus);
        }
    }

    /// The action known as `key`, made by `make` at the first call.
    pub(crate) fn once(
        &mut self,
        key: &str,
        make: impl FnOnce(&mut Self) -> Result<ActionId, PlanError>,
    ) -> Result<ActionId, PlanError> {
        if let Some(action) = self.shared.get(key) {
            return Ok(*action);
        }
        let action = make(self)?;
        self.shared.insert(key.to_owned(), action);
        Ok(action)
    }

    /// The platform that tools run on.
    pub(crate) fn platform(&self) -> Result<toolchain::Platform, PlanError> {
        Ok(self.project.images.platform.clone().map_err(toolchain::NoImage::from)?)
    }

    /// The pinned image of a toolchain.
    pub(crate) fn image(&mut self, name: &str) -> Result<Source, PlanError> {
        let action = self.once(&format!("image {name}"), |planner| {
            if planner.epoch.is_some() && planner.project.images.lock.is_added(name) {
                planner.unpromised.insert(name.to_owned());
            }
            planner.add(toolchain::image_action(planner.project.images, name)?)
        })?;
        Ok(Source::output(action, toolchain::IMAGE))
    }

    /// The pinned version of a toolchain, if the lock has it.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.project.images.lock.version(name)
    }

    /// The image of a toolchain that is used if the lock has it, such as one added by hand.
    pub(crate) fn pinned(&mut self, name: &str) -> Result<Option<Source>, PlanError> {
        match self.project.images.lock.version(name) {
            Some(_) => self.image(name).map(Some),
            None => Ok(None),
        }
    }

    /// Takes a folder of sources into the store.
    pub(crate) fn store_tree(&mut self, tree: SourceTree) -> Result<Digest, PlanError> {
        Ok(tree.store(self.project.folder, self.sources, self.store)?)
    }

    /// The folder without entries.
    pub(crate) fn empty_tree(&self) -> Result<Digest, PlanError> {
        Ok(self.store.put_tree(&Tree::default())?)
    }

    /// The tree of these files of the checkout.
    pub(super) fn source_files(&mut self, files: &[SourceFile]) -> Result<Digest, PlanError> {
        Ok(self.sources.tree(files)?)
    }

    /// One file of the checkout.
    pub(super) fn source_file(&mut self, path: &ProjectPath) -> Result<Source, PlanError> {
        Ok(match self.sources.file(&path.on_disk(self.project.folder))? {
            Artifact::File { digest, executable } => Source::File { digest, executable },
            Artifact::Tree(tree) => Source::Tree(tree),
        })
    }

    /// What `find` finds, which is found out once for all components. A key names one type of thing.
    pub(crate) fn known<T: 'static, E>(
        &mut self,
        key: &str,
        find: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Rc<T>, E> {
        let known = self.known.get(key).cloned();
        if let Some(known) = known.and_then(|known| known.downcast().ok()) {
            return Ok(known);
        }
        let found = Rc::new(find(self)?);
        self.known.insert(key.to_owned(), Rc::<T>::clone(&found));
        Ok(found)
    }

    /// All enabled components in a language, with their sources.
    pub(crate) fn components_in(&self, language: &str) -> Vec<(&'a ProjectPath, &'a Component)> {
        let components = self.all_sources().filter(|(_, written, _)| written.as_str() == language);
        components.map(|(file, _, component)| (file, component)).collect()
    }

    /// The sources of all enabled components.
    pub(crate) fn sources(&self) -> BTreeSet<ProjectPath> {
        self.all_sources().map(|(file, ..)| file.clone()).collect()
    }

    fn all_sources(
        &self,
    ) -> impl Iterator<Item = (&'a ProjectPath, Language, &'a Component)> + use<'a> {
        let components = self.project.manifest.components.iter();
        components.filter(|component| *component.enabled).filter_map(|component| {
            match &component.origin {
                Origin::Source { file, language } => Some((&file.value, language.value, component)),
                Origin::Prebuilt { .. } => None,
            }
        })
    }

    /// The files of the checkout that `patterns` match, sorted.
    pub(super) fn matching(
        &self,
        patterns: &[Spanned<Pattern>],
    ) -> Result<Vec<ProjectPath>, PlanError> {
        let folder = self.project.folder;
        let private = ProjectPath::parse(".run")?;
        let is_ours = |path: &ProjectPath| {
            self.outputs.iter().chain([&private]).any(|folder| path.is_in(folder))
        };
        let walk = Walk {
            project: folder,
            takes: &|path, is_folder| {
                !is_folder || !ProjectPath::of(folder, path).is_ok_and(|path| is_ours(&path))
            },
            follows: &|folder| !is_ours(folder),
            // They may well hold nothing that a pattern means.
            skips_unreadable: true,
        };
        let mut found = Vec::new();
        for pattern in patterns {
            let set = PatternSet::new([&pattern.value])?;
            let base = ProjectPath::parse(pattern.base())?;
            let before = found.len();
            let wanted = |path: &ProjectPath| !is_ours(path) && set.matches(path.as_str());
            if base.on_disk(folder).exists() {
                walk.files(&base, &mut |path| {
                    found.extend(ProjectPath::of_wanted(folder, path, &wanted)?);
                    Ok(())
                })?;
            }
            if found.len() == before {
                return Err(PlanError::NoMatch(pattern.to_string()));
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }
}
