//! Computes which packages a lockfile of npm installs in which folders, for one platform.
//!
//! npm's lockfile lists the packages for all platforms and purposes. Installed are those that can be reached
//! from the root as Node looks modules up. Optional packages that are made for other platforms are left out,
//! and so are packages that only those need. Nothing here fetches anything.
//!
//! Source: npm's documentation of package-lock.json (`lockfileVersion` 2 and 3) and of the fields `os`, `cpu`
//! and `libc` of package.json.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::places::{MODULES, Places};
use super::{Integrity, Spec};
use crate::platform::Platform;

/// The content of a package-lock.json.
#[derive(Debug, Deserialize)]
pub(crate) struct PackageLock {
    #[serde(rename = "lockfileVersion")]
    version: u32,
    /// The packages by place, such as `node_modules/a/node_modules/b`. The project itself has the empty
    /// place.
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

/// A package at its place in the lockfile.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Locked {
    /// The package's name, if it differs from that of its folder.
    name: Option<String>,
    version: Option<String>,
    integrity: Option<String>,
    /// True if the package is part of another package's tarball.
    in_bundle: bool,
    /// True if this is a link to a folder of the project: a workspace, or a dependency by `file:`.
    link: bool,
    /// The URL that the package came from, or the folder that a link leads to.
    resolved: Option<String>,
    optional: bool,
    dev_optional: bool,
    os: Words,
    cpu: Words,
    libc: Words,
    #[serde(flatten)]
    dependencies: Dependencies,
}

/// The dependencies of a package, as package.json and the lockfile list them: name → range of versions.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Dependencies {
    dependencies: BTreeMap<String, String>,
    dev_dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    peer_dependencies: BTreeMap<String, String>,
}

/// The kind of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Peer,
    Development,
    Always,
    Optional,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Several(Vec<String>),
}

/// A package that is installed in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The folder that the package is installed in, such as `node_modules/a/node_modules/b`.
    pub(crate) place: String,
    /// The package's name and version.
    pub(crate) spec: Spec,
    /// The hash that pins the package.
    pub(crate) integrity: Integrity,
}

/// The packages and links that a project of a lockfile needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The packages to install, ordered by place.
    pub(crate) packages: Vec<Placed>,
    /// The links: place → folder, relative to the lockfile's folder, as the lockfile has it.
    pub(crate) links: BTreeMap<String, String>,
}

impl Default for Words {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Words {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Several(words) if words.is_empty())
    }

    /// Returns true if this list of allowed (`linux`) or forbidden (`!linux`) names permits `name`.
    fn allow(&self, name: &str) -> bool {
        let words = match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words,
        };
        let forbidden = |word: &String| word.strip_prefix('!') == Some(name);
        let allows = |word: &String| word == name || word == "any";
        !words.iter().any(forbidden)
            && (words.iter().any(allows) || words.iter().all(|word| word.starts_with('!')))
    }
}

impl Locked {
    fn fits(&self, platform: Platform) -> bool {
        self.os.allow("linux") && self.cpu.allow(platform.node_cpu()) && self.libc.allow("glibc")
    }
}

impl Dependencies {
    /// Returns true if there are no dependencies.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name().is_empty()
    }

    /// Returns the kind and the range of versions of each dependency, by name.
    fn by_name(&self) -> BTreeMap<&str, (Need, &str)> {
        // If a package is listed in several sections, the last of them in this order counts.
        let sections = [
            (Need::Peer, &self.peer_dependencies),
            (Need::Development, &self.dev_dependencies),
            (Need::Always, &self.dependencies),
            (Need::Optional, &self.optional_dependencies),
        ];
        let entries = sections.into_iter().flat_map(|(need, names)| {
            names.iter().map(move |(name, range)| (name.as_str(), (need, range.as_str())))
        });
        entries.collect()
    }
}

