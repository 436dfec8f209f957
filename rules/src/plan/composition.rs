//! Plans the composition of components with those that they depend on: components of the project, and components in
//! `[dependencies]`.
//!
//! A dependent is compiled against the WIT of what it imports and never against a component. So an edit in the body of a
//! dependency runs its own compiler and the composition, and nothing else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use cache::{Entry, Tree};
use engine::{Action, ActionId, Input, Label, Source};
use sandbox::Cancel;

use super::{Ends, Mocked};
use crate::bounded;
use crate::dependency::{self, NamedIn, Package, PackageKind};
use crate::manifest::{CapabilityKind, Component, Dependencies, DependencySource, Manifest};
use crate::planner::{PlanError, Planner};
use crate::wasm::{Compose, Finish, Finishing, LONGEST, PlannedLink, PlannedPart, can_be_denied};
use crate::wit::{self, PACKAGE_FILE};

/// The finished components of the project, by name.
pub(super) type Finished<'c> = BTreeMap<&'c str, (&'c Component, Ends)>;

/// The components that run.toml names as packages.
#[derive(Default)]
pub(super) struct Packages {
    /// Those of `[dependencies]`.
    all: Vec<NamedPackage>,
    /// Those of `[dev_dependencies]`.
    tests: Vec<NamedPackage>,
}

/// A package that is a component.
#[derive(Clone)]
pub(super) struct NamedPackage {
    /// The name of the package.
    package: String,
    /// Its name in messages.
    name: String,
    file: Source,
    /// The capabilities that run.toml grants to it.
    granted: BTreeSet<CapabilityKind>,
}

/// Tells whether everything that a component depends on, directly or not, is finished.
pub(super) fn is_complete(component: &Component, finished: &Finished<'_>) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![component.name.as_str()]);
    while let Some(name) = next.pop() {
        let Some((component, _)) = finished.get(name) else { return false };
        if seen.insert(name) {
            next.extend(component.dependencies.iter().map(|dependency| dependency.as_str()));
        }
    }
    true
}

/// Adds the action that composes a component with what it depends on. Returns the component's last action: that one, or its
/// finish if it depends on nothing. A component of tests depends on the packages for tests, too.
pub(super) fn compose(
    planner: &mut Planner<'_>,
    component: &Component,
    finished: &Finished<'_>,
    packages: &Packages,
) -> Result<ActionId, PlanError> {
    let tests = packages.tests.iter().filter(|_| *component.test);
    let packages: Vec<&NamedPackage> = packages.all.iter().chain(tests).collect();
    compose_as("compose".to_owned(), planner, component, finished, &packages)
}

/// Adds the action that composes a component with what it depends on and with packages for tests.
pub(super) fn mock(
    planner: &mut Planner<'_>,
    component: &Component,
    finished: &Finished<'_>,
    packages: &Packages,
    mocked: &Mocked,
) -> Result<ActionId, PlanError> {
    let names: Vec<&str> = mocked.packages.iter().map(String::as_str).collect();
    for name in &names {
        if !packages.tests.iter().any(|package| package.package == *name) {
            return Err(PlanError::NoComponent((*name).to_owned()));
        }
    }
    let tests = packages.tests.iter().filter(|package| names.contains(&&*package.package));
    let packages: Vec<&NamedPackage> = packages.all.iter().chain(tests).collect();
    let step = format!("compose with {}", names.join(" "));
    compose_as(step, planner, component, finished, &packages)
}

fn compose_as(
    step: String,
    planner: &mut Planner<'_>,
    component: &Component,
    finished: &Finished<'_>,
    packages: &[&NamedPackage],
) -> Result<ActionId, PlanError> {
    let (_, ends) = &finished[component.name.as_str()];
    if component.dependencies.is_empty() && packages.is_empty() {
        return Ok(ends.finish);
    }
    let label = Label::new(component.name.as_str(), step);
    let (mut parts, mut sources, mut granted) = (Vec::new(), Vec::new(), Vec::new());
    // The component itself comes first.
    let (mut seen, mut next) = (BTreeSet::new(), VecDeque::from([component.name.as_str()]));
    while let Some(name) = next.pop_front() {
        let Some((one, ends)) = finished.get(name).filter(|_| seen.insert(name)) else { continue };
        let own = one.dependencies.iter().map(|dependency| PlannedLink {
            name: dependency.to_string(),
            may_be_unused: ends.has_world,
        });
        let others = packages
            .iter()
            .map(|package| PlannedLink { name: package.name.clone(), may_be_unused: true });
        parts.push(part(name, own.chain(others).collect()));
        granted.push(one.capabilities.iter().map(|capability| capability.value.kind()).collect());
        sources.push(Source::output(ends.finish, Finish::OUTPUT));
        next.extend(one.dependencies.iter().map(|dependency| dependency.as_str()));
    }
    for NamedPackage { name, file, granted: kinds, .. } in packages {
        let others = packages.iter().filter(|other| other.name != *name);
        let others =
            others.map(|other| PlannedLink { name: other.name.clone(), may_be_unused: true });
        parts.push(part(name, others.collect()));
        granted.push(kinds.clone());
        sources.push(file.clone());
    }
    deny(&mut parts, &granted);
    let finishing: Finishing = ends.finishing.clone();
    let wit = ends.folder;
    let compose = Compose { parts, finishing, limits: planner.worker_limits() };
    let mut action = Action::builtin(label, compose);
    for (index, source) in sources.into_iter().enumerate() {
        action = action.input(Input::new(Compose::input(index), source));
    }
    if let Some(wit) = wit {
        action = action.input(Input::new("wit", Source::Tree(wit)));
    }
    planner.add(action.output(Compose::OUTPUT))
}

fn part(name: &str, dependencies: Vec<PlannedLink>) -> PlannedPart {
    PlannedPart { name: name.to_owned(), dependencies, denied: Vec::new() }
}

/// Denies each part what others have and it has not. `granted` are the capabilities of each part.
///
/// What no part has needs not be denied here: the host denies it to the whole, and says so.
fn deny(parts: &mut [PlannedPart], granted: &[BTreeSet<CapabilityKind>]) {
    let all: BTreeSet<CapabilityKind> = granted.iter().flatten().copied().collect();
    for (part, own) in parts.iter_mut().zip(granted) {
        let denied = all.difference(own).map(|kind| kind.as_str());
        part.denied = denied.filter(|word| can_be_denied(word)).map(str::to_owned).collect();
    }
}

/// Returns the components that run.toml names as packages: those of registries and repositories, and files.
pub(super) fn packages(planner: &Planner<'_>) -> Result<Packages, PlanError> {
    let mut found = Packages::default();
    let Manifest { dependencies, dev_dependencies, .. } = planner.manifest();
    for package in &planner.packages().0 {
        let Package { name, version, kind: PackageKind::Component, tree, .. } = package else {
            continue;
        };
        let (section, shelf) = match package.named_in {
            Some(NamedIn::Dependencies) => (dependencies, &mut found.all),
            Some(NamedIn::DevDependencies) => (dev_dependencies, &mut found.tests),
            None => continue,
        };
        if let Some(file) = file_of(&planner.store().tree(tree)?) {
            shelf.push(NamedPackage {
                package: name.clone(),
                name: format!("{name} {version}"),
                file,
                granted: granted(section, name),
            });
        }
    }
    for (section, shelf) in [(dependencies, &mut found.all), (dev_dependencies, &mut found.tests)] {
        for (name, dependency) in section {
            let DependencySource::Path { path } = &dependency.source else { continue };
            if path.as_str().ends_with(".wasm")
                && let Some(file) = component_at(planner, &path.from(planner.project()))?
            {
                let name = name.to_string();
                let granted = granted(section, &name);
                shelf.push(NamedPackage { package: name.clone(), name, file, granted });
            }
        }
    }
    Ok(found)
}

/// Returns the capabilities of a package of a section.
fn granted(section: &Dependencies, package: &str) -> BTreeSet<CapabilityKind> {
    let named = section.iter().filter(|(name, _)| name.to_string() == package);
    let all = named.flat_map(|(_, dependency)| &dependency.capabilities);
    all.map(|capability| capability.value.kind()).collect()
}

/// Returns the component in a file outside of run.toml's own components; `None` if it is a WIT package.
fn component_at(planner: &Planner<'_>, path: &Path) -> Result<Option<Source>, PlanError> {
    let store = planner.store();
    let bytes = bounded::read(path, LONGEST)
        .map_err(|source| wit::SourceError::Read { path: path.to_owned(), source })?;
    let sha256 = dependency::sha256(&bytes);
    let (tree, description) = dependency::admit(store, &sha256, &bytes, &Cancel::new())?;
    if description.kind == PackageKind::Wit {
        return Ok(None);
    }
    Ok(file_of(&store.tree(&tree)?))
}

/// Returns the file that a package of a registry is.
fn file_of(tree: &Option<Tree>) -> Option<Source> {
    match tree.as_ref()?.get(PACKAGE_FILE)? {
        Entry::File { digest, .. } => Some(Source::File { digest: *digest, executable: false }),
        _ => None,
    }
}
