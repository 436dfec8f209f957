//! Takes packages into the store, and checks that they are those that were asked for.

use cache::Digest;
use registry::{Kept, PackageId};
use rules::dependency::{self, Description};
use semver::Version;

use super::context::Dependencies;
use crate::dependency_error::DependencyError;

/// A package in the store, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) sha256: String,
    pub(super) tree: Digest,
    pub(super) description: Description,
    /// The place that it came from.
    pub(super) source: String,
}

/// Takes a package into the store, and checks that it is the one that was asked for.
pub(super) fn admit(
    of: &Dependencies<'_>,
    name: &str,
    version: Option<&Version>,
    source: &str,
    bytes: &[u8],
) -> Result<Admitted, DependencyError> {
    let sha256 = dependency::sha256(bytes);
    let admitted = dependency::admit(of.store.content(), &sha256, bytes, &of.cancel);
    let (tree, description) = admitted.map_err(|reason| DependencyError::Unusable {
        name: name.to_owned(),
        version: version.cloned(),
        source_place: source.to_owned(),
        reason: Box::new(reason),
    })?;
    check(name, version, source, &description)?;
    Ok(Admitted { sha256, tree, description, source: source.to_owned() })
}

/// Checks that a WIT package has the name and the version by which it was asked for. A component has neither.
pub(super) fn check(
    name: &str,
    version: Option<&Version>,
    source: &str,
    description: &Description,
) -> Result<(), DependencyError> {
    let found = match (&description.name, &description.version) {
        (Some(found), _) if found != name => found.clone(),
        (Some(found), Some(says)) if version.is_some_and(|wanted| wanted.to_string() != *says) => {
            format!("{found}@{says}")
        }
        _ => return Ok(()),
    };
    Err(DependencyError::OtherName {
        name: name.to_owned(),
        version: version.cloned(),
        source_place: source.to_owned(),
        found,
    })
}

/// Returns the folder of kept downloads.
pub(super) fn kept(of: &Dependencies<'_>) -> Kept {
    Kept::new(of.project.downloads())
}

/// Returns the name of a package as registries have it. They accept a little less than WIT does.
pub(super) fn id(name: &str) -> Result<PackageId, DependencyError> {
    Ok(name.parse()?)
}
