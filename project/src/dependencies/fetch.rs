//! Fetches what the lock pins, and takes it into the store.

use cache::Digest;
use registry::Sha256;
use rules::dependency::{self, Package, PackageKind};
use rules::toolchain::LockedDependency;
use semver::Version;

use super::admit::{Admitted, admit, check, id, kept};
use super::at_once::at_once;
use super::context::Dependencies;
use super::repository;
use super::roots::is_of_repository;
use crate::dependency_error::DependencyError;

/// A locked package, its tree in the store, and what it is.
type Present<'l> = (&'l LockedDependency, Digest, PackageKind);

/// Returns locked packages. One is fetched only if neither the store nor `.run/cache` has it; those of registries all at once, and those of
/// repositories one after the other, because they may be of the same repository.
pub(super) fn fetch<'l>(
    of: &Dependencies<'_>,
    needed: &[&'l LockedDependency],
) -> Result<Vec<Present<'l>>, DependencyError> {
    let mut present = Vec::with_capacity(needed.len());
    for locked in needed {
        present.push(known(of, locked)?);
    }
    let missing = needed.iter().zip(&present).filter(|(_, present)| present.is_none());
    let (repositories, registries): (Vec<&LockedDependency>, Vec<_>) =
        missing.map(|(locked, _)| *locked).partition(|locked| is_of_repository(locked));
    let mut fetched = at_once(&registries, |locked| fetch_missing(of, locked)).into_iter();
    let mut of_repositories = repositories.iter().map(|locked| fetch_missing(of, locked));
    let all = needed.iter().zip(present).map(|(locked, present)| {
        let mut next = || match is_of_repository(locked) {
            true => of_repositories.next(),
            false => fetched.next(),
        };
        let known = present.map_or_else(|| next().expect("it is missing"), Ok);
        known.map(|(tree, kind)| (*locked, tree, kind))
    });
    all.collect()
}

/// Returns a locked package if the store has it.
fn known(
    of: &Dependencies<'_>,
    locked: &LockedDependency,
) -> Result<Option<(Digest, PackageKind)>, DependencyError> {
    let LockedDependency { name, version, source, sha256, .. } = locked;
    let Some((tree, description)) = dependency::known(of.store.content(), sha256)? else {
        return Ok(None);
    };
    check(name, Some(version), source, &description)?;
    Ok(Some((tree, description.kind)))
}

fn fetch_missing(
    of: &Dependencies<'_>,
    locked: &LockedDependency,
) -> Result<(Digest, PackageKind), DependencyError> {
    if of.cancel.is_cancelled() {
        return Err(DependencyError::Cancelled);
    }
    let LockedDependency { name, version, source, sha256, .. } = locked;
    let digest: Sha256 = sha256.parse().expect("the lock was checked when it was read");
    let bytes = match is_of_repository(locked) {
        false => of.packages.fetch(&id(name)?, version, Some(digest))?.bytes,
        true => match kept(of).get(digest)? {
            Some(bytes) => bytes,
            None => repository::fetch_locked(of, locked)?,
        },
    };
    let admitted = admit(of, name, Some(version), source, &bytes)?;
    Ok((admitted.tree, admitted.description.kind))
}

/// Sees to it that `.run/cache` has a package, also if it came from the store.
pub(super) fn keep(
    of: &Dependencies<'_>,
    locked: &LockedDependency,
    package: &Package,
) -> Result<(), DependencyError> {
    let digest: Sha256 = locked.sha256.parse().expect("the lock was checked when it was read");
    if kept(of).get(digest)?.is_none()
        && let Some(blob) = dependency::blob(of.store.content(), &package.tree)?
    {
        kept(of).put(&blob)?;
    }
    Ok(())
}

/// Fetches a version of a package from its registry.
pub(super) fn fetch_version(
    of: &Dependencies<'_>,
    name: &str,
    version: &Version,
    expected: Option<&str>,
) -> Result<Admitted, DependencyError> {
    let expected = expected.and_then(|sha256| sha256.parse().ok());
    let fetched = of.packages.fetch(&id(name)?, version, expected)?;
    admit(of, name, Some(version), &fetched.source, &fetched.bytes)
}
