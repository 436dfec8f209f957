//! Collects the actions of all components while the language modules plan them.
//!
//! The planner holds the graph under construction and everything that several components share, such as one
//! action for each toolchain image and for each package of others. Actions are added in the order of run.toml,
//! so the same project always gives the same graph. How a language is compiled is known to its module alone.

mod complaint;
mod error;
mod process;
mod project;
mod request;
pub(crate) mod source_tree;
pub(crate) mod walk;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use cache::{ContentStore, Digest, Tree};
use engine::{Action, ActionId, Artifact, Builtin, Graph, Label, Source, SourceFile, State, Work};
use sandbox::{Determinism, Isolation, WorkerLimits};

use crate::manifest::{self, Component, Language, Origin, Pattern, PatternSet, Spanned};
use crate::package::Registries;
use crate::path::ProjectPath;
use crate::toolchain;
use crate::worker;

pub(crate) use complaint::LanguageError;
pub use complaint::{Complaint, LangError};
pub use error::PlanError;
pub use process::DEFAULT_EPOCH;
pub(crate) use process::{
    SOURCE_DATE_EPOCH, base_environment, deterministic_process, in_action, process,
};
pub use project::{Options, Project};
pub(crate) use request::{Compiled, ComponentWit, Request};
pub use source_tree::SourceTreeError;
pub(crate) use source_tree::{NEVER_SOURCES, SourceTree};
pub(crate) use walk::Walk;

/// The graph under construction, and the things that it is made from.
pub(crate) struct Planner<'a> {
    project: Project<'a>,
    store: &'a ContentStore,
    state: &'a mut State,
    graph: Graph,
    /// The actions that several components share, by the key that [`once`](Self::once) is called with.
    shared: BTreeMap<String, ActionId>,
    /// The results of planning that several components share, by the key that [`known`](Self::known) is
    /// called with.
    known: BTreeMap<String, Rc<dyn Any>>,
    /// See [`Plan::consulted`](crate::plan::Plan::consulted).
    consulted: BTreeMap<ActionId, Consulted>,
    /// See [`Plan::note`](crate::plan::Plan::note).
    notes: BTreeMap<ActionId, String>,
    /// The folders of the project that builds write to.
    outputs: BTreeSet<ProjectPath>,
    /// See [`Options::epoch`].
    epoch: Option<u64>,
    isolation: Isolation,
    /// See [`Plan::added`](crate::plan::Plan::added).
    added: BTreeSet<String>,
    /// See [`Plan::warnings`](crate::plan::Plan::warnings).
    warnings: BTreeSet<String>,
    /// The limits of the component that is being planned.
    limits: manifest::Limits,
    /// The owner of the actions that are being added.
    owner: Owner,
}

/// The things that planning has collected. [`Plan`](crate::plan::Plan) has fields of the same names.
pub(crate) struct Finished {
    pub(crate) graph: Graph,
    pub(crate) consulted: BTreeMap<ActionId, Consulted>,
    pub(crate) notes: BTreeMap<ActionId, String>,
    pub(crate) added: BTreeSet<String>,
    pub(crate) warnings: BTreeSet<String>,
}

/// The output of an action by which the planning went on.
#[derive(Clone, Debug)]
pub struct Consulted {
    /// The path of the output.
    pub output: String,
    /// The content that the output had.
    pub artifact: Artifact,
}

