//! Compares builds of a project, to find out if its components are the same each time they are built.
//!
//! A project is built as `run build` does it, and then twice more from nothing, in a copy at another path and
//! as on two other [machines](Machine). A component that is the same in all three builds depends only on
//! declared inputs. This file prints nothing and writes no file for the user except the components of the
//! first build; an [`Observer`] hears about the progress.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cache::{Digest, DiskStore};
use engine::{ActionId, Events, Outcome, State};
use rules::diagnose;
use rules::manifest::Overrides;
use rules::plan::{self, Plan, PlannedComponent};
use rules::planner::Consulted;
use rules::proof::Proof;
use rules::wasm::{Difference, differences};

use crate::copy::copy;
use crate::{Builder, Built, Error, Machine, Project, Suspects};

/// A comparison of builds of one project.
pub struct Compare<'a> {
    /// The builder, which says what is built and how.
    pub builder: &'a Builder,
    /// The time, in seconds since 1970. The clocks of the other machines are ahead of it.
    pub now: u64,
    /// An existing folder, in which copies of the project lie while they are built.
    pub copies: &'a Path,
}

/// Hears about the progress of a comparison.
pub trait Observer {
    /// Hears that a build begins: first the one of this machine, and then those of the other machines.
    /// Returns the receiver of the build's events.
    fn begin(&mut self, machine: Option<&Machine>) -> Arc<dyn Events>;

    /// Hears that the build that began last is over, whether it succeeded or not.
    fn end(&mut self, plan: &Plan, built: &Built);
}

/// The result of a comparison.
#[derive(Debug)]
pub struct Comparison {
    /// One verdict for each component, in the order of run.toml.
    pub verdicts: Vec<Verdict>,
    /// Advice about files of the project that actions looked for and did not see. Each text has the line to
    /// add to run.toml.
    pub looked_for: BTreeSet<String>,
}

/// The result of the comparison of one component.
#[derive(Debug)]
pub struct Verdict {
    /// The name of the component.
    pub component: String,
    /// The digest of the bytes that this machine gave.
    pub digest: Digest,
    /// The digests of different bytes that other machines gave. It is empty if the component was the same
    /// each time.
    pub others: Vec<Digest>,
}

/// One component as two builds made it.
#[derive(Debug)]
pub struct TwoBuilds {
    /// The bytes that this machine gave.
    pub first: Vec<u8>,
    /// The bytes that another machine gave.
    pub again: Vec<u8>,
    /// The parts in which they differ.
    pub differences: Vec<Difference>,
}

/// The name of a component with the digest of its bytes.
type Named = (String, Digest);

