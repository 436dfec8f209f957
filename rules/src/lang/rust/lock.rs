//! Reads `Cargo.lock`: the third-party crates of a workspace, the checksums and commits that pin them, and the
//! dependencies between all packages.
//!
//! Format: the Cargo book, "Cargo.toml vs Cargo.lock". The checksum is the SHA-256 of the `.crate` file. A crate
//! of a git repository has a commit instead. A crate with neither can't be pinned, and is refused by name unless
//! the checkout has its sources ([`Vendored`]).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::error::CargoError;
use super::git::LockedRepository;
use super::package::Package;
use super::vendored::Vendored;
use crate::bounded;
use crate::path::ProjectPath;
use crate::planner::in_action;
use crate::redact::mask_urls;

/// A crate from a registry, pinned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LockedCrate {
    pub(super) name: String,
    pub(super) version: String,
    /// The source of the crate, as Cargo spells it in the lock: `registry+…` or `sparse+…`.
    pub(super) source: String,
    /// The SHA-256 of the `.crate` file in lowercase hexadecimal.
    pub(super) checksum: String,
}

impl LockedCrate {
    /// Returns the name of its folder among vendored crates, and of its archive.
    pub(super) fn folder(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

/// The content of a lockfile.
#[derive(Debug, Default)]
pub(super) struct Lockfile {
    /// The crates to fetch, sorted.
    pub(super) crates: Vec<LockedCrate>,
    /// The repositories to fetch, by their sources.
    pub(super) repositories: Vec<LockedRepository>,
    /// The repositories whose crates are vendored.
    pub(super) vendored_repositories: Vec<LockedRepository>,
    packages: Vec<LockedPackage>,
    /// The indexes in `packages` of the entries with a name, in order.
    by_name: BTreeMap<String, Vec<usize>>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    package: Vec<LockedPackage>,
}

/// An entry of the lockfile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct LockedPackage {
    name: String,
    version: String,
    /// The source of the package. A package without a source belongs to the checkout.
    source: Option<String>,
    checksum: Option<String>,
    /// The dependencies, each as `NAME`, with version and source if the name alone is ambiguous.
    #[serde(default)]
    dependencies: Vec<String>,
}

impl LockedPackage {
    /// Returns true if this entry is that of a package of the checkout.
    pub(super) fn is(&self, package: &Package) -> bool {
        let same_version = package.version.as_ref().is_none_or(|version| *version == self.version);
        self.source.is_none() && self.name == package.name && same_version
    }

