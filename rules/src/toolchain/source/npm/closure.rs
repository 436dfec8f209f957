//! Which packages a lockfile of npm puts where, on one platform.
//!
//! npm's lockfile has the packages of all platforms and purposes. What is installed is what can be reached
//! from the root, as Node looks modules up, without optional packages that are made for other platforms
//! and without what only they need.
//!
//! Source: npm's documentation of package-lock.json (`lockfileVersion` 2 and 3) and of the fields
//! `os`, `cpu` and `libc` of package.json.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{Integrity, Spec};
use crate::toolchain::Platform;

/// The folder that Node looks packages up in.
const MODULES: &str = "node_modules";

/// So many packages may lie in each other. npm puts a package as far up as it can.
const DEEPEST: usize = 100;

/// The content of a package-lock.json.
#[derive(Debug, Deserialize)]
pub(crate) struct PackageLock {
    #[serde(rename = "lockfileVersion")]
    version: u32,
    /// Place, such as `node_modules/a/node_modules/b` → package; the project itself is at the empty place.
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

/// One package in its place.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Locked {
    /// Its name, if the folder is called otherwise.
    name: Option<String>,
    version: Option<String>,
    integrity: Option<String>,
    /// It is part of another package's tarball.
    in_bundle: bool,
    /// It is a link to a folder of the project.
    link: bool,
    optional: bool,
    dev_optional: bool,
    os: Words,
    cpu: Words,
    libc: Words,
    #[serde(flatten)]
    dependencies: Dependencies,
}

/// What a package needs, as its package.json and the lockfile have it: name → range of versions.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Dependencies {
    dependencies: BTreeMap<String, String>,
    dev_dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
    peer_dependencies: BTreeMap<String, String>,
}

/// How a package is needed.
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

/// A package that is to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The folder it is installed in, such as `node_modules/a/node_modules/b`.
    pub(crate) place: String,
    /// What it is.
    pub(crate) spec: Spec,
    /// What pins it.
    pub(crate) integrity: Integrity,
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

    /// Whether a list of allowed (`linux`) or forbidden (`!linux`) names lets this name pass.
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
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_name().is_empty()
    }

    /// Name → how it is needed, and in which versions.
    fn by_name(&self) -> BTreeMap<&str, (Need, &str)> {
        // Who names a package twice means the later one of these.
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
    /// It is none, or of a version that has no places.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let lock: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match lock.version {
            2 | 3 => Ok(lock),
            version => Err(format!("lockfileVersion is {version}, expected 2 or 3")),
        }
    }

    /// The first dependency by which the lockfile differs from the package.json it should be made for;
    /// `None` if it was made for it.
    pub(crate) fn difference(&self, manifest: &Dependencies) -> Option<String> {
        let locked = self.packages.get("").map(|project| project.dependencies.by_name());
        let (locked, wanted) = (locked.unwrap_or_default(), manifest.by_name());
        let names: BTreeSet<&str> = locked.keys().chain(wanted.keys()).copied().collect();
        let difference = |name| match (wanted.get(name), locked.get(name)) {
            (wanted, locked) if wanted == locked => None,
            (Some((_, range)), None) => Some(format!("it lacks `{name}` {range}")),
            (None, _) => Some(format!("it has `{name}`, which is not asked for any more")),
            (Some((_, wanted)), Some((_, locked))) if wanted == locked => {
                Some(format!("it has `{name}` among other dependencies"))
            }
            (Some((_, wanted)), Some((_, locked))) => {
                Some(format!("`{name}` {wanted} is asked for, and it was made for {locked}"))
            }
        };
        names.into_iter().find_map(difference)
    }

    /// Whether a package may be made for one C library without the lockfile saying so: older versions
    /// of npm don't note it.
    pub(super) fn lacks_libc(&self, place: &str) -> bool {
        self.packages
            .get(place)
            .is_some_and(|locked| !locked.os.is_empty() && locked.libc.is_empty())
    }

    /// Notes the C library that a package is made for, as its own manifest has it.
    pub(super) fn note_libc(&mut self, place: &str, libc: Value) {
        if let (Some(locked), Ok(libc)) =
            (self.packages.get_mut(place), serde_json::from_value(libc))
        {
            locked.libc = libc;
        }
    }

    /// What is to be installed on a platform, by place. Of what the project is developed with, that is
    /// what `develops` picks.
    ///
    /// # Errors
    /// A package is missing, is not of a registry, is not pinned, or is not made for the platform.
    pub(crate) fn placed(
        &self,
        platform: Platform,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<Placed>, String> {
        let installed = self.reachable(platform, develops)?;
        let own = installed.into_iter().filter(|place| !self.packages[*place].in_bundle);
        own.filter(|place| !place.is_empty()).map(|place| self.package(place)).collect()
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

    /// The places of everything that the project at the root gets to.
    fn reachable(
        &self,
        platform: Platform,
        develops: &dyn Fn(&str) -> bool,
    ) -> Result<BTreeSet<&str>, String> {
        let places = Places::of(&self.packages)?;
        let mut reached = BTreeSet::from([""]);
        let mut left = vec![Places::ROOT];
        while let Some(index) = left.pop() {
            let Some((place, locked)) = places.nodes[index].package else {
                return Err("it has no `packages`".to_owned());
            };
            for (name, (need, _)) in locked.dependencies.by_name() {
                if need == Need::Development && !develops(name) {
                    continue;
                }
                let optional = matches!(need, Need::Optional | Need::Peer);
                let Some((index, place, found)) = places.find(index, name) else {
                    if optional {
                        continue;
                    }
                    let by = match place {
                        "" => "the project".to_owned(),
                        place => format!("`{place}`"),
                    };
                    return Err(format!("`{name}` is needed by {by}, but is not in it"));
                };
                if found.link {
                    return Err(format!("`{place}` is a link, not a package of a registry"));
                }
                if found.fits(platform) {
                    if reached.insert(place) {
                        left.push(index);
                    }
                } else if !(optional || found.optional || found.dev_optional) {
                    return Err(format!("`{place}` is not made for {platform}"));
                }
            }
        }
        Ok(reached)
    }
}

/// The places of a lockfile, each with those that lie in it.
struct Places<'a> {
    nodes: Vec<Place<'a>>,
    /// Place and name → the place of the package that lies there under that name.
    inside: HashMap<(usize, &'a str), usize>,
}

struct Place<'a> {
    above: Option<usize>,
    package: Option<(&'a str, &'a Locked)>,
}

