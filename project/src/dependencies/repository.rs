//! Fetches packages of repositories, with the user's own git.

use rules::dependency::{self, Checkout, Repository};
use rules::manifest::GitReference;
use rules::toolchain::LockedDependency;

use super::admit::{Admitted, admit, kept};
use super::context::Dependencies;
use super::roots::{Origin, Root};
use crate::dependency_error::DependencyError;

/// Fetches the package of a root from its repository: at the commit of the lock, if there is one, or else what its branch or
/// tag is now.
pub(super) fn fetch_root(
    of: &Dependencies<'_>,
    root: &Root<'_>,
    locked: Option<&LockedDependency>,
) -> Result<Admitted, DependencyError> {
    let Origin::Git { url, reference, path } = root.origin else {
        unreachable!("BUG: `{}` comes from no repository", root.name)
    };
    if let Some(locked) = locked
        && let Some((tree, description)) = dependency::known(of.store.content(), &locked.sha256)?
    {
        let (sha256, source) = (locked.sha256.clone(), locked.source.clone());
        return Ok(Admitted { sha256, tree, description, source });
    }
    let source = root.origin.git_source().unwrap_or_default();
    refuse_offline(of, &root.name, &source)?;
    let pinned = locked.and_then(commit_of).map(GitReference::Rev);
    let repository = Repository { url, path };
    let Checkout { commit, blob } = repository.fetch(
        pinned.as_ref().or(reference),
        of.clients,
        of.store.content(),
        &*of.cancelled(),
    )?;
    kept(of).put(&blob)?;
    admit(of, &root.name, None, &format!("{source}#{commit}"), &blob)
}

/// Fetches the blob of a locked package from the repository that the lock names.
pub(super) fn fetch_locked(
    of: &Dependencies<'_>,
    locked: &LockedDependency,
) -> Result<Vec<u8>, DependencyError> {
    refuse_offline(of, &locked.name, &locked.source)?;
    let (source, commit) = locked.source.rsplit_once('#').unwrap_or((&locked.source, ""));
    let source = source.trim_start_matches("git+");
    let (url, query) = source.split_once('?').unwrap_or((source, ""));
    // The path is the last part.
    let path = query.strip_prefix("path=").or_else(|| Some(query.split_once("&path=")?.1));
    let repository = Repository { url, path };
    let reference = GitReference::Rev(commit.to_owned());
    let Checkout { blob, .. } =
        repository.fetch(Some(&reference), of.clients, of.store.content(), &*of.cancelled())?;
    let actual = dependency::sha256(&blob);
    if actual != locked.sha256 {
        return Err(DependencyError::OtherBytes {
            name: locked.name.clone(),
            source_place: locked.source.clone(),
            expected: locked.sha256.clone(),
            actual,
        });
    }
    kept(of).put(&blob)?;
    Ok(blob)
}

fn commit_of(locked: &LockedDependency) -> Option<String> {
    locked.source.rsplit_once('#').map(|(_, commit)| commit.to_owned())
}

fn refuse_offline(of: &Dependencies<'_>, name: &str, source: &str) -> Result<(), DependencyError> {
    if !of.packages.settings().network.offline {
        return Ok(());
    }
    Err(DependencyError::Offline { name: name.to_owned(), source_place: source.to_owned() })
}
