//! Chooses versions: tells the resolver what registries have and what packages need.

use std::cell::RefCell;
use std::collections::BTreeMap;

use resolver::{Chosen, Need, Offer, Range, Source};
use rules::toolchain::{Lock, LockedDependency};
use rules::wit;
use semver::{Comparator, Op, Version, VersionReq};

use super::admit::{Admitted, id};
use super::at_once::at_once;
use super::context::{Dependencies, Release};
use super::fetch::fetch_version;
use super::repository;
use super::roots::{Origin, Roots, is_of_repository};
use crate::dependency_error::DependencyError;

/// Chooses versions for all roots, and returns them as the lock has them.
pub(super) fn choose(
    of: &Dependencies<'_>,
    roots: &Roots<'_>,
    lock: &Lock,
    release: &Release,
) -> Result<Vec<LockedDependency>, DependencyError> {
    let stays = |locked: &&LockedDependency| match release {
        Release::Nothing => true,
        Release::Named(names) => !names.contains(&locked.name),
        Release::Everything => false,
    };
    let mut world = World {
        of,
        roots,
        lock,
        fixed: BTreeMap::new(),
        offered: RefCell::default(),
        seen: RefCell::default(),
    };
    let mut needs = Vec::new();
    for root in &roots.all {
        let requirement = match root.origin {
            Origin::Registry(requirement) => requirement.clone(),
            Origin::Git { .. } => {
                let locked = root.locked(lock).filter(stays);
                let admitted = repository::fetch_root(of, root, locked)?;
                let version = admitted.description.version.as_deref();
                let version = version.and_then(|version| version.parse().ok());
                let version = version.unwrap_or(Version::new(0, 0, 0));
                let exact = VersionReq::parse(&format!("={version}")).unwrap_or(VersionReq::STAR);
                world.fixed.insert(root.name.clone(), (version, admitted));
                exact
            }
        };
        needs.push(Need { package: root.name.clone(), requirement });
    }
    world.ask_ahead(&needs);
    // What comes from a repository has the one version of its commit, and says nothing of a registry's version.
    let locked = lock.dependencies.iter().filter(stays);
    let locked = locked.filter(|locked| !is_of_repository(locked));
    let locked: Vec<(String, Version)> =
        locked.map(|locked| (locked.name.clone(), locked.version.clone())).collect();
    let resolution =
        resolver::resolve(&world, &needs, &locked).map_err(DependencyError::Resolve)?;
    let entries = resolution.packages.into_iter().map(|((name, _), chosen)| {
        let Chosen { version, needs } = chosen;
        let admitted = world.package(&name, &version)?;
        let needs = needs.into_iter().map(|(name, version)| format!("{name} {version}"));
        Ok(LockedDependency {
            kind: admitted.description.kind,
            source: admitted.source,
            sha256: admitted.sha256,
            needs: needs.collect(),
            name,
            version,
        })
    });
    let mut entries = entries.collect::<Result<Vec<_>, DependencyError>>()?;
    entries.sort();
    Ok(entries)
}

/// Everything that versions are chosen from.
struct World<'a, 'd> {
    of: &'a Dependencies<'d>,
    roots: &'a Roots<'a>,
    lock: &'a Lock,
    /// The packages of repositories. Each has the one version that its commit has.
    fixed: BTreeMap<String, (Version, Admitted)>,
    /// The versions of the packages that registries were asked about.
    offered: RefCell<BTreeMap<String, Vec<Offer>>>,
    /// The packages that were looked at.
    seen: RefCell<BTreeMap<(String, Version), Admitted>>,
}

impl World<'_, '_> {
    fn package(&self, name: &str, version: &Version) -> Result<Admitted, DependencyError> {
        if let Some((_, admitted)) = self.fixed.get(name) {
            return Ok(admitted.clone());
        }
        let key = (name.to_owned(), version.clone());
        if let Some(admitted) = self.seen.borrow().get(&key) {
            return Ok(admitted.clone());
        }
        // A version whose digest is locked has to be the same still.
        let mut locked = self.lock.dependencies_of(name);
        let is_it =
            |locked: &&LockedDependency| locked.version == *version && !is_of_repository(locked);
        let locked = locked.find(is_it);
        let expected = locked.map(|locked| locked.sha256.as_str());
        let admitted = fetch_version(self.of, name, version, expected)?;
        self.seen.borrow_mut().insert(key, admitted.clone());
        Ok(admitted)
    }

    fn offers(&self, name: &str) -> Result<Vec<Offer>, DependencyError> {
        if let Some((version, _)) = self.fixed.get(name) {
            return Ok(vec![Offer { version: version.clone(), is_withdrawn: false }]);
        }
        if let Some(offers) = self.offered.borrow().get(name) {
            return Ok(offers.clone());
        }
        let offers = ask(self.of, name)?;
        self.offered.borrow_mut().insert(name.to_owned(), offers.clone());
        Ok(offers)
    }

