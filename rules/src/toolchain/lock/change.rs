//! The differences between two locks, as they are shown to people. It compares the locks only, and knows
//! neither files nor registries.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Lock, Package, SourceKind};
use crate::platform::Platform;

/// A difference between two locks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A toolchain is new in the lock, but has no image.
    Added {
        /// The toolchain's name.
        name: String,
        /// The toolchain's version.
        version: String,
    },
    /// A toolchain is no longer in the lock.
    Removed {
        /// The toolchain's name.
        name: String,
        /// The toolchain's version.
        version: String,
    },
    /// A toolchain has another version.
    Upgraded {
        /// The toolchain's name.
        name: String,
        /// The version before.
        old: String,
        /// The version now.
        new: String,
    },
    /// A toolchain has an image for a platform for which it had none.
    Pinned {
        /// The toolchain's name.
        name: String,
        /// The toolchain's version.
        version: String,
        /// The platform that the image is for.
        platform: Platform,
    },
    /// An image is gone, but its toolchain is still in the lock.
    Dropped {
        /// The toolchain's name.
        name: String,
        /// The platform that the image was for.
        platform: Platform,
    },
    /// A package has another version.
    Package {
        /// The toolchain's name.
        name: String,
        /// The platform that the image is for.
        platform: Platform,
        /// The package's name.
        package: String,
        /// The version before.
        old: String,
        /// The version now.
        new: String,
    },
    /// An image has changed although the versions of its packages are the same.
    Remade {
        /// The toolchain's name.
        name: String,
        /// The platform that the image is for.
        platform: Platform,
    },
}

impl Change {
    /// Returns all differences, ordered by toolchain, with removed toolchains first.
    #[must_use]
    pub fn between(before: &Lock, after: &Lock) -> Vec<Self> {
        let gone = before.toolchains.iter().filter(|(name, _)| after.version(name).is_none());
        let gone = gone
            .map(|(name, version)| Self::Removed { name: name.clone(), version: version.clone() });
        let mut changes: Vec<Self> = gone.collect();
        for (name, version) in &after.toolchains {
            let (name, new) = (name.clone(), version.clone());
            match before.version(&name) {
                None if after.images_of(&name).next().is_none() => {
                    changes.push(Self::Added { name: name.clone(), version: new });
                }
                None => {}
                Some(old) if old != new => {
                    let old = old.to_owned();
                    changes.push(Self::Upgraded { name: name.clone(), old, new });
                }
                Some(_) => changes.extend(packages(&name, before, after)),
            }
            changes.extend(platforms(&name, before, after));
        }
        changes
    }

    /// Returns the word that says what happened.
    #[must_use]
    pub const fn verb(&self) -> &'static str {
        match self {
            Self::Added { .. } => "Added",
            Self::Removed { .. } => "Removed",
            Self::Upgraded { .. } => "Upgraded",
            Self::Pinned { .. } => "Pinned",
            Self::Dropped { .. } => "Dropped",
            Self::Package { .. } => "Updated",
            Self::Remade { .. } => "Remade",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { name, version } | Self::Removed { name, version } => {
                write!(f, "{name} {version}")
            }
            Self::Upgraded { name, old, new } => write!(f, "{name} {old} -> {new}"),
            Self::Pinned { name, version, platform } => {
                write!(f, "{name} {version} for {platform}")
            }
            Self::Dropped { name, platform } => write!(f, "{name} for {platform}"),
            Self::Package { name, platform, package, old, new } => {
                write!(f, "{package} {old} -> {new} in {name} for {platform}")
            }
            Self::Remade { name, platform } => {
                write!(
                    f,
                    "{name} for {platform}: the same version, unpacked or put together otherwise"
                )
            }
        }
    }
}

fn platforms(name: &str, before: &Lock, after: &Lock) -> Vec<Change> {
    let version = after.version(name).unwrap_or_default().to_owned();
    let has = |lock: &Lock, platform| lock.images_of(name).any(|image| image.platform == platform);
    let mut changes = Vec::new();
    for platform in Platform::ALL {
        let name = name.to_owned();
        match (has(before, platform), has(after, platform)) {
            (false, true) => {
                changes.push(Change::Pinned { name, version: version.clone(), platform });
            }
            (true, false) => changes.push(Change::Dropped { name, platform }),
            _ => {}
        }
    }
    changes
}