impl PackageLock {
    /// Reads a lockfile.
    ///
    /// # Errors
    /// The text is not a lockfile of npm, or its version has no places.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match lock.version {
            2 | 3 => Ok(lock),
            version => Err(format!("lockfileVersion is {version}, expected 2 or 3")),
        }
    }

    /// Returns true if the lockfile was also made for the project in `folder`, a path relative to the
    /// lockfile's folder.
    pub(crate) fn has_project(&self, folder: &str) -> bool {
        self.packages.contains_key(folder)
    }

    /// Describes the first dependency in the package.json of a folder that the lockfile was not made for, or
    /// returns `None` if there is none. Dependencies that only the lockfile has don't matter, as with `npm
    /// ci`.
    pub(crate) fn difference(&self, folder: &str, manifest: &Dependencies) -> Option<String> {
        let locked = self.packages.get(folder).map(|project| project.dependencies.by_name());
        let locked = locked.unwrap_or_default();
        manifest.by_name().into_iter().find_map(|(name, wanted)| match locked.get(name) {
            None => Some(format!("it lacks `{name}` {}", wanted.1)),
            Some(locked) if *locked == wanted => None,
            Some((_, range)) if *range == wanted.1 => {
                Some(format!("it has `{name}` among other dependencies"))
            }
            Some((_, range)) => {
                Some(format!("`{name}` {} is asked for, and it was made for {range}", wanted.1))
            }
        })
    }

    /// Removes the dependencies of the project in a folder that its package.json does not list any more.
    pub(crate) fn retain(&mut self, folder: &str, manifest: &Dependencies) {
        let Some(project) = self.packages.get_mut(folder) else { return };
        let wanted = manifest.by_name();
        let Dependencies {
            dependencies,
            dev_dependencies,
            optional_dependencies,
            peer_dependencies,
        } = &mut project.dependencies;
        for names in [dependencies, dev_dependencies, optional_dependencies, peer_dependencies] {
            names.retain(|name, _| wanted.contains_key(name.as_str()));
        }
    }

    /// Returns true if a package may be made for one C library, but the lockfile does not say for which one.
    /// Older versions of npm don't record that.
    pub(crate) fn lacks_libc(&self, place: &str) -> bool {
        self.packages
            .get(place)
            .is_some_and(|locked| !locked.os.is_empty() && locked.libc.is_empty())
    }

    /// Records the C library that a package is made for, as the package's own manifest says.
    pub(crate) fn note_libc(&mut self, place: &str, libc: Value) {
        if let (Some(locked), Ok(libc)) =
            (self.packages.get_mut(place), serde_json::from_value(libc))
        {
            locked.libc = libc;
        }
    }

    /// Returns the packages that the project beside the lockfile needs on a platform.
    ///
    /// # Errors
    /// The errors of [`Self::needed`], or a dependency is a link.
    pub(crate) fn placed(
        &self,
        platform: Platform,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Placed>, String> {
        let Needed { packages, links } = self.needed("", platform, develops)?;
        match links.first_key_value() {
            Some((place, _)) => Err(format!("`{place}` is a link, not a package of a registry")),
            None => Ok(packages),
        }
    }

    /// Returns what the project in a folder needs on a platform. Of its development dependencies, only those
    /// for which `develops` returns true count.
    ///
    /// # Errors
    /// A package is missing, does not come from a registry, is not pinned, or is not made for the platform.
    pub(crate) fn needed(
        &self,
        folder: &str,
        platform: Platform,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<Needed, String> {
        let (installed, links) = self.reachable(folder, platform, develops)?;
        let links =
            links.into_iter().map(|(place, to)| (place.to_owned(), to.to_owned())).collect();
        let own = installed.into_iter().filter(|place| !self.packages[*place].in_bundle);
        let packages = own.map(|place| self.package(place)).collect::<Result<_, _>>()?;
        Ok(Needed { packages, links })
    }

    fn package(&self, place: &str) -> Result<Placed, String> {
        let locked = &self.packages[place];
        let folder = folder_name(place).ok_or_else(|| format!("`{place}` is no place for it"))?;
        let name = locked.name.as_deref().unwrap_or(folder);
        let version = locked.version.as_deref().unwrap_or_default();
        let wrong = |error: &dyn std::fmt::Display| format!("{place}: {error}");
        let integrity = locked
            .integrity
            .as_deref()
            .ok_or_else(|| wrong(&"it has no `integrity`, as only packages of a registry have"))?;
        Ok(Placed {
            place: place.to_owned(),
            spec: Spec::new(name, version).map_err(|error| wrong(&error))?,
            integrity: integrity.parse().map_err(|error| wrong(&error))?,
        })
    }

    /// Returns the places of all packages that can be reached from a project, and the links on the way with
    /// the folders that they lead to.
    fn reachable(
        &self,
        folder: &str,
        platform: Platform,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<(BTreeSet<&str>, BTreeMap<&str, &str>), String> {
        let places = Places::of(&self.packages)?;
        let (mut reached, mut links) = (BTreeSet::new(), BTreeMap::new());
        let mut folders = BTreeSet::from([folder]);
        let mut left = vec![places.folder(folder).ok_or("it has no `packages`")?];
        // The packages of a workspace share the development dependencies of the workspace's root.
        let root = places.folder("").filter(|_| !folder.is_empty());
        left.extend(root);
        while let Some(index) = left.pop() {
            let Some((place, locked)) = places.package(index) else {
                return Err("it has no `packages`".to_owned());
            };
            for (name, (need, _)) in locked.dependencies.by_name() {
                let is_left_out = match need {
                    Need::Development => !develops(name),
                    _ => root == Some(index),
                };
                if is_left_out {
                    continue;
                }
                let optional = matches!(need, Need::Optional | Need::Peer);
                let Some((index, place, found)) = places.find(index, name) else {
                    if optional {
                        continue;
                    }
                    let by = match place {
                        place if place == folder => "the project".to_owned(),
                        place => format!("`{place}`"),
                    };
                    return Err(format!("`{name}` is needed by {by}, but is not in it"));
                };
                if found.link {
                    let Some(target) = found.resolved.as_deref() else {
                        return Err(format!("`{place}` is a link, and it does not say to what"));
                    };
                    let Some(index) = places.folder(target) else {
                        return Err(format!(
                            "`{place}` is a link to `{target}`, which is not in it"
                        ));
                    };
                    links.insert(place, target);
                    if folders.insert(target) {
                        left.push(index);
                    }
                } else if found.fits(platform) {
                    if reached.insert(place) {
                        left.push(index);
                    }
                } else if !(optional || found.optional || found.dev_optional) {
                    return Err(format!("`{place}` is not made for {platform}"));
                }
            }
        }
        Ok((reached, links))
    }
}

/// Returns the name of the package that Node finds in this folder, or `None` if it finds none there.
fn folder_name(place: &str) -> Option<&str> {
    let (above, name) = match place.rsplit_once(&format!("/{MODULES}/")) {
        Some((above, name)) => (above, name),
        None => ("", place.strip_prefix(&format!("{MODULES}/"))?),
    };
    let is_name = |name: &str| !["", ".", ".."].contains(&name) && !name.contains('/');
    let good = match name.strip_prefix('@').and_then(|scoped| scoped.split_once('/')) {
        Some((scope, name)) => is_name(scope) && is_name(name),
        None => is_name(name),
    };
    let above_is_good = || above.is_empty() || is_folder(above) || folder_name(above).is_some();
    (good && above_is_good()).then_some(name)
}

/// Returns true if this is a folder of the project, below the folder of the lockfile or reached from there by
/// `..`.
fn is_folder(place: &str) -> bool {
    let names = place.split('/').skip_while(|name| *name == "..");
    let mut names = names.peekable();
    names.peek().is_some() && names.all(|name| !["", ".", "..", MODULES].contains(&name))
}

#[cfg(test)]
mod tests;
