//! The crate archives that the user's Cargo has downloaded: `registry/cache/*/NAME-VERSION.crate` in its
//! home.
//!
//! Cargo checks an archive when it downloads it, and never again. So whoever takes an archive from here has
//! to compare it with a checksum. Cargo's home also holds its configuration, which can name programs to run.
//! In continuous integration the home often lies in the checkout, so that it can be cached. Such a home is
//! therefore only read for archives, and Cargo itself gets another home.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cache::{Digest, DigestFunction};

use crate::bounded;
use crate::package::environment::{Variables, cargo_home};
use crate::path::is_inside;

/// The crate archives of the user's Cargo, and the home in which Cargo downloads more.
pub(crate) struct CrateCache {
    home: PathBuf,
    /// The home of the user's Cargo, if it is not `home`.
    other: Option<PathBuf>,
}

impl CrateCache {
    /// Returns the cache in the user's own home of Cargo, so that archives that Cargo has are not fetched
    /// again. If the user has no home of Cargo, or has it in the checkout, Cargo works in a folder of
    /// `scratch`.
    pub(crate) fn of(variables: &Variables, checkout: &Path, scratch: &Path) -> Self {
        match cargo_home(variables) {
            Some(home) if is_users(&home, variables, checkout) => Self { home, other: None },
            other => Self { home: scratch.join("cargo-home"), other },
        }
    }

    /// Returns the folder that is Cargo's home while it fetches.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// Returns the archive `folder.crate` if its bytes have this SHA-256 (hexadecimal).
    pub(crate) fn find(&self, folder: &str, sha256: &str) -> Option<Vec<u8>> {
        self.candidates(folder).find(|bytes| sha256_of(bytes) == sha256)
    }

    /// Returns the contents of each archive `folder.crate`. There may be one for each registry.
    pub(crate) fn candidates(&self, folder: &str) -> impl Iterator<Item = Vec<u8>> + use<> {
        let name = format!("{folder}.crate");
        let homes = std::iter::once(self.home.clone()).chain(self.other.clone());
        let registries = homes.flat_map(|home| std::fs::read_dir(home.join("registry/cache")));
        let registries = registries.flatten().flatten();
        registries.filter_map(move |entry| {
            bounded::read(&entry.path().join(&name), bounded::LONGEST_PACKAGE).ok()
        })
    }
}

/// Returns true if a home of Cargo is the user's own, and false if it is part of the checkout. How far a
/// checkout reaches is not always known, because it may be an archive that was unpacked. Cargo looks for the
/// configuration of a project in the folders `.cargo` above it. So such a folder counts as part of the
/// checkout, unless it is the one in the user's home folder.
fn is_users(home: &Path, variables: &Variables, checkout: &Path) -> bool {
    let users = variables.get(OsStr::new("HOME")).map(Path::new);
    let above = home.parent().filter(|_| home.ends_with(".cargo"));
    if above.is_some() && above == users {
        return true;
    }
    !is_inside(home, checkout) && !above.is_some_and(|folder| is_inside(checkout, folder))
}

/// Returns the SHA-256 of an archive in hexadecimal.
pub(crate) fn sha256_of(bytes: &[u8]) -> String {
    Digest::of(DigestFunction::Sha256, bytes).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_in_the_checkout_is_read_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let checkout = folder.path().join("checkout");
        let inside = checkout.join(".cargo");
        std::fs::create_dir_all(inside.join("registry/cache/index")).unwrap();
        std::fs::write(inside.join("registry/cache/index/a-1.0.0.crate"), "archive").unwrap();
        std::os::unix::fs::symlink(&inside, folder.path().join("link")).unwrap();
        let check = |home: Option<&Path>, expect: &str, found: usize| {
            let variable = home.map(|home| ("CARGO_HOME".into(), home.into()));
            let variables = variable.into_iter().collect();
            let cache = CrateCache::of(&variables, &checkout, "/scratch".as_ref());
            assert_eq!(cache.home(), Path::new(expect));
            assert_eq!(cache.candidates("a-1.0.0").count(), found, "{home:?}");
        };
        let above = folder.path().join(".cargo");
        std::fs::create_dir_all(above.join("registry/cache/index")).unwrap();
        check(Some(&above), "/scratch/cargo-home", 0);
        // A home above the checkout is the user's if its name is not the one by which Cargo would find it
        // from there.
        let beside = folder.path().join("cargo");
        check(Some(&beside), beside.to_str().unwrap(), 0);
        check(None, "/scratch/cargo-home", 0);
        check(Some("/me/.cargo".as_ref()), "/me/.cargo", 0);
        check(Some(&inside), "/scratch/cargo-home", 1);
        check(Some(&folder.path().join("link")), "/scratch/cargo-home", 1);
    }
}
