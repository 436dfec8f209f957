//! Reads from run.toml which packages have to be locked, and follows what they need through the lock.

use std::collections::{BTreeMap, BTreeSet};

use rules::dependency::NamedIn;
use rules::manifest::{Dependency, DependencySource, GitReference, Manifest, PackageName};
use rules::toolchain::{Lock, LockedDependency};
use rules::wit;
use semver::VersionReq;

/// The packages that run.toml names.
#[derive(Debug)]
pub(super) struct Roots<'m> {
    pub(super) all: Vec<Root<'m>>,
    /// The names of packages that are folders. Nothing else stands in for them.
    pub(super) local: BTreeSet<String>,
}

/// A package that run.toml names and that has to be locked.
#[derive(Debug)]
pub(super) struct Root<'m> {
    pub(super) name: String,
    pub(super) origin: Origin<'m>,
    /// True if it stands in `[dev_dependencies]`.
    pub(super) is_for_tests: bool,
}

/// The place that a package comes from.
#[derive(Debug)]
pub(super) enum Origin<'m> {
    Registry(&'m VersionReq),
    Git { url: &'m str, reference: Option<&'m GitReference>, path: Option<&'m str> },
}

impl<'m> Roots<'m> {
    pub(super) fn of(manifest: &'m Manifest) -> Self {
        let mut roots = Self { all: Vec::new(), local: BTreeSet::new() };
        let sections = [(&manifest.dependencies, false), (&manifest.dev_dependencies, true)];
        for (section, is_for_tests) in sections {
            for (name, dependency) in section {
                roots.add(name, dependency, is_for_tests);
            }
        }
        roots
    }

    /// Returns the packages that a build needs locked. Packages for tests are left out, unless the lock has them: a build must
    /// not fail because nobody can be asked for them.
    pub(super) fn for_build(manifest: &'m Manifest, lock: &Lock) -> Self {
        let mut roots = Self::of(manifest);
        roots.all.retain(|root| !root.is_for_tests || root.locked(lock).is_some());
        roots
    }

    fn add(&mut self, name: &PackageName, dependency: &'m Dependency, is_for_tests: bool) {
        let origin = match &dependency.source {
            DependencySource::Path { .. } => {
                self.local.insert(name.to_string());
                return;
            }
            DependencySource::Registry { version } => {
                let (namespace, short) = (name.namespace(), name.name());
                let built_in = wit::built_in_versions(namespace, short);
                let base = version.base();
                if built_in.iter().any(|built_in| version.matches(built_in))
                    || base.is_some_and(|base| {
                        wit::built_in_version(namespace, short, &base).is_some()
                    })
                {
                    return;
                }
                Origin::Registry(version.as_req())
            }
            DependencySource::Git { url, reference, path } => Origin::Git {
                url: url.as_str(),
                reference: reference.as_ref().map(|reference| &reference.value),
                path: path.as_ref().map(|path| path.value.as_str()),
            },
        };
        self.all.push(Root { name: name.to_string(), origin, is_for_tests });
    }

    /// Returns true if there is nothing to lock.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the packages by their names, each with the section that names it.
    pub(super) fn sections(&self) -> BTreeMap<&str, NamedIn> {
        let section = |root: &Root<'_>| match root.is_for_tests {
            true => NamedIn::DevDependencies,
            false => NamedIn::Dependencies,
        };
        // Packages for tests come last, so `[dependencies]` goes before.
        self.all.iter().rev().map(|root| (root.name.as_str(), section(root))).collect()
    }

    /// Tells whether the lock has what run.toml asks for and nothing else.
    pub(super) fn serve(&self, lock: &Lock) -> bool {
        self.all.iter().all(|root| root.locked(lock).is_some())
            && self.needed(lock, true).len() == lock.dependencies.len()
    }

    /// Returns everything in the lock that the packages need, directly or not, in the order of the lock.
    pub(super) fn needed<'l>(&self, lock: &'l Lock, with_tests: bool) -> Vec<&'l LockedDependency> {
        let roots = self.all.iter().filter(|root| with_tests || !root.is_for_tests);
        let mut next: Vec<&LockedDependency> = roots.filter_map(|root| root.locked(lock)).collect();
        let by_id: BTreeMap<String, &LockedDependency> =
            lock.dependencies.iter().map(|locked| (locked.id(), locked)).collect();
        let mut seen: BTreeSet<&LockedDependency> = BTreeSet::new();
        while let Some(locked) = next.pop() {
            if seen.insert(locked) {
                next.extend(locked.needs.iter().filter_map(|need| by_id.get(need).copied()));
            }
        }
        lock.dependencies.iter().filter(|locked| seen.contains(locked)).collect()
    }
}

impl Root<'_> {
    /// Returns what the lock has for it.
    pub(super) fn locked<'l>(&self, lock: &'l Lock) -> Option<&'l LockedDependency> {
        let fits = |locked: &&LockedDependency| match &self.origin {
            Origin::Registry(requirement) => {
                requirement.matches(&locked.version) && !is_of_repository(locked)
            }
            Origin::Git { .. } => locked
                .source
                .rsplit_once('#')
                .is_some_and(|(source, _)| Some(source) == self.origin.git_source().as_deref()),
        };
        lock.dependencies_of(&self.name).filter(fits).max_by_key(|locked| &locked.version)
    }
}

impl Origin<'_> {
    /// Returns the address of a repository as the lock has it, without the commit: `git+URL?tag=v1&path=wit`.
    pub(super) fn git_source(&self) -> Option<String> {
        let Self::Git { url, reference, path } = self else { return None };
        let reference = reference.map(|reference| match reference {
            GitReference::Rev(rev) => format!("rev={rev}"),
            GitReference::Branch(branch) => format!("branch={branch}"),
            GitReference::Tag(tag) => format!("tag={tag}"),
        });
        let path = path.map(|path| format!("path={path}"));
        let query: Vec<String> = reference.into_iter().chain(path).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        Some(format!("git+{url}{query}"))
    }
}

/// Tells whether a locked package comes from a repository.
pub(super) fn is_of_repository(locked: &LockedDependency) -> bool {
    locked.source.starts_with("git+")
}