    /// Returns what a reference of a package to another one needs; nothing if the other one is built in, is a folder of the
    /// project, or can't be had. In the last case the package brings along what it uses of it, or the completion of the WIT
    /// will miss it and say where.
    fn need(&self, reference: &str) -> Result<Option<Need>, DependencyError> {
        let Some((name, version)) = self.wanted(reference) else { return Ok(None) };
        let offers = match self.offers(name) {
            Ok(offers) => offers,
            Err(DependencyError::Registry(error)) if error.is_absence() => {
                self.offered.borrow_mut().insert(name.to_owned(), Vec::new());
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let requirement = compatible(&version);
        let is_there = offers.iter().any(|offer| {
            requirement.matches(&offer.version) && Range::of(&offer.version) == Range::of(&version)
        });
        Ok(is_there.then(|| Need { package: name.to_owned(), requirement }))
    }
}

impl<'d> World<'_, 'd> {
    /// Returns the package and the version that a reference names, if registries are asked for it.
    fn wanted<'r>(&self, reference: &'r str) -> Option<(&'r str, Version)> {
        let (name, version) = reference.split_once('@')?;
        let ((namespace, short), version) = (name.split_once(':')?, version.parse().ok()?);
        let is_elsewhere = self.roots.local.contains(name)
            || id(name).is_err()
            || wit::built_in_version(namespace, short, &version).is_some();
        (!is_elsewhere).then_some((name, version))
    }

    /// Asks registries at once what the resolver would ask them one after the other: which versions there are, and what the one needs
    /// that will probably be chosen. A failure is left to the resolver, which may not ask at all.
    fn ask_ahead(&self, needs: &[Need]) {
        let is_new = |need: &&Need| {
            !self.fixed.contains_key(&need.package)
                && !self.offered.borrow().contains_key(&need.package)
        };
        let new: Vec<&Need> = needs.iter().filter(is_new).collect();
        if new.len() < 2 {
            return;
        }
        let (of, lock): (&Dependencies<'d>, &Lock) = (self.of, self.lock);
        let look = |need: &&Need| {
            let offers = ask(of, &need.package).ok()?;
            let locked = lock.dependencies_of(&need.package);
            let mut locked = locked.filter(|locked| !is_of_repository(locked));
            let locked = locked.find(|locked| need.requirement.matches(&locked.version));
            let fits =
                |offer: &&Offer| !offer.is_withdrawn && need.requirement.matches(&offer.version);
            let newest = offers.iter().filter(fits).map(|offer| &offer.version).max();
            let version = locked.map(|locked| &locked.version).or(newest)?.clone();
            let expected = locked.map(|locked| locked.sha256.as_str());
            let admitted = fetch_version(of, &need.package, &version, expected).ok();
            Some((offers, version, admitted))
        };
        for (need, found) in new.iter().zip(at_once(&new, look)) {
            let Some((offers, version, admitted)) = found else { continue };
            self.offered.borrow_mut().insert(need.package.clone(), offers);
            if let Some(admitted) = admitted {
                self.seen.borrow_mut().insert((need.package.clone(), version), admitted);
            }
        }
    }
}

/// Asks a registry for the versions of a package.
fn ask(of: &Dependencies<'_>, name: &str) -> Result<Vec<Offer>, DependencyError> {
    let releases = of.packages.versions(&id(name)?)?;
    let offer = |release: registry::Release| Offer {
        version: release.version,
        is_withdrawn: release.yanked,
    };
    Ok(releases.into_iter().map(offer).collect())
}

/// Returns the versions that are compatible with one.
fn compatible(version: &Version) -> VersionReq {
    let Version { major, minor, patch, ref pre, build: _ } = *version;
    let (minor, patch, pre) = (Some(minor), Some(patch), pre.clone());
    VersionReq { comparators: vec![Comparator { op: Op::Caret, major, minor, patch, pre }] }
}

impl Source for World<'_, '_> {
    type Error = Box<DependencyError>;

    fn versions(&self, package: &str) -> Result<Vec<Offer>, Self::Error> {
        self.offers(package).map_err(Box::new)
    }

    fn needs(&self, package: &str, version: &Version) -> Result<Vec<Need>, Self::Error> {
        let admitted = self.package(package, version)?;
        let references = &admitted.description.refers_to;
        let wanted = references.iter().filter_map(|reference| self.wanted(reference));
        let ahead = wanted.map(|(name, version)| Need {
            package: name.to_owned(),
            requirement: compatible(&version),
        });
        self.ask_ahead(&ahead.collect::<Vec<_>>());
        let mut needs = Vec::new();
        for reference in references {
            needs.extend(self.need(reference)?);
        }
        Ok(needs)
    }
}