/// Returns the changes inside the images of a toolchain whose version is the same.
fn packages(name: &str, before: &Lock, after: &Lock) -> Vec<Change> {
    let mut changes = Vec::new();
    for image in after.images_of(name) {
        let Some(old) = before.images_of(name).find(|old| old.platform == image.platform) else {
            continue;
        };
        let (name, platform) = (name.to_owned(), image.platform);
        let found = versions(before.packages(&name, platform), after.packages(&name, platform));
        let remade = found.is_empty() && old != image;
        changes.extend(found.into_iter().map(|(package, old, new)| Change::Package {
            name: name.clone(),
            platform,
            package,
            old,
            new,
        }));
        if remade {
            changes.push(Change::Remade { name, platform });
        }
    }
    changes
}

/// Returns the packages that are in both lists with different versions, each with name, old and new version.
fn versions<'a>(
    before: impl Iterator<Item = &'a Package>,
    after: impl Iterator<Item = &'a Package>,
) -> Vec<(String, String, String)> {
    let old: BTreeMap<(String, &str), String> =
        before.map(|package| (identity(package), package.purl.version())).collect();
    let changed = after.filter_map(|package| {
        let (identity, new) = (identity(package), package.purl.version());
        let old = old.get(&identity).filter(|old| **old != new)?.clone();
        Some((identity.0, old, new))
    });
    changed.collect()
}

/// Returns what identifies a package in all its versions: its name, and for npm its place, because an image
/// can contain an npm package several times.
fn identity(package: &Package) -> (String, &str) {
    let place = match package.source {
        SourceKind::Npm => package.from.as_str(),
        _ => "",
    };
    (package.purl.name(), place)
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;
    use crate::package::Purl;

    #[test]
    fn two_versions_of_a_package_in_one_image_are_no_difference() {
        let package = |place: &str, version: &str| Package {
            purl: Purl::new("npm", "lib", version, &[]),
            source: SourceKind::Npm,
            from: place.to_owned(),
            ..example().packages[0].clone()
        };
        let before = [package("node_modules/lib", "1.0.0"), package("node_modules/b/lib", "2.0.0")];
        assert_eq!(versions(before.iter(), before.iter()), []);
        let after = [before[0].clone(), package("node_modules/b/lib", "2.1.0")];
        let changed = ("lib".to_owned(), "2.0.0".to_owned(), "2.1.0".to_owned());
        assert_eq!(versions(before.iter(), after.iter()), [changed]);
    }

    #[test]
    fn every_difference_is_told() {
        let check = |change: fn(&mut Lock), expect: &[&str]| {
            let mut after = example();
            change(&mut after);
            let told: Vec<String> = Change::between(&example(), &after)
                .iter()
                .map(|change| format!("{} {change}", change.verb()))
                .collect();
            assert_eq!(told, expect);
        };
        check(|_| {}, &[]);
        check(|lock| lock.remove("py"), &["Removed py 1.0"]);
        check(
            |lock| {
                lock.toolchains.insert("rust".into(), "1.96.0".into());
                lock.packages[1].purl = Purl::new("generic", "rustc", "1.96.0", &[]);
            },
            &["Upgraded rust 1.95.0 -> 1.96.0"],
        );
        check(
            |lock| lock.packages[1].purl = Purl::new("generic", "rustc", "1.95.1", &[]),
            &["Updated rustc 1.95.0 -> 1.95.1 in rust for x86_64-linux"],
        );
        check(
            |lock| lock.images[0].recipe = "other".into(),
            &["Remade py for x86_64-linux: the same version, unpacked or put together otherwise"],
        );
        check(
            |lock| lock.images[0].platform = Platform::Aarch64Linux,
            &["Pinned py 1.0 for aarch64-linux", "Dropped py for x86_64-linux"],
        );
        check(
            |lock| {
                lock.toolchains.insert("zig".into(), "1".into());
            },
            &["Added zig 1"],
        );
    }
}
