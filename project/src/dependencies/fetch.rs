//! Fetches what the lock pins, and takes it into the store.

use cache::Digest;
use registry::Sha256;
use rules::dependency::{self, NamedIn, Package, PackageKind};
use rules::toolchain::LockedDependency;
use semver::Version;

use super::admit::{Admitted, admit, check, id, kept};
use super::context::Dependencies;
use super::repository;
use super::roots::is_of_repository;
use crate::dependency_error::DependencyError;

/// Returns a locked package. It is fetched only if neither the store nor `.run/cache` has it.
pub(super) fn fetch(
    of: &Dependencies<'_>,
    locked: &LockedDependency,
    (named_in, is_for_tests): (Option<NamedIn>, bool),
) -> Result<Package, DependencyError> {
    let LockedDependency { name, version, source, sha256, .. } = locked;
    let package = |tree: Digest, kind: PackageKind| Package {
        name: name.clone(),
        version: version.clone(),
        kind,
        tree,
        named_in,
        is_for_tests,
    };
    if let Some((tree, description)) = dependency::known(of.store.content(), sha256)? {
        check(name, Some(version), source, &description)?;
        return Ok(package(tree, description.kind));
    }
    let digest: Sha256 = sha256.parse().expect("the lock was checked when it was read");
    let bytes = match is_of_repository(locked) {
        false => of.packages.fetch(&id(name)?, version, Some(digest))?.bytes,
        true => match kept(of).get(digest)? {
            Some(bytes) => bytes,
            None => repository::fetch_locked(of, locked)?,
        },
    };
    let admitted = admit(of, name, Some(version), source, &bytes)?;
    Ok(package(admitted.tree, admitted.description.kind))
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