    /// Returns true if a line of `dependencies` refers to this entry.
    fn is_meant_by(&self, dependency: &str) -> bool {
        let mut words = dependency.split(' ');
        let same = |word: Option<&str>, text: &str| word.is_none_or(|word| word == text);
        words.next() == Some(self.name.as_str())
            && same(words.next(), &self.version)
            && words.next().is_none_or(|source| {
                let source = source.trim_matches(['(', ')']);
                self.source.as_deref() == Some(source)
            })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Lockfile {
    /// Returns the packages of the checkout that `package`, which belongs to the checkout itself, depends on.
    pub(super) fn local_dependencies(&self, package: &Package) -> Vec<&LockedPackage> {
        self.local_needs(|entry| entry.is(package))
    }

    fn local_needs(&self, of: impl Fn(&LockedPackage) -> bool) -> Vec<&LockedPackage> {
        let lines: Vec<&String> =
            self.packages.iter().filter(|entry| of(entry)).flat_map(|e| &e.dependencies).collect();
        let local = self.packages.iter().filter(|entry| entry.source.is_none());
        local.filter(|entry| lines.iter().any(|line| entry.is_meant_by(line))).collect()
    }

    /// Returns the text that tells Cargo which package is meant: its name; with its version, if a dependency
    /// has the same name; or its folder in an action, if that has the same version, too (the Cargo book,
    /// "Package ID Specifications").
    pub(super) fn specification(&self, package: &Package) -> String {
        let name = &package.name;
        let mut namesakes = self.packages.iter().filter(|entry| entry.name == *name);
        match self.packages.iter().find(|entry| entry.is(package)) {
            Some(entry) if namesakes.clone().count() > 1 => {
                let version = &entry.version;
                match namesakes.any(|other| !other.is(package) && other.version == *version) {
                    true => format!("path+file:///{}#{name}@{version}", in_action(&package.dir)),
                    false => format!("{name}@{version}"),
                }
            }
            _ => name.clone(),
        }
    }

    /// Returns the entry of a package of the checkout.
    pub(super) fn entry(&self, package: &Package) -> Option<&LockedPackage> {
        self.packages.iter().find(|entry| entry.is(package))
    }

    /// Returns true if a package of this name is in the lockfile.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// Returns the packages that one depends on, for whatever purpose.
    pub(super) fn dependencies(
        &self,
        entry: &LockedPackage,
    ) -> impl Iterator<Item = &LockedPackage> {
        let lines = entry.dependencies.iter();
        lines.filter_map(|line| {
            let name = line.split(' ').next().unwrap_or_default();
            let namesakes = self.by_name.get(name).into_iter().flatten();
            namesakes.map(|&at| &self.packages[at]).find(|entry| entry.is_meant_by(line))
        })
    }
}

/// Reads the lockfile `lock`. Crates that are `vendored` need not be pinned, and are not fetched.
pub(super) fn read(
    project: &Path,
    lock: &ProjectPath,
    vendored: &Vendored,
) -> Result<Lockfile, CargoError> {
    let text = match bounded::read_text(&lock.on_disk(project)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CargoError::NoLockfile { manifest: lock.parent().join("Cargo.toml") });
        }
        Err(source) => return Err(CargoError::Read { path: lock.clone(), source }),
    };
    parse(&text, lock, vendored)
}

fn parse(text: &str, lock: &ProjectPath, vendored: &Vendored) -> Result<Lockfile, CargoError> {
    let Document { package: packages } = toml::from_str(text)
        .map_err(|source| CargoError::Parse { manifest: lock.clone(), source: source.into() })?;
    let is_of = |package: &LockedPackage, kind: &dyn Fn(&str) -> bool| {
        package.source.as_deref().is_some_and(kind)
    };
    let (vendored, fetched): (Vec<_>, Vec<_>) =
        packages.iter().partition(|package| is_of(package, &|source| vendored.replaces(source)));
    let (of_repositories, others): (Vec<_>, Vec<_>) =
        fetched.into_iter().partition(|package| is_of(package, &LockedRepository::is_source));
    let mut crates = others
        .into_iter()
        .filter_map(|package| pinned(package.clone(), lock).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    crates.sort();
    let repositories = repositories(&of_repositories, text, lock)?;
    // What is wrong with them is for Cargo to say, because nothing is fetched.
    let vendored_repositories = vendored.into_iter().filter_map(|package| {
        LockedRepository::parse(package.source.as_deref()?, line_of(text, package))
    });
    let vendored_repositories = vendored_repositories.collect();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, package) in packages.iter().enumerate() {
        by_name.entry(package.name.clone()).or_default().push(at);
    }
    Ok(Lockfile { crates, repositories, vendored_repositories, packages, by_name })
}

/// Returns the repositories that packages come from, by their sources.
fn repositories(
    packages: &[&LockedPackage],
    text: &str,
    lock: &ProjectPath,
) -> Result<Vec<LockedRepository>, CargoError> {
    let mut found: BTreeMap<&str, LockedRepository> = BTreeMap::new();
    for package in packages {
        let LockedPackage { name, version, .. } = package;
        if !is_plain(name) || !is_plain(version) {
            return Err(CargoError::BadLockEntry { lock: lock.clone(), name: name.clone() });
        }
        let source = package.source.as_deref().unwrap_or_default();
        let line = line_of(text, package);
        let no_commit = || CargoError::NoCommit {
            lock: lock.clone(),
            line,
            name: name.clone(),
            origin: mask_urls(source).into_owned(),
        };
        let repository = LockedRepository::parse(source, line).ok_or_else(no_commit)?;
        let repository = found.entry(source).or_insert(repository);
        repository.packages.insert((name.clone(), version.clone()));
    }
    Ok(found.into_values().collect())
}

/// Returns the number of the first line of the lockfile that has the source of a package.
fn line_of(text: &str, package: &LockedPackage) -> usize {
    let source = format!("{:?}", package.source.as_deref().unwrap_or_default());
    text.lines().position(|line| line.contains(&source)).map_or(1, |at| at + 1)
}

/// Returns true if a name or a version has only characters that can be part of a file's name.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))
        && !text.starts_with('.')
}

