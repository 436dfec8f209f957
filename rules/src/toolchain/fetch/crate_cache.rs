//! The crate archives that the user's Cargo has downloaded: `registry/cache/*/NAME-VERSION.crate`
//! in its home.
//!
//! Cargo checks an archive when it downloads it, and never again; so whoever takes one from here
//! holds it against a checksum. Cargo's home also holds its configuration, which can name programs. A home
//! that lies in the checkout, as continuous integration often has it for the sake of its cache, is therefore
//! read for archives only, and Cargo itself gets another home.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use cache::{Digest, DigestFunction};

use crate::bounded;
use crate::environment::{Variables, cargo_home};
use crate::path::is_inside;

/// Crate archives that Cargo downloaded, or will.
pub(crate) struct CrateCache {
    home: PathBuf,
    /// The user's home of Cargo, where that is not `home`.
    other: Option<PathBuf>,
}

impl CrateCache {
    /// The user's own, so that what Cargo has is not fetched twice. Cargo works in a folder of `scratch` if
    /// the user has no home of Cargo, or has it in the checkout.
    pub(crate) fn of(variables: &Variables, checkout: &Path, scratch: &Path) -> Self {
        match cargo_home(variables) {
            Some(home) if is_users(&home, variables, checkout) => Self { home, other: None },
            other => Self { home: scratch.join("cargo-home"), other },
        }
    }

    /// Cargo's home while it fetches.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// The archive `folder.crate`, if it has the bytes of this SHA-256 (hexadecimal).
    pub(crate) fn find(&self, folder: &str, sha256: &str) -> Option<Vec<u8>> {
        self.candidates(folder).find(|bytes| sha256_of(bytes) == sha256)
    }

    /// Every archive `folder.crate`: each registry has its own.
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

/// Tells a home of Cargo that is the user's from one that is part of the checkout. How far a checkout reaches can't
/// always be told, as it may be an archive that was unpacked. So a folder `.cargo` above the project, in which Cargo looks
/// for the configuration of what lies below, is taken for part of the checkout, unless it is that of the user's
/// home.
fn is_users(home: &Path, variables: &Variables, checkout: &Path) -> bool {
    let users = variables.get(OsStr::new("HOME")).map(Path::new);
    let above = home.parent().filter(|_| home.ends_with(".cargo"));
    if above.is_some() && above == users {
        return true;
    }
    !is_inside(home, checkout) && !above.is_some_and(|folder| is_inside(checkout, folder))
}

/// The SHA-256 of an archive, hexadecimal.
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
        // Where it has no name by which Cargo would find it from the checkout.
        let beside = folder.path().join("cargo");
        check(Some(&beside), beside.to_str().unwrap(), 0);
        check(None, "/scratch/cargo-home", 0);
        check(Some("/me/.cargo".as_ref()), "/me/.cargo", 0);
        check(Some(&inside), "/scratch/cargo-home", 1);
        check(Some(&folder.path().join("link")), "/scratch/cargo-home", 1);
    }
}
