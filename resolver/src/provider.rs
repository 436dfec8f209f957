//! Tells the solver what packages are.
//!
//! What the solver calls a package, of which a solution has one version at most, is a package and a [`Range`] here. A
//! requirement that versions of several ranges meet is a union of the solver's packages, with the newest range first.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use resolvo::utils::{Pool, VersionSet};
use resolvo::{
    Candidates, Condition, ConditionId, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Requirement, SolvableId,
    SolverCache, StringId, VersionSetId, VersionSetUnionId,
};
use semver::{Version, VersionReq};

use crate::{Need, Offer, Range, Source};

/// A package, and one range of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) package: String,
    pub(crate) range: Range,
}

/// The versions of a range that are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Accepted(VersionReq);

impl Accepted {
    pub(crate) const fn requirement(&self) -> &VersionReq {
        &self.0
    }
}

impl VersionSet for Accepted {
    type V = Version;
}

impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The reason why a search can't go on.
pub(crate) enum Failure<E> {
    /// The source failed.
    Source {
        /// The package that it was asked about.
        package: String,
        error: E,
    },
    /// No version of a package is accepted, in no range.
    Nothing {
        /// The package and the requirement.
        need: Need,
        /// All versions that exist.
        offers: Vec<Offer>,
    },
}

/// The packages of one search.
pub(crate) struct Provider<'s, S: Source> {
    source: &'s S,
    pub(crate) pool: Pool<Accepted, Name>,
    /// The versions of the packages that were asked for so far, the newest first.
    offers: RefCell<HashMap<String, Vec<Offer>>>,
    /// The versions that the lock has.
    locked: HashMap<Name, Version>,
    /// The needs of the versions that were looked at.
    pub(crate) needs: RefCell<HashMap<SolvableId, Vec<Need>>>,
    /// The version that was the first to need a package. `None` stands for the project itself.
    first: RefCell<HashMap<String, Option<SolvableId>>>,
    failure: RefCell<Option<Failure<S::Error>>>,
}

impl<'s, S: Source> Provider<'s, S> {
    pub(crate) fn new(source: &'s S, locked: &[(String, Version)]) -> Self {
        let name = |(package, version): &(String, Version)| {
            let name = Name { package: package.clone(), range: Range::of(version) };
            (name, version.clone())
        };
        Self {
            source,
            pool: Pool::new(),
            offers: RefCell::default(),
            locked: locked.iter().map(name).collect(),
            needs: RefCell::default(),
            first: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// Returns the reason why the search could not go on.
    pub(crate) fn take_failure(&self) -> Option<Failure<S::Error>> {
        self.failure.take()
    }

    /// Returns the versions through which a package came to be needed, from the project's own need on.
    pub(crate) fn path_to(&self, package: &str) -> Vec<SolvableId> {
        let first = self.first.borrow();
        let mut path: Vec<SolvableId> = Vec::new();
        let mut next = first.get(package).copied().flatten();
        while let Some(id) = next.filter(|id| !path.contains(id)) {
            path.push(id);
            next = first.get(&self.name_of(id).package).copied().flatten();
        }
        path.reverse();
        path
    }

    pub(crate) fn name_of(&self, id: SolvableId) -> &Name {
        self.pool.resolve_package_name(self.pool.resolve_solvable(id).name)
    }

    pub(crate) fn version_of(&self, id: SolvableId) -> &Version {
        &self.pool.resolve_solvable(id).record
    }

    /// Returns the versions of a package that exist, the newest first.
    pub(crate) fn offers(&self, package: &str) -> Option<Vec<Offer>> {
        if let Some(offers) = self.offers.borrow().get(package) {
            return Some(offers.clone());
        }
        match self.source.versions(package) {
            Ok(mut offers) => {
                offers.sort_by(|a, b| b.version.cmp(&a.version));
                self.offers.borrow_mut().insert(package.to_owned(), offers.clone());
                Some(offers)
            }
            Err(error) => {
                self.fail(Failure::Source { package: package.to_owned(), error });
                None
            }
        }
    }

    fn fail(&self, failure: Failure<S::Error>) {
        self.failure.borrow_mut().get_or_insert(failure);
    }

    /// Turns needs into requirements of the solver. `by` is the version that has them; `None` stands for the project.
    /// Returns nothing if the search can't go on.
    pub(crate) fn requirements(
        &self,
        needs: &[Need],
        by: Option<SolvableId>,
    ) -> Option<Vec<Requirement>> {
        needs.iter().map(|need| self.requirement(need, by)).collect()
    }

    fn requirement(&self, need: &Need, by: Option<SolvableId>) -> Option<Requirement> {
        self.first.borrow_mut().entry(need.package.clone()).or_insert(by);
        let offers = self.offers(&need.package)?;
        let accepted = |offer: &&Offer| need.requirement.matches(&offer.version);
        // The offers are sorted, so those of a range are neighbours, and those that are withdrawn count, because the lock
        // may have one of them.
        let mut ranges: Vec<Range> =
            offers.iter().filter(accepted).map(|offer| Range::of(&offer.version)).collect();
        ranges.dedup();
        let mut sets = ranges.into_iter().map(|range| {
            let name = Name { package: need.package.clone(), range };
            let name = self.pool.intern_package_name(name);
            self.pool.intern_version_set(name, Accepted(need.requirement.clone()))
        });
        match (sets.next(), by) {
            (Some(first), _) => {
                let others: Vec<VersionSetId> = sets.collect();
                Some(match others.is_empty() {
                    true => Requirement::Single(first),
                    false => {
                        let others = others.into_iter();
                        Requirement::Union(self.pool.intern_version_set_union(first, others))
                    }
                })
            }
            // No choice of other versions could change what the project itself needs.
            (None, None) => {
                self.fail(Failure::Nothing { need: need.clone(), offers });
                None
            }
            // The version that needs it can't be chosen, but others may do. A name that has no candidates says so.
            (None, Some(_)) => {
                let range = need_range(&need.requirement);
                let name = Name { package: need.package.clone(), range };
                let name = self.pool.intern_package_name(name);
                let accepted = Accepted(need.requirement.clone());
                Some(Requirement::Single(self.pool.intern_version_set(name, accepted)))
            }
        }
    }
}

/// Returns some range for a requirement that no version meets.
fn need_range(requirement: &VersionReq) -> Range {
    let numbers = requirement.comparators.first().map(|comparator| {
        let (minor, patch) = (comparator.minor.unwrap_or(0), comparator.patch.unwrap_or(0));
        Version::new(comparator.major, minor, patch)
    });
    Range::of(&numbers.unwrap_or(Version::new(0, 0, 0)))
}

impl<S: Source> Interner for Provider<'_, S> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl fmt::Display + '_ {
        format!("{} {}", self.name_of(solvable).package, self.version_of(solvable))
    }

    fn display_name(&self, name: NameId) -> impl fmt::Display + '_ {
        &self.pool.resolve_package_name(name).package
    }