/// The owner of an action. It decides whether the action has the limits of a component, which are part of its
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The action belongs to the component that is being planned, and has its limits.
    Component,
    /// Several components share the action. It has no component's limits, so it does not matter which of them
    /// is planned first.
    Shared,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(
        project: Project<'a>,
        store: &'a ContentStore,
        state: &'a mut State,
        options: &Options,
    ) -> Self {
        Self {
            project,
            store,
            state,
            graph: Graph::new(),
            shared: BTreeMap::new(),
            known: BTreeMap::new(),
            consulted: BTreeMap::new(),
            notes: BTreeMap::new(),
            outputs: [project.manifest.build.output_dir.value.clone()].into(),
            epoch: options.epoch,
            isolation: options.isolation,
            added: BTreeSet::new(),
            warnings: BTreeSet::new(),
            limits: manifest::Limits::default(),
            owner: Owner::Shared,
        }
    }

    /// Ends the planning.
    pub(crate) fn finish(self) -> Finished {
        let Self { graph, consulted, notes, added, warnings, .. } = self;
        Finished { graph, consulted, notes, added, warnings }
    }

    /// Adds a warning for the user, which does not stop the build.
    pub(crate) fn warn(&mut self, text: String) {
        self.warnings.insert(text);
    }

    /// Returns the folder of run.toml.
    pub(crate) fn project(&self) -> &'a Path {
        self.project.folder
    }

    pub(crate) fn manifest(&self) -> &'a crate::manifest::Manifest {
        self.project.manifest
    }

    /// Returns the packages of `[dependencies]` that were fetched.
    pub(crate) fn packages(&self) -> &'a crate::dependency::Packages {
        self.project.packages
    }

    /// Returns the store that sources are put into.
    pub(crate) fn store(&self) -> &'a ContentStore {
        self.store
    }

    /// Returns how registries are reached.
    pub(crate) fn registries(&self) -> Arc<Registries> {
        Arc::clone(&self.project.images.registries)
    }

    /// Returns the folders that hold results and never sources.
    pub(crate) fn outputs(&self) -> &BTreeSet<ProjectPath> {
        &self.outputs
    }

    /// Adds an action. It belongs to the component that is being planned or, inside [`once`](Self::once), to
    /// all components that share it.
    pub(crate) fn add(&mut self, mut action: Action) -> Result<ActionId, PlanError> {
        self.condition(&mut action);
        Ok(self.graph.add(action)?)
    }

    /// Adds an action like [`add`](Self::add), unless it is there already. If a different action has its label,
    /// it gets a number.
    pub(crate) fn add_piece(&mut self, mut action: Action) -> Result<ActionId, PlanError> {
        self.condition(&mut action);
        let label = action.label.clone();
        for number in 2.. {
            match self.graph.find(&action.label) {
                None => break,
                Some(id) if is_same(self.graph.action(id), &action) => return Ok(id),
                Some(_) => {
                    action.label =
                        Label::new(label.owner(), format!("{} ({number})", label.step()));
                }
            }
        }
        Ok(self.graph.add(action)?)
    }

    /// Adds a piece that all components share which need it.
    pub(crate) fn add_shared_piece(&mut self, action: Action) -> Result<ActionId, PlanError> {
        let owner = std::mem::replace(&mut self.owner, Owner::Shared);
        let added = self.add_piece(action);
        self.owner = owner;
        added
    }

    /// Notes what is to be told if an action fails. The first note of an action that several components share
    /// stays.
    pub(crate) fn note(&mut self, action: ActionId, text: &str) {
        self.notes.entry(action).or_insert_with(|| text.to_owned());
    }

    /// Gives an action the conditions of the build.
    fn condition(&self, action: &mut Action) {
        if let Work::Process(process) = &mut action.work {
            process.isolation = self.isolation;
            if let Some(epoch) = self.epoch {
                process.determinism = Some(Determinism::at(epoch));
                let variable = process.env.get_mut(SOURCE_DATE_EPOCH);
                variable.into_iter().for_each(|value| *value = epoch.to_string());
            }
        }
        self.limit(action);
    }

    /// Begins to plan a component. Its own commands get its limits; the ones that it shares do not.
    pub(crate) fn begin(&mut self, component: &Component) {
        self.limits = component.limits.clone();
        self.owner = Owner::Component;
    }

    /// Returns the limits of a worker for the component that is being planned.
    pub(crate) fn worker_limits(&self) -> WorkerLimits {
        match self.owner {
            Owner::Component => worker::limits(&self.limits),
            Owner::Shared => worker::limits(&manifest::Limits::default()),
        }
    }

    fn limit(&self, action: &mut Action) {
        let manifest::Limits { timeout, memory, cpu } = &self.limits;
        if let Work::Process(process) = &mut action.work
            && self.owner == Owner::Component
        {
            let limits = &mut process.limits;
            limits.timeout = timeout.as_ref().map(|timeout| timeout.value).or(limits.timeout);
            limits.memory = memory.as_ref().map(|memory| memory.value).or(limits.memory);
            limits.cpus = cpu.as_ref().map(|cpu| cpu.value.into()).or(limits.cpus);
        }
    }

    /// Returns the shared action known as `key`. The first call adds it by `make`. Neither the action's own
    /// key nor its name may depend on the component that is being planned.
    pub(crate) fn once(
        &mut self,
        key: &str,
        make: impl FnOnce(&mut Self) -> Result<ActionId, PlanError>,
    ) -> Result<ActionId, PlanError> {
        if let Some(action) = self.shared.get(key) {
            return Ok(*action);
        }
        let owner = std::mem::replace(&mut self.owner, Owner::Shared);
        let made = make(self);
        self.owner = owner;
        let action = made?;
        self.shared.insert(key.to_owned(), action);
        Ok(action)
    }

    /// Returns the content of an output file of an action, by which the planning goes on.
    ///
    /// # Errors
    /// [`PlanError::Unknown`] if no earlier build has run the action. It has to run then, and after it the
    /// planning starts anew.
    pub(crate) fn content(&mut self, action: ActionId, output: &str) -> Result<Vec<u8>, PlanError> {
        let known = self.state.known_output(&self.graph, action, output);
        let artifact = known.ok_or(PlanError::Unknown(action))?;
        // The store may have lost the blob since it was made.
        let content = self.store.get(artifact.digest())?.ok_or(PlanError::Unknown(action))?;
        self.consulted.insert(action, Consulted { output: output.to_owned(), artifact });
        Ok(content)
    }

    /// Returns the platform that tools run on.
    pub(crate) fn platform(&self) -> Result<crate::platform::Platform, PlanError> {
        Ok(self.project.images.platform.clone().map_err(toolchain::NoImage::from)?)
    }

    /// Returns the pinned image of a toolchain, as an input for actions.
    pub(crate) fn image(&mut self, name: &str) -> Result<Source, PlanError> {
        let action = self.once(&format!("image {name}"), |planner| {
            if planner.is_added(name) {
                planner.added.insert(name.to_owned());
            }
            planner.add(toolchain::image_action(planner.project.images, name)?)
        })?;
        Ok(Source::output(action, toolchain::IMAGE))
    }

    /// Returns the pinned version of a toolchain, if the lock has the toolchain.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.project.images.lock.version(name)
    }

    /// Returns whether the lock has this toolchain and a user has added it.
    pub(crate) fn is_added(&self, name: &str) -> bool {
        self.project.images.lock.is_added(name)
    }

    /// Takes a source tree into the store.
    pub(crate) fn store_tree(&mut self, tree: SourceTree) -> Result<Digest, PlanError> {
        Ok(tree.store(self.project.folder, self.state.sources(), self.store)?)
    }

    /// Puts the empty tree into the store.
    pub(crate) fn empty_tree(&self) -> Result<Digest, PlanError> {
        Ok(self.store.put_tree(&Tree::default())?)
    }

    /// Takes these files of the checkout into the store, as one tree.
    pub(crate) fn source_files(&mut self, files: &[SourceFile]) -> Result<Digest, PlanError> {
        Ok(self.state.sources().tree(files)?)
    }

    /// Takes single files of the checkout into the store, all at once. Returns their artifacts in the order of the
    /// paths. A file that has more than `longest` bytes is refused.
    pub(crate) fn single_files(
        &mut self,
        paths: &[&ProjectPath],
        longest: u64,
    ) -> Vec<Result<Source, PlanError>> {
        let folder = self.project.folder;
        let paths: Vec<_> = paths.iter().map(|path| path.on_disk(folder)).collect();
        let artifacts = self.state.sources().files(paths, longest).into_iter();
        let source = |artifact| match artifact {
            Artifact::File { digest, executable } => Source::File { digest, executable },
            Artifact::Tree(tree) => Source::Tree(tree),
        };
        artifacts.map(|artifact| Ok(artifact.map(source)?)).collect()
    }

    /// Returns the result of `find`, which is called only once for each key and serves all components. All
    /// results under one key must have the same type.
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

    /// Returns all enabled components in a language, each with its source.
    pub(crate) fn components_in(
        &self,
        language: Language,
    ) -> Vec<(&'a ProjectPath, &'a Component)> {
        let components = self.all_sources().filter(|(_, written, _)| *written == language);
        components.map(|(file, _, component)| (file, component)).collect()
    }

    /// Returns the sources of all enabled components.
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

    /// Returns the files of the checkout that `patterns` match, sorted.
    pub(crate) fn matching(
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
            // A folder that can't be read may well hold nothing that a pattern means.
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

/// Returns whether two actions do the same, whatever their labels.
fn is_same(a: &Action, b: &Action) -> bool {
    let is_same_work = match (&a.work, &b.work) {
        (Work::Process(a), Work::Process(b)) => a == b,
        (Work::Builtin(a), Work::Builtin(b)) => {
            let named =
                |it: &dyn Builtin| (it.name().to_owned(), it.version().to_owned(), it.arguments());
            named(&**a) == named(&**b)
        }
        _ => false,
    };
    is_same_work && (&a.inputs, &a.outputs, &a.pinned) == (&b.inputs, &b.outputs, &b.pinned)
}
