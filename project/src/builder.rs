//! Plans and builds the selected components of a project.
//!
//! A [`Builder`] holds everything that a build depends on, as values. It can be used again and again, for
//! example by a development server. Planning and building are separate steps, so that a front end can print
//! something in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cache::{Digest, DiskStore};
use engine::{
    BuildRequest, Download, Event, Events, Export, Label, Options, Remote, State, Target,
};
use rules::dependency::Packages;
use rules::manifest::Diagnostics;
use rules::plan::{self, Plan, PlannedComponent, Problems, Selection};
use rules::planner;
use rules::proof::Proof;
use rules::toolchain::Images;
use sandbox::{Cancel, Isolation};

use crate::built::Built;
use crate::cluster::CacheAndCluster;
use crate::planned::Preparation;
use crate::{Error, ExecutionCluster, Machine, Planned, Project, SharedCache};

/// The number of downloads that run at once.
const DOWNLOADS: usize = 4;

/// The time that uploads to the shared cache may still take when everything else is done.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(600);

/// Builds the selected components of one project, and holds everything that this depends on.
#[derive(Debug, Clone)]
pub struct Builder {
    /// The project, with its run.toml and the folder of its sources. A long-running front end replaces it
    /// when run.toml has changed.
    pub project: Project,
    /// The store of sources, results and packages.
    pub store: DiskStore,
    /// The components to build.
    pub selection: Selection,
    /// The toolchains that the lock pins, and the way in which their packages are fetched.
    pub images: Arc<Images>,
    /// The packages of `[dependencies]` that were fetched.
    pub packages: Packages,
    /// The conditions under which they are built.
    pub conditions: Conditions,
    /// The cache that a team shares, if there is one.
    pub shared: Option<SharedCache>,
    /// The cluster that executes actions, if there is one.
    pub cluster: Option<ExecutionCluster>,
    /// The means to cancel a build.
    pub cancel: Cancel,
}

/// The conditions of a build. The first three fields decide what the components are, and the others do not.
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// True if compilers optimise.
    pub release: bool,
    /// The time that all commands see, in seconds since 1970. If it is set, all commands run under the
    /// determinism layer.
    pub epoch: Option<u64>,
    /// The means by which commands are isolated from the machine.
    pub isolation: Isolation,
    /// The number of actions that may run at once, at least 1.
    pub jobs: usize,
    /// True if actions that need the network fail instead of running.
    pub offline: bool,
    /// True if a build goes on with actions that do not depend on a failed one.
    pub keep_going: bool,
    /// True if the sandbox of a failed command is kept.
    pub keep_sandbox: bool,
    /// The part of the shared cache's results that is downloaded although no action needs it.
    pub download: Download,
}

/// The request for one build of a plan.
struct Order {
    targets: Vec<Target>,
    exports: Vec<Export>,
    options: Options,
    events: Arc<dyn Events>,
}

impl Builder {
    /// Plans the build. Takes sources into the store, and runs an action only if the planning needs its result.
    ///
    /// # Errors
    /// [`Error::Unplannable`], [`Error::NoRoom`] or [`Error::ClosedStore`], with the problems of each
    /// component; [`Error::Build`] if this machine can't build.
    pub fn plan(&self, state: &mut State, events: &Arc<dyn Events>) -> Result<Planned, Error> {
        let (mut preparation, mut asked) = (Preparation::default(), BTreeSet::new());
        loop {
            let plan = self.plan_once(state)?;
            let labels = plan.unknown.iter().map(|id| plan.graph.action(*id).label.clone());
            let labels: BTreeSet<Label> = labels.collect();
            if labels.is_empty() {
                return Ok(Planned { plan, preparation });
            }
            if labels == asked {
                return Err(Error::Unsettled(labels));
            }
            let order = Order {
                targets: plan.unknown.iter().copied().map(Target::present).collect(),
                exports: Vec::new(),
                options: self.options(),
                events: Arc::new(preparation.receiver(events)),
            };
            let built = self.run(&plan, state, order)?;
            if !preparation.add(built) {
                return Ok(Planned { plan, preparation });
            }
            asked = labels;
        }
    }

    /// Plans as far as the results of earlier builds allow.
    fn plan_once(&self, state: &mut State) -> Result<Plan, Error> {
        let Project { folder, manifest } = &self.project;
        let (images, packages) = (&self.images, &self.packages);
        let project = planner::Project { folder, manifest, images, packages };
        let Conditions { release, epoch, isolation, .. } = self.conditions;
        let options = planner::Options { release, epoch, isolation };
        plan::plan(project, &self.selection, &self.store, state, &options)
            .map_err(|problems| unplannable(&self.project, &self.store, problems))
    }

    /// Refuses a build that has to be reproducible if one of its toolchains is not proved to be reproducible,
    /// or is known not to be.
    ///
    /// # Errors
    /// [`Error::Unpromised`], or [`Error::Host`].
    pub fn check_promises(&self, plan: &Plan) -> Result<(), Error> {
        if self.conditions.epoch.is_none() {
            return Ok(());
        }
        for name in &plan.added {
            let image = self.added_image(name)?;
            match image.and_then(|image| Proof::of(&self.store, &image)) {
                Some(Proof::Same) => {}
                proof => {
                    let version = self.images.lock.version(name).unwrap_or_default().to_owned();
                    return Err(Error::Unpromised { toolchain: name.clone(), version, proof });
                }
            }
        }
        Ok(())
    }

