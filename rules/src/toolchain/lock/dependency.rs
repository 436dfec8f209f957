//! The locked packages of `[dependencies]` and `[dev_dependencies]`.

use std::collections::BTreeSet;
use std::fmt;

use semver::Version;

use super::Lock;
use crate::wit::PackageKind;

/// A package that the project depends on, directly or not, as the lock pins it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedDependency {
    /// The name of the package, `namespace:name`.
    pub name: String,
    /// The version that was chosen.
    pub version: Version,
    /// The kind of package.
    pub kind: PackageKind,
    /// The place that the package was fetched from: the address of a registry, or `git+URL#COMMIT`.
    pub source: String,
    /// The SHA-256 of the package as one blob, in hexadecimal: of the file that a registry gave, or of the archive that
    /// is made of the WIT files of a repository.
    pub sha256: String,
    /// The packages that it needs, each as `name version`, sorted.
    pub needs: Vec<String>,
}

impl LockedDependency {
    /// Returns how `needs` of other packages name it: `name version`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

/// A difference between the dependencies of two locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyChange {
    /// The name of the package.
    pub name: String,
    /// The version before; none if the package is new.
    pub old: Option<String>,
    /// The version now; none if the package is gone.
    pub new: Option<String>,
}

impl DependencyChange {
    /// Returns all differences, ordered by name.
    #[must_use]
    pub fn between(before: &Lock, after: &Lock) -> Vec<Self> {
        let names: BTreeSet<&str> = [before, after]
            .iter()
            .flat_map(|lock| &lock.dependencies)
            .map(|one| &*one.name)
            .collect();
        names.into_iter().flat_map(|name| Self::of_package(name, before, after)).collect()
    }

    fn of_package(name: &str, before: &Lock, after: &Lock) -> Vec<Self> {
        let only = |one: &Lock, other: &Lock| -> Vec<LockedDependency> {
            let is_new = |locked: &&LockedDependency| !other.dependencies.contains(locked);
            one.dependencies_of(name).filter(is_new).cloned().collect()
        };
        let mut gone = only(before, after).into_iter();
        let mut new = only(after, before).into_iter();
        let mut changes = Vec::new();
        loop {
            let (old, new) = (gone.next(), new.next());
            if old.is_none() && new.is_none() {
                return changes;
            }
            let text = |locked: Option<LockedDependency>, other: &Option<LockedDependency>| {
                let locked = locked?;
                // Two commits of a repository may have the same version.
                let is_alike = other.as_ref().is_some_and(|other| other.version == locked.version);
                let commit = locked.source.rsplit_once('#').map(|(_, commit)| commit);
                Some(match (is_alike, commit) {
                    (true, Some(commit)) => {
                        format!("{} ({})", locked.version, commit.get(..8).unwrap_or(commit))
                    }
                    _ => locked.version.to_string(),
                })
            };
            let (before, after) = (text(old.clone(), &new), text(new, &old));
            changes.push(Self { name: name.to_owned(), old: before, new: after });
        }
    }

    /// Returns the word that says what happened.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "Added",
            (_, None) => "Removed",
            _ => "Updated",
        }
    }
}

impl fmt::Display for DependencyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, old, new } = self;
        match (old, new) {
            (Some(old), Some(new)) => write!(f, "{name} {old} -> {new}"),
            (one, other) => {
                write!(f, "{name} {}", one.as_ref().or(other.as_ref()).map_or("", |text| text))
            }
        }
    }
}

impl Lock {
    /// Returns the locked versions of a package; there is one for each range of compatible versions at most.
    pub fn dependencies_of(&self, name: &str) -> impl Iterator<Item = &LockedDependency> {
        self.dependencies.iter().filter(move |dependency| dependency.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    #[test]
    fn changes_are_told() {
        let before = example();
        let mut after = before.clone();
        assert_eq!(DependencyChange::between(&before, &after), []);
        after.dependencies[0].version = Version::new(1, 3, 0);
        after.dependencies.pop();
        let told: Vec<String> = DependencyChange::between(&before, &after)
            .iter()
            .map(|change| format!("{} {change}", change.verb()))
            .collect();
        assert_eq!(told, ["Updated demo:greet 1.2.0 -> 1.3.0", "Removed demo:types 1.2.0"]);
        // Another commit with the same version.
        let at = |commit: &str| {
            let mut lock = before.clone();
            lock.dependencies[1].source = format!("git+https://example.com/types#{commit}");
            lock
        };
        let changes = DependencyChange::between(&at("0123456789"), &at("abcdefabcdef"));
        assert_eq!(changes[0].to_string(), "demo:types 1.2.0 (01234567) -> 1.2.0 (abcdefab)");
    }

    #[test]
    fn a_need_that_is_not_locked_is_refused() {
        let mut lock = example();
        lock.dependencies.pop();
        let error = Lock::parse(&lock.to_toml(), std::path::Path::new("lock")).unwrap_err();
        let expect = "`demo:greet 1.2.0` needs `demo:types 1.2.0`, which is not locked";
        assert!(error.to_string().ends_with(expect), "{error}");
    }
}
