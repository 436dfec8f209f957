//! Gives the packages of `[dependencies]`: chooses versions, locks them, fetches them and takes them into the store.
//!
//! A build uses the versions that the lock has. It chooses others only if the lock does not serve what run.toml asks for,
//! and asks nobody if the store or `.run/cache` has everything. Packages that are built in (`wasi:*`) and folders
//! (`{ path = … }`) are not locked: the first belong to this program, the others to the sources.

mod admit;
mod at_once;
mod choose;
mod context;
mod copies;
mod fetch;
mod repository;
mod roots;

use std::collections::BTreeSet;

use rules::dependency::{Package, Packages};
use rules::toolchain::{DependencyChange, Lock, LockedDependency};

pub use context::{Dependencies, Release, Scope};
use roots::Roots;

use crate::dependency_error::DependencyError;
use crate::{Error, LockPolicy, Project};

impl Dependencies<'_> {
    /// Tells whether a build needs packages of registries or repositories, or the lock has any.
    #[must_use]
    pub fn has_any(project: &Project, lock: &Lock, scope: Scope) -> bool {
        let roots = match scope {
            Scope::Build => Roots::for_build(&project.manifest, lock),
            Scope::Tests => Roots::of(&project.manifest),
        };
        !roots.is_empty() || !lock.dependencies.is_empty()
    }

    /// Returns the lock if it has the packages that a build needs. Otherwise they are chosen, if the policy allows that; the
    /// caller writes the lock.
    ///
    /// # Errors
    /// [`Error::Dependencies`].
    pub fn lock_for_build(&self, lock: &Lock, policy: LockPolicy) -> Result<Lock, Error> {
        self.lock_for(&Roots::for_build(&self.project.manifest, lock), lock, policy)
    }

    /// Does the same for everything that run.toml names, also what only tests need.
    ///
    /// # Errors
    /// [`Error::Dependencies`].
    pub fn lock_all(&self, lock: &Lock, policy: LockPolicy) -> Result<Lock, Error> {
        self.lock_for(&Roots::of(&self.project.manifest), lock, policy)
    }

    fn lock_for(&self, roots: &Roots<'_>, lock: &Lock, policy: LockPolicy) -> Result<Lock, Error> {
        if roots.serve(lock) {
            return Ok(lock.clone());
        }
        let wanted = self.resolve(roots, lock, &Release::Nothing)?;
        match policy {
            LockPolicy::Complete => Ok(wanted),
            LockPolicy::Keep => {
                let changes = DependencyChange::between(lock, &wanted);
                Err(DependencyError::Drift { changes }.into())
            }
        }
    }

    /// Fetches the locked packages that are needed, as far as they are not kept, and returns them.
    ///
    /// # Errors
    /// [`Error::Dependencies`].
    pub fn fetch(&self, lock: &Lock, scope: Scope) -> Result<Packages, Error> {
        let with_tests = scope == Scope::Tests;
        self.fetch_these(&Roots::of(&self.project.manifest).needed(lock, with_tests), lock)
    }

    /// Chooses versions anew, where `release` allows it, and returns the lock with them.
    ///
    /// # Errors
    /// [`Error::Dependencies`].
    pub fn update(&self, lock: &Lock, release: &Release) -> Result<Lock, Error> {
        if let Release::Named(names) = release {
            let known: BTreeSet<&str> =
                lock.dependencies.iter().map(|dependency| dependency.name.as_str()).collect();
            if let Some(name) = names.iter().find(|name| !known.contains(name.as_str())) {
                let known = known.into_iter().map(ToOwned::to_owned).collect();
                return Err(DependencyError::NotLocked { name: name.clone(), known }.into());
            }
        }
        self.resolve(&Roots::of(&self.project.manifest), lock, release)
    }

    /// Fetches everything that the lock has, also what only tests need, and returns it.
    ///
    /// # Errors
    /// [`Error::Dependencies`].
    pub fn fetch_all(&self, lock: &Lock) -> Result<Packages, Error> {
        let roots = Roots::of(&self.project.manifest);
        let needed = roots.needed(lock, true);
        let packages = self.fetch_these(&needed, lock)?;
        for (locked, package) in needed.iter().zip(&packages.0) {
            fetch::keep(self, locked, package)?;
        }
        Ok(packages)
    }

    fn resolve(&self, roots: &Roots<'_>, lock: &Lock, release: &Release) -> Result<Lock, Error> {
        let dependencies = choose::choose(self, roots, lock, release)?;
        Ok(Lock { dependencies, ..lock.clone() })
    }

    fn fetch_these(&self, needed: &[&LockedDependency], lock: &Lock) -> Result<Packages, Error> {
        let roots = Roots::of(&self.project.manifest);
        let sections = roots.sections();
        let for_builds: BTreeSet<_> = roots.needed(lock, false).into_iter().collect();
        let mut packages = Vec::new();
        for (locked, tree, kind) in fetch::fetch(self, needed)? {
            packages.push(Package {
                name: locked.name.clone(),
                version: locked.version.clone(),
                kind,
                tree,
                named_in: sections.get(locked.name.as_str()).copied(),
                is_for_tests: !for_builds.contains(&locked),
            });
        }
        Ok(Packages(packages))
    }
}