    /// Builds a plan, and writes the components into the project's output folder. If the planning has already
    /// ended with a failure, that build is returned.
    ///
    /// # Errors
    /// [`Error::Build`] if this machine can't build. Failed actions are not an error here; they are part of
    /// the result.
    pub fn build(
        &self,
        planned: &mut Planned,
        state: &mut State,
        events: &Arc<dyn Events>,
    ) -> Result<Built, Error> {
        let order = Order {
            targets: targets(&planned.plan),
            exports: self.exports(&planned.plan),
            options: self.options(),
            events: Arc::clone(events),
        };
        self.finish(planned, state, order)
    }

    /// Builds a plan, and writes no component into the output folder. The results are in the outcome and the store.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_here(
        &self,
        planned: &mut Planned,
        state: &mut State,
        events: &Arc<dyn Events>,
    ) -> Result<Built, Error> {
        let (targets, events) = (targets(&planned.plan), Arc::clone(events));
        let (exports, options) = (Vec::new(), self.options());
        self.finish(planned, state, Order { targets, exports, options, events })
    }

    /// Builds a plan from nothing, as another machine would do it. No component is written into the output
    /// folder.
    pub(crate) fn build_anew(
        &self,
        planned: &mut Planned,
        state: &mut State,
        machine: &Machine,
        events: &Arc<dyn Events>,
    ) -> Result<Built, Error> {
        let options = self.options();
        let jobs = if machine.is_slow { 1 } else { options.jobs };
        let options = Options { jobs, anew: Some(Arc::new(machine.sees.clone())), ..options };
        let (targets, events) = (targets(&planned.plan), Arc::clone(events));
        self.finish(planned, state, Order { targets, exports: Vec::new(), options, events })
    }

    /// Carries out the last order for a plan, unless its preparation has failed.
    fn finish(
        &self,
        planned: &mut Planned,
        state: &mut State,
        order: Order,
    ) -> Result<Built, Error> {
        let Planned { plan, preparation } = planned;
        if let Some(failed) = preparation.failed.take() {
            // The events of preparations end without a summary.
            order.events.event(Event::BuildFinished(failed.outcome.summary.clone()));
            return Ok(failed);
        }
        let events = Arc::new(preparation.last_receiver(&order.events));
        let mut built = self.run(plan, state, Order { events, ..order })?;
        preparation.add_to(&mut built.outcome.summary);
        Ok(built)
    }

    /// Returns the digest of the image of a toolchain that the user has added, or `None` if the user has not
    /// added it.
    pub(crate) fn added_image(&self, name: &str) -> Result<Option<Digest>, Error> {
        let platform = self.images.platform.clone()?;
        let lock = &self.images.lock;
        let image = lock.image(name, platform).ok().filter(|image| image.is_added());
        Ok(image.map(|image| image.tree))
    }

    fn run(&self, plan: &Plan, state: &mut State, order: Order) -> Result<Built, Error> {
        let Order { targets, exports, options, events } = order;
        let outcome = BuildRequest {
            graph: &plan.graph,
            targets: &targets,
            exports: &exports,
            options,
            store: &self.store,
            state,
            cluster: self.cluster.as_ref().map(ExecutionCluster::for_engine),
            remote: self.remote(),
            says_missing: rules::diagnose::says_missing,
            events,
            cancel: self.cancel.clone(),
        }
        .run();
        if let Some(uploads) = self.shared.as_ref().and_then(|shared| shared.uploads.as_ref()) {
            uploads.save(&self.project);
        }
        let outcome = outcome?;
        // Killed builds leave files in the store. They are not removed after a build with nothing to do,
        // because the user would have to wait for that.
        let untidy = if outcome.summary.ran > 0 { self.store.sweep().err() } else { None };
        Ok(Built { outcome, exports, untidy })
    }

    /// Returns what is beyond this machine: the shared cache, and the blobs of the cluster.
    fn remote(&self) -> Option<Arc<dyn Remote>> {
        let cache = self.shared.clone();
        match self.cluster.clone() {
            Some(cluster) => Some(Arc::new(CacheAndCluster { cache, cluster })),
            None => cache.as_ref().map(SharedCache::for_engine),
        }
    }

    fn options(&self) -> Options {
        Options {
            jobs: self.conditions.jobs,
            cluster_jobs: self.cluster.as_ref().map_or(0, |cluster| cluster.jobs),
            downloads: DOWNLOADS,
            keep_going: self.conditions.keep_going,
            offline: self.conditions.offline,
            keep_sandbox: self.conditions.keep_sandbox,
            download: self.conditions.download,
            upload_patience: UPLOAD_PATIENCE,
            anew: None,
        }
    }

    fn exports(&self, plan: &Plan) -> Vec<Export> {
        let folder = self.project.manifest.output_dir();
        let export = |component: &PlannedComponent| Export {
            action: component.action,
            output: component.output.clone(),
            to: folder.join(format!("{}.wasm", component.name)),
        };
        plan.components.iter().map(export).collect()
    }
}

/// Makes one error of the problems of components.
pub(crate) fn unplannable(project: &Project, store: &DiskStore, problems: Problems) -> Error {
    let mut findings = Diagnostics::new(project.manifest.source());
    problems.findings.into_iter().for_each(|problem| findings.push(problem));
    match () {
        () if problems.no_room => Error::NoRoom(findings),
        () if problems.is_closed => Error::ClosedStore { findings, store: store.root().to_owned() },
        () => Error::Unplannable(findings),
    }
}

fn targets(plan: &Plan) -> Vec<Target> {
    let last = |component: &PlannedComponent| {
        std::iter::once(component.action).chain(component.checks.clone())
    };
    let last = plan.components.iter().flat_map(last);
    let known = last.chain(plan.consulted.keys().copied()).map(Target::known);
    known.chain(plan.added_actions.iter().copied().map(Target::present)).collect()
}