impl<'a> Places<'a> {
    const ROOT: usize = 0;

    fn of(packages: &'a BTreeMap<String, Locked>) -> Result<Self, String> {
        let root = Place { above: None, package: None };
        let mut this = Self { nodes: vec![root], inside: HashMap::new() };
        for (place, locked) in packages {
            let mut node = Self::ROOT;
            let mut depth = 0;
            let (folder, mut inside) = match place.strip_prefix(&format!("{MODULES}/")) {
                Some(inside) => ("", Some(inside)),
                None => split(place),
            };
            if !folder.is_empty() {
                // A folder of the project. No package's name ends in a slash.
                node = this.enter(node, folder);
            }
            while let Some(rest) = inside {
                let (name, deeper) = split(rest);
                node = this.enter(node, name);
                inside = deeper;
                depth += 1;
                if depth > DEEPEST {
                    return Err(format!("more than {DEEPEST} packages lie in each other"));
                }
            }
            this.nodes[node].package = Some((place, locked));
        }
        Ok(this)
    }

    fn enter(&mut self, above: usize, name: &'a str) -> usize {
        let next = self.nodes.len();
        let node = *self.inside.entry((above, name)).or_insert(next);
        if node == next {
            self.nodes.push(Place { above: Some(above), package: None });
        }
        node
    }

    /// The package that the one at a place gets by this name: of the nearest folder above.
    fn find(&self, from: usize, name: &str) -> Option<(usize, &'a str, &'a Locked)> {
        let above = |node: &usize| self.nodes[*node].above;
        std::iter::successors(Some(from), above).find_map(|node| {
            let index = *self.inside.get(&(node, name))?;
            let (place, locked) = self.nodes[index].package?;
            Some((index, place, locked))
        })
    }
}

/// The name at the start of a place, and what lies in its `node_modules`.
fn split(place: &str) -> (&str, Option<&str>) {
    match place.split_once("/node_modules/") {
        Some((name, inside)) => (name, Some(inside)),
        None => (place, None),
    }
}