impl Compare<'_> {
    /// Builds three times and compares the components. The store remembers the result for each toolchain that
    /// the user has added, because a reproducible build needs to know it.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] if one of the builds did not succeed, [`Error::Copy`], or any error of planning
    /// and building.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Comparison, Error> {
        let verdict = |(component, digest)| Verdict { component, digest, others: Vec::new() };
        let mut verdicts: Vec<Verdict> =
            self.build_here(observer)?.into_iter().map(verdict).collect();
        let mut looked_for = BTreeSet::new();
        for machine in Machine::both(self.now) {
            let (again, missed) = self.build_on(&machine, observer)?;
            looked_for.extend(missed);
            for (verdict, (name, digest)) in verdicts.iter_mut().zip(again) {
                debug_assert_eq!(verdict.component, name, "the same plan");
                if digest != verdict.digest {
                    verdict.others.push(digest);
                }
            }
        }
        let comparison = Comparison { verdicts, looked_for };
        comparison.remember(self.builder)?;
        Ok(comparison)
    }

    /// Builds the components as an ordinary build of this machine does it.
    fn build_here(&self, observer: &mut dyn Observer) -> Result<Vec<Named>, Error> {
        let Self { builder, .. } = self;
        let events = observer.begin(None);
        let mut state = builder.project.state(&builder.store)?;
        let mut planned = builder.plan(&mut state, &events)?;
        let built = builder.build(&mut planned, &mut state, &events)?;
        observer.end(&planned.plan, &built);
        digests(&planned.plan, built)
    }

    /// Builds a copy of the project without any earlier result. Also returns advice about files of the
    /// project that actions looked for and did not see.
    fn build_on(
        &self,
        machine: &Machine,
        observer: &mut dyn Observer,
    ) -> Result<(Vec<Named>, Vec<String>), Error> {
        let events = observer.begin(Some(machine));
        let elsewhere = tempfile::tempdir_in(self.copies).map_err(Error::Copy)?;
        let folder = elsewhere.path().join(format!("checkout-{}", machine.number));
        let Project { folder: original, manifest } = &self.builder.project;
        copy(original, &folder, &manifest.output_dir()).map_err(Error::Copy)?;
        let (project, _) = Project::read(folder, &Overrides::default())?;
        let builder = Builder { project, ..self.builder.clone() };
        let mut state = State::open(&builder.store, &elsewhere.path().join("state"));
        let mut planned = builder.plan(&mut state, &events)?;
        let built = builder.build_anew(&mut planned, &mut state, machine, &events)?;
        let plan = planned.plan;
        observer.end(&plan, &built);
        check_consulted(&plan, &built.outcome)?;
        let suspects = Suspects::new(&plan, &builder.project.folder);
        let missed = built.outcome.missing.iter().flat_map(|(label, missing)| {
            let suspect = suspects.find(label);
            suspect.map(|suspect| diagnose::looked_for(missing, &suspect)).unwrap_or_default()
        });
        let missed = missed.collect();
        Ok((digests(&plan, built)?, missed))
    }
}

impl Comparison {
    /// Stores the result for each toolchain that the user has added.
    fn remember(&self, builder: &Builder) -> Result<(), Error> {
        let Builder { project, store, .. } = builder;
        for (toolchain, components) in plan::needed_by(&project.folder, &project.manifest) {
            let Some(image) = builder.added_image(toolchain)? else { continue };
            let of_it = |verdict: &&Verdict| components.contains(&verdict.component.as_str());
            let mut found = self.verdicts.iter().filter(of_it).peekable();
            if found.peek().is_some() {
                let proof =
                    if found.all(Verdict::is_same) { Proof::Same } else { Proof::Different };
                proof.record(store, &image)?;
            }
        }
        Ok(())
    }
}

impl Verdict {
    /// Returns true if the component was the same each time.
    #[must_use]
    pub const fn is_same(&self) -> bool {
        self.others.is_empty()
    }

    /// Reads a component that was not the same each time, and finds the differences. Returns `None` if it was
    /// the same.
    ///
    /// # Errors
    /// [`Error::Store`], or [`Error::Lost`].
    pub fn examine(&self, store: &DiskStore) -> Result<Option<TwoBuilds>, Error> {
        let Some(other) = self.others.first() else { return Ok(None) };
        let bytes = |digest: &Digest| store.get(digest)?.ok_or(Error::Lost(*digest));
        let (first, again) = (bytes(&self.digest)?, bytes(other)?);
        let differences = differences(&first, &again);
        Ok(Some(TwoBuilds { first, again, differences }))
    }
}

/// Checks that the outputs by which a build was planned are the same in the build.
fn check_consulted(plan: &Plan, outcome: &Outcome) -> Result<(), Error> {
    let differs = |(id, Consulted { output, artifact }): &(&ActionId, &Consulted)| {
        outcome.artifact(**id, output).is_some_and(|again| again != *artifact)
    };
    match plan.consulted.iter().find(differs) {
        Some((id, _)) => Err(Error::Unsteady(plan.graph.action(*id).label.clone())),
        None => Ok(()),
    }
}

/// Returns the components of a build that succeeded.
fn digests(plan: &Plan, built: Built) -> Result<Vec<Named>, Error> {
    let outcome = built.into_success()?;
    let digest = |component: &PlannedComponent| {
        let artifact = outcome.artifact(component.action, &component.output);
        (component.name.clone(), *artifact.expect("the build succeeded").digest())
    };
    Ok(plan.components.iter().map(digest).collect())
}