    fn display_version_set(&self, version_set: VersionSetId) -> impl fmt::Display + '_ {
        self.pool.resolve_version_set(version_set)
    }

    fn display_string(&self, string: StringId) -> impl fmt::Display + '_ {
        self.pool.resolve_string(string)
    }

    fn version_set_name(&self, version_set: VersionSetId) -> NameId {
        self.pool.resolve_version_set_package_name(version_set)
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        self.pool.resolve_solvable(solvable).name
    }

    fn version_sets_in_union(
        &self,
        union: VersionSetUnionId,
    ) -> impl Iterator<Item = VersionSetId> {
        self.pool.resolve_version_set_union(union)
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        self.pool.resolve_condition(condition).clone()
    }
}

impl<S: Source> DependencyProvider for Provider<'_, S> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        version_set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let Accepted(requirement) = self.pool.resolve_version_set(version_set);
        let fits = |id: &SolvableId| requirement.matches(self.version_of(*id)) != inverse;
        candidates.iter().copied().filter(fits).collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let Name { package, range } = self.pool.resolve_package_name(name);
        let locked = self.locked.get(self.pool.resolve_package_name(name));
        let mut found = Candidates {
            hint_dependencies_available: HintDependenciesAvailable::None,
            ..Candidates::default()
        };
        for offer in self.offers(package)? {
            if Range::of(&offer.version) != *range {
                continue;
            }
            let is_locked = locked == Some(&offer.version);
            if offer.is_withdrawn && !is_locked {
                continue;
            }
            let id = self.pool.intern_solvable(name, offer.version);
            found.candidates.push(id);
            if is_locked {
                found.favored = Some(id);
            }
        }
        Some(found)
    }

    async fn sort_candidates(&self, _solver: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_by(|a, b| self.version_of(*b).cmp(self.version_of(*a)));
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let (name, version) = (self.name_of(solvable), self.version_of(solvable));
        let requirements = match self.source.needs(&name.package, version) {
            Ok(mut needs) => {
                needs.sort();
                let requirements = self.requirements(&needs, Some(solvable));
                self.needs.borrow_mut().insert(solvable, needs);
                requirements
            }
            Err(error) => {
                self.fail(Failure::Source { package: name.package.clone(), error });
                None
            }
        };
        let requirements = requirements.unwrap_or_default().into_iter().map(Into::into).collect();
        Dependencies::Known(KnownDependencies { requirements, constrains: Vec::new() })
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        self.failure.borrow().is_some().then(|| Box::new(()) as Box<dyn Any>)
    }
}