/// The name of the package that Node finds in this folder; `None` if it finds none there.
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
    (good && (above.is_empty() || folder_name(above).is_some())).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INTEGRITY: &str = "sha256-15Z3GIaH57MrQ96dI2Wh/4rm8anj1JRxm+VCOU2Z990=";

    /// A lockfile of a project that depends on `needs`, with these packages.
    fn lock(needs: Value, packages: Value) -> PackageLock {
        let mut places = json!({ "": { "name": "project", "dependencies": needs } });
        for (place, locked) in packages.as_object().unwrap() {
            places[place] = json!({ "version": "1.0.0", "integrity": INTEGRITY });
            let fields = locked.as_object().unwrap().clone();
            places[place].as_object_mut().unwrap().extend(fields);
            places[place].as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        let text = json!({ "lockfileVersion": 3, "packages": places }).to_string();
        PackageLock::parse(&text).unwrap()
    }

    fn places(lock: &PackageLock, platform: Platform) -> Vec<String> {
        let placed = lock.placed(platform, &|_| false).unwrap();
        placed.iter().map(|placed| format!("{} = {}", placed.place, placed.spec)).collect()
    }

    #[test]
    fn two_versions_of_a_package_have_two_places() {
        let lock = lock(
            json!({ "a": "^1.0.0", "@s/b": "^1.0.0" }),
            json!({
                "node_modules/a": { "dependencies": { "c": "^1.0.0", "d": "*" } },
                "node_modules/@s/b": { "dependencies": { "c": "^2.0.0", "d": "*" } },
                "node_modules/@s/b/node_modules/c": {
                    "version": "2.0.0",
                    "dependencies": { "d": "*", "e": "*" },
                },
                "node_modules/@s/b/node_modules/e": {},
                "node_modules/c": {},
                "node_modules/d": { "name": "@s/real", "version": "3.0.0-rc.1" },
                "node_modules/e": { "version": "9.0.0" },
            }),
        );
        let expect = [
            "node_modules/@s/b = @s/b@1.0.0",
            "node_modules/@s/b/node_modules/c = c@2.0.0",
            "node_modules/@s/b/node_modules/e = e@1.0.0",
            "node_modules/a = a@1.0.0",
            "node_modules/c = c@1.0.0",
            "node_modules/d = @s/real@3.0.0-rc.1",
        ];
        assert_eq!(places(&lock, Platform::X86_64Linux), expect);
    }

    #[test]
    fn packages_for_other_platforms_are_left_out_with_what_they_need() {
        let lock = lock(
            json!({ "a": "*", "inner": "*" }),
            json!({
                "node_modules/a": {
                    "optionalDependencies": {
                        "a-linux-arm64": "1", "a-linux-x64": "1", "a-linux-x64-musl": "1",
                        "a-wasm": "1", "a-not-windows": "1", "a-gone": "1",
                    },
                    "peerDependencies": { "never-installed": "*" },
                },
                "node_modules/a-linux-arm64": { "optional": true, "os": ["linux"], "cpu": ["arm64"] },
                "node_modules/a-linux-x64": {
                    "optional": true, "os": "linux", "cpu": ["x64"], "libc": ["glibc"],
                },
                "node_modules/a-linux-x64-musl": {
                    "optional": true, "os": ["linux"], "cpu": ["x64"], "libc": ["musl"],
                },
                "node_modules/a-wasm": {
                    "optional": true, "cpu": ["wasm32"], "dependencies": { "runtime": "*" },
                },
                "node_modules/runtime": { "optional": true },
                "node_modules/a-not-windows": { "os": ["!win32"], "cpu": ["any"] },
                "node_modules/inner": { "dependencies": { "bundled": "*" } },
                "node_modules/inner/node_modules/bundled": { "inBundle": true, "integrity": null },
                "node_modules/unused": {},
            }),
        );
        let expect = |native: &str| {
            ["a", native, "a-not-windows", "inner"]
                .map(|name| format!("node_modules/{name} = {name}@1.0.0"))
        };
        assert_eq!(places(&lock, Platform::X86_64Linux), expect("a-linux-x64"));
        assert_eq!(places(&lock, Platform::Aarch64Linux), expect("a-linux-arm64"));
    }

    #[test]
    fn a_c_library_that_npm_did_not_note_can_be_added() {
        let native = json!({ "optional": true, "os": ["linux"] });
        let mut lock = lock(
            json!({ "a": "*" }),
            json!({
                "node_modules/a": { "optionalDependencies": { "gnu": "1", "musl": "1" } },
                "node_modules/gnu": native,
                "node_modules/musl": native,
            }),
        );
        assert!(lock.lacks_libc("node_modules/gnu") && !lock.lacks_libc("node_modules/a"));
        lock.note_libc("node_modules/gnu", json!(["glibc"]));
        lock.note_libc("node_modules/musl", json!("musl"));
        lock.note_libc("node_modules/a", json!(7));
        assert!(!lock.lacks_libc("node_modules/gnu"));
        let expect = ["node_modules/a = a@1.0.0", "node_modules/gnu = gnu@1.0.0"];
        assert_eq!(places(&lock, Platform::X86_64Linux), expect);
    }

    #[test]
    fn what_can_not_be_installed_is_told() {
        let check = |packages: Value, expect: &str| {
            let error =
                lock(json!({ "a": "*" }), packages).placed(Platform::X86_64Linux, &|_| false);
            assert_eq!(error.unwrap_err(), expect);
        };
        check(json!({}), "`a` is needed by the project, but is not in it");
        check(
            json!({ "node_modules/a": { "dependencies": { "b": "*" } } }),
            "`b` is needed by `node_modules/a`, but is not in it",
        );
        check(
            json!({ "node_modules/a": { "os": ["darwin"] } }),
            "`node_modules/a` is not made for x86_64-linux",
        );
        check(
            json!({ "node_modules/a": { "link": true } }),
            "`node_modules/a` is a link, not a package of a registry",
        );
        check(
            json!({ "node_modules/a": { "integrity": null } }),
            "node_modules/a: it has no `integrity`, as only packages of a registry have",
        );
        check(
            json!({ "node_modules/a": { "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" } }),
            "node_modules/a: `sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=` is no integrity by SHA-512, SHA-384 or SHA-256",
        );
        check(
            json!({ "node_modules/a": { "version": "file:../a" } }),
            "node_modules/a: `a@file:../a` is no package of an npm registry",
        );
    }

    #[test]
    fn only_lockfiles_with_places_are_read() {
        let check = |text: &str, expect: &str| {
            assert_eq!(PackageLock::parse(text).unwrap_err(), expect);
        };
        check(r#"{ "lockfileVersion": 1 }"#, "lockfileVersion is 1, expected 2 or 3");
        check("{}", "missing field `lockfileVersion` at line 1 column 2");
        let empty = PackageLock::parse(r#"{ "lockfileVersion": 3 }"#).unwrap();
        assert_eq!(
            empty.placed(Platform::X86_64Linux, &|_| false).unwrap_err(),
            "it has no `packages`"
        );
    }

    #[test]
    fn folders_are_places_only_below_node_modules() {
        let check = |place: &str, expect: Option<&str>| assert_eq!(folder_name(place), expect);
        check("node_modules/a", Some("a"));
        check("node_modules/@s/a/node_modules/@t/b", Some("@t/b"));
        check("packages/a", None);
        check("node_modules/..", None);
        check("node_modules/a/b", None);
        check("node_modules/../node_modules/a", None);
        check("node_modules/@s/..", None);
    }

    #[test]
    fn of_what_a_project_is_developed_with_what_is_asked_for_is_placed() {
        let text = json!({
            "lockfileVersion": 3,
            "packages": {
                "": { "devDependencies": { "@types/a": "*", "tester": "*" } },
                "node_modules/@types/a": { "version": "1.0.0", "integrity": INTEGRITY, "dev": true },
                "node_modules/tester": { "version": "1.0.0", "integrity": INTEGRITY, "dev": true },
            },
        });
        let lock = PackageLock::parse(&text.to_string()).unwrap();
        let check = |develops: &dyn Fn(&str) -> bool, expect: &[&str]| {
            let placed = lock.placed(Platform::X86_64Linux, develops).unwrap();
            let places: Vec<&str> = placed.iter().map(|placed| placed.place.as_str()).collect();
            assert_eq!(places, expect);
        };
        check(&|_| false, &[]);
        check(&|name| name.starts_with("@types/"), &["node_modules/@types/a"]);
    }

    #[test]
    fn a_lockfile_is_held_against_the_manifest() {
        let check = |manifest: Value, expect: Option<&str>| {
            let locked = lock(json!({ "a": "^1.0.0" }), json!({ "node_modules/a": {} }));
            let manifest: Dependencies = serde_json::from_value(manifest).unwrap();
            assert_eq!(locked.difference(&manifest).as_deref(), expect);
        };
        check(json!({ "name": "project", "dependencies": { "a": "^1.0.0" } }), None);
        check(
            json!({ "dependencies": { "a": "^2.0.0" } }),
            Some("`a` ^2.0.0 is asked for, and it was made for ^1.0.0"),
        );
        check(json!({ "dependencies": { "a": "^1.0.0", "b": "*" } }), Some("it lacks `b` *"));
        check(json!({}), Some("it has `a`, which is not asked for any more"));
        check(
            json!({ "devDependencies": { "a": "^1.0.0" } }),
            Some("it has `a` among other dependencies"),
        );
        // npm leaves a package that is optional out of the others.
        let both =
            json!({ "dependencies": { "a": "^1.0.0" }, "optionalDependencies": { "a": "^1.0.0" } });
        check(both, Some("it has `a` among other dependencies"));
    }
}