/// Returns the pin of a package; `None` for a package of the workspace itself.
fn pinned(package: LockedPackage, lock: &ProjectPath) -> Result<Option<LockedCrate>, CargoError> {
    let LockedPackage { name, version, source, checksum, .. } = package;
    let Some(source) = source else { return Ok(None) };
    if !is_plain(&name) || !is_plain(&version) {
        return Err(CargoError::BadLockEntry { lock: lock.clone(), name });
    }
    let is_sha256 = |sum: &String| {
        sum.len() == 64 && sum.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let from_registry = source.starts_with("registry+") || source.starts_with("sparse+");
    match checksum.filter(is_sha256) {
        Some(checksum) if from_registry => {
            Ok(Some(LockedCrate { name, version, source, checksum }))
        }
        _ => Err(CargoError::Unpinned { lock: lock.clone(), name, version, origin: source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "b05b61dc5112cbb17e4b6cd61790d9845d13888356391624cbe7e41efeac1e75";

    #[test]
    fn reads_registry_crates_and_refuses_the_rest() {
        let check = |entry: &str, expect: Result<&[&str], &str>| {
            let text = format!("version = 4\n\n[[package]]\n{entry}\n");
            let lock = ProjectPath::parse("Cargo.lock").unwrap();
            let got = parse(&text, &lock, &Vendored::default());
            let got = got.map(|l| l.crates.iter().map(LockedCrate::folder).collect::<Vec<_>>());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(
                got,
                expect.map(|c| c.iter().map(ToString::to_string).collect()).map_err(str::to_owned)
            );
        };
        check("name = \"own\"\nversion = \"0.1.0\"", Ok(&[]));
        check(
            &format!(
                "name = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"{SUM}\""
            ),
            Ok(&["a-1.0.0"]),
        );
        check(
            "name = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://me:secret@h/a\"",
            Err("Cargo.lock:6: crate `a` comes from `git+https://***@h/a`, which names no commit"),
        );
        check(
            "name = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"",
            Err(
                "Cargo.lock: crate `a` 1.0.0 comes from `registry+x` without a checksum, so it can't be pinned",
            ),
        );
        check(
            &format!(
                "name = \"../a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"{SUM}\""
            ),
            Err("Cargo.lock: `../a` is not a package entry that Cargo writes"),
        );
    }

    #[test]
    fn packages_of_one_source_come_from_one_repository() {
        let package = |name: &str, source: &str| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"git+{source}\"\n"
            )
        };
        let [one, two] = ["1", "2"].map(|digit| digit.repeat(40));
        let text = package("a", &format!("https://h/a?rev=1#{one}"))
            + &package("a", &format!("https://h/a?rev=2#{two}"))
            + &package("b", &format!("https://h/a?rev=1#{one}"));
        let lock = ProjectPath::parse("Cargo.lock").unwrap();
        let read = parse(&text, &lock, &Vendored::default()).unwrap();
        let found = read.repositories.iter().map(|repository| {
            let names: Vec<&str> = repository.packages.iter().map(|(name, _)| &**name).collect();
            (repository.commit.as_str(), repository.line, names)
        });
        let expect = [(one.as_str(), 4, vec!["a", "b"]), (two.as_str(), 8, vec!["a"])];
        assert_eq!(found.collect::<Vec<_>>(), expect);
    }

    fn package(name: &str, version: &str) -> Package {
        let text = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let manifest = toml::from_str(&text).unwrap();
        Package::read(Path::new("/nowhere"), &ProjectPath::root(), &manifest).unwrap()
    }

    #[test]
    fn tells_which_package_of_the_checkout_is_needed_by_which() {
        let from = format!("source = \"registry+x\"\nchecksum = \"{SUM}\"\n");
        let text = format!(
            "[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"itoa 0.1.0\", \"json\", \"cc\"]\n\
             [[package]]\nname = \"itoa\"\nversion = \"0.1.0\"\n\
             [[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\n{from}\
             [[package]]\nname = \"json\"\nversion = \"1.0.0\"\n{from}dependencies = [\"memory\", \"itoa 1.0.0 (registry+x)\"]\n\
             [[package]]\nname = \"memory\"\nversion = \"2.0.0\"\n\
             [[package]]\nname = \"cc\"\nversion = \"1.0.0\"\n{from}"
        );
        let lock = ProjectPath::parse("Cargo.lock").unwrap();
        let read = parse(&text, &lock, &Vendored::default()).unwrap();
        let names = |found: Vec<&LockedPackage>| {
            found.iter().map(|p| format!("{} {}", p.name, p.version)).collect::<Vec<_>>()
        };
        let app = package("app", "0.1.0");
        assert_eq!(names(read.local_dependencies(&app)), ["itoa 0.1.0"]);
        assert_eq!(read.specification(&app), "app");
        assert_eq!(read.specification(&package("itoa", "0.1.0")), "itoa@0.1.0");
        let twice = text.replace("\"0.1.0\"", "\"1.0.0\"");
        let twice = parse(&twice, &lock, &Vendored::default()).unwrap();
        let expect = "path+file:///src#itoa@1.0.0";
        assert_eq!(twice.specification(&package("itoa", "1.0.0")), expect);
        let entry = read.entry(&app).unwrap();
        let needed = names(read.dependencies(entry).collect());
        assert_eq!(needed, ["itoa 0.1.0", "json 1.0.0", "cc 1.0.0"]);
    }
}
