//! Runs the search and reads its result.

use std::collections::{BTreeMap, BTreeSet};

use resolvo::{Problem, Solver, UnsolvableOrCancelled};
use semver::Version;

use crate::conflict::{self, Conflict, Link};
use crate::provider::{Failure, Provider};
use crate::{Need, Range, Source};

/// A version that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The version.
    pub version: Version,
    /// The packages that it needs, each with the version that was chosen for the need. It may need two versions of one.
    pub needs: BTreeSet<(String, Version)>,
}

/// The versions that were chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The packages that the project itself needs, each with the version that was chosen for the need.
    pub roots: BTreeSet<(String, Version)>,
    /// All packages, by name and range.
    pub packages: BTreeMap<(String, Range), Chosen>,
}

/// The reason why no versions were chosen.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError<E> {
    /// The source could not say what exists.
    #[error("cannot find out about package `{package}`{}", conflict::through(path))]
    Source {
        /// The package that it was asked about.
        package: String,
        /// How the package came to be needed, from the project on.
        path: Vec<Link>,
        /// The error of the source.
        #[source]
        error: E,
    },
    /// There is no version that the project could have.
    #[error(transparent)]
    Conflict(Conflict),
}

/// Chooses versions for everything that `roots` needs. Of two versions that fit, the one in `locked` is chosen, or else the
/// newer one. The order of `roots` and of `locked` does not matter.
///
/// # Errors
/// The source fails, or no versions fit together.
pub fn resolve<S: Source>(
    source: &S,
    roots: &[Need],
    locked: &[(String, Version)],
) -> Result<Resolution, ResolveError<S::Error>> {
    let mut roots = roots.to_vec();
    roots.sort();
    let provider = Provider::new(source, locked);
    let Some(requirements) = provider.requirements(&roots, None) else {
        return Err(failed(&provider));
    };
    let problem = Problem::new().requirements(requirements.into_iter().map(Into::into).collect());
    let mut solver = Solver::new(provider);
    match solver.solve(problem) {
        Ok(solution) => {
            let provider = solver.provider();
            let versions: BTreeMap<(String, Range), Version> = solution
                .iter()
                .map(|id| {
                    let (name, version) = (provider.name_of(*id), provider.version_of(*id));
                    ((name.package.clone(), name.range), version.clone())
                })
                .collect();
            let packages = solution.iter().map(|id| {
                let name = provider.name_of(*id);
                let needs = provider.needs.borrow();
                let needs = needs.get(id).map(Vec::as_slice).unwrap_or_default();
                let version = provider.version_of(*id).clone();
                let chosen = Chosen { version, needs: met(needs, &versions) };
                ((name.package.clone(), name.range), chosen)
            });
            Ok(reachable(met(&roots, &versions), packages.collect()))
        }
        Err(UnsolvableOrCancelled::Cancelled(_)) => Err(failed(solver.provider())),
        Err(UnsolvableOrCancelled::Unsolvable(proof)) => {
            let graph = proof.graph(&solver);
            Err(ResolveError::Conflict(conflict::explain(&graph, solver.provider(), &roots)))
        }
    }
}

/// Returns the newest chosen version that meets each need.
fn met(
    needs: &[Need],
    versions: &BTreeMap<(String, Range), Version>,
) -> BTreeSet<(String, Version)> {
    let newest = |need: &Need| {
        let of_package = versions.range((need.package.clone(), Range::FIRST)..);
        let of_package = of_package.take_while(|((package, _), _)| *package == need.package);
        let fitting = of_package.filter(|(_, version)| need.requirement.matches(version));
        let version = fitting.map(|(_, version)| version).max()?;
        Some((need.package.clone(), version.clone()))
    };
    needs.iter().filter_map(newest).collect()
}

/// Leaves out what nothing needs: the solver keeps versions that it chose on a way that led nowhere.
fn reachable(
    roots: BTreeSet<(String, Version)>,
    mut all: BTreeMap<(String, Range), Chosen>,
) -> Resolution {
    let mut packages = BTreeMap::new();
    let mut next: Vec<(String, Version)> = roots.clone().into_iter().collect();
    while let Some((package, version)) = next.pop() {
        let name = (package, Range::of(&version));
        if let Some(chosen) = all.remove(&name) {
            next.extend(chosen.needs.clone());
            packages.insert(name, chosen);
        }
    }
    Resolution { roots, packages }
}

fn failed<S: Source>(provider: &Provider<'_, S>) -> ResolveError<S::Error> {
    match provider.take_failure().expect("a search ends early only because of a failure") {
        Failure::Source { package, error } => {
            let path = provider.path_to(&package).into_iter().map(|id| Link {
                package: provider.name_of(id).package.clone(),
                version: provider.version_of(id).clone(),
            });
            ResolveError::Source { path: path.collect(), package, error }
        }
        Failure::Nothing { need, offers } => {
            ResolveError::Conflict(Conflict::nothing(need, &offers))
        }
    }
}
