//! Fetches the wheels that a lockfile pins and lays them out as one folder of packages.
//!
//! The user's own pip does the talking, so its index, proxies and credentials just work; the SHA-256s
//! of the lockfile judge what came. pip is told names, versions and indexes alone: it runs far from the
//! checkout and builds nothing. Each wheel is unpacked once, whatever project asks for it. Of a wheel only what
//! can be imported is kept: modules, their data, and `.dist-info`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Digest, DigestFunction, DiskStore, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use super::guest;
use super::lock::{IndexOption, Lock, LockedPackage};
use super::wheel::WheelName;
use crate::bounded::{self, LONGEST_PACKAGE};
use crate::environment::PIP;
use crate::path::ProjectPath;
use crate::plan::Clients;
use crate::toolchain::ClientError;
use crate::toolchain::fetch::pip::{self, Download};
use crate::toolchain::unpack::importable;

/// The action that fetches wheels. No inputs; output: [`FetchWheels::OUTPUT`], a folder.
pub(super) struct FetchWheels {
    lock: Lock,
    /// Where the project is: options for pip may name folders of it. Not part of the key, as
    /// checksums decide what comes.
    project: PathBuf,
    clients: Arc<Clients>,
}

/// Why packages could not be had.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("`{requirement}` has SHA-256 {found}, but {lock} pins {pinned}")]
    Mismatch { requirement: String, found: String, lock: ProjectPath, pinned: String },
    #[error("`{0}` is not on this machine, and this build is offline")]
    Offline(String),
    #[error(
        "pip found no wheel for `{requirement}` that Python in WebAssembly can load: it takes \
         pure-Python wheels (`py3-none-any`) and those built for WASI"
    )]
    NoWheel {
        requirement: String,
        #[source]
        source: ClientError,
    },
    #[error("pip could not fetch the packages of {lock}")]
    Pip {
        lock: ProjectPath,
        #[source]
        source: ClientError,
    },
    #[error("pip downloaded the packages of {lock}, but no wheel of `{requirement}`")]
    Absent { lock: ProjectPath, requirement: String },
    #[error(
        "{lock} refers to the variable `{name}`: a checkout may not choose which variables of your \
         environment a server is told; lend it with RUN_FETCH_VARIABLES={name}, or with `[fetch] variables` in the \
         configuration of run"
    )]
    Variable { lock: ProjectPath, name: String },
    #[error("cannot read what pip downloaded")]
    Read(#[source] std::io::Error),
    #[error("packages `{one}` and `{two}` both have `{path}`, with different content")]
    Clash { one: String, two: String, path: String },
}

impl FetchWheels {
    /// The name of the output.
    pub(super) const OUTPUT: &'static str = "site-packages";

    pub(super) fn new(lock: Lock, project: PathBuf, clients: Arc<Clients>) -> Self {
        Self { lock, project, clients }
    }

    /// The trees of all packages, in the lock's order.
    fn trees(&self, cx: &BuiltinContext) -> Result<Vec<(&LockedPackage, Digest)>, BuiltinError> {
        let mut trees = Vec::new();
        let mut absent = Vec::new();
        for package in &self.lock.packages {
            match unpacked(cx.store(), package)? {
                Some(tree) => trees.push((package, tree)),
                None => absent.push(package),
            }
        }
        if let Some(first) = absent.first() {
            if self.clients.offline {
                return Err(BuiltinError::failed(&FetchError::Offline(first.requirement())));
            }
            let scratch = cx.store().scratch()?;
            self.run_pip(cx, &absent, scratch.path())?;
            let files = wheels(scratch.path())?;
            for package in absent {
                cx.status(format!("unpacking {}", package.requirement()));
                trees.push((package, self.unpack(cx, package, &files)?));
            }
            trees.sort();
        }
        Ok(trees)
    }

    fn run_pip(
        &self,
        cx: &BuiltinContext,
        absent: &[&LockedPackage],
        into: &Path,
    ) -> Result<(), BuiltinError> {
        cx.status("pip download");
        let list = into.join("requirements.txt");
        let read = |error| BuiltinError::infrastructure(&FetchError::Read(error));
        let text = self.requirements(absent).map_err(|error| BuiltinError::failed(&error))?;
        std::fs::write(&list, text).map_err(read)?;
        let platforms = absent.iter().flat_map(|package| &package.platforms).map(String::as_str);
        let platforms: BTreeSet<&str> = platforms.chain([guest::PLATFORM, "any"]).collect();
        let abi = guest::PYTHON_VERSION.replace('.', "");
        let download = Download {
            python: OsStr::new("python3"),
            environment: self.clients.for_client_and_lent(PIP),
            platforms: platforms.into_iter().map(str::to_owned).collect(),
            abis: vec![format!("cp{abi}"), "abi3".to_owned(), "none".to_owned()],
            version: guest::PYTHON_VERSION.to_owned(),
        };
        let what: [OsString; 3] = ["--require-hashes".into(), "-r".into(), list.into_os_string()];
        download.run(&what, into, &|| cx.cancelled()).map_err(|error| self.judge(error, absent))
    }

    /// What pip is to download, in its own format.
    fn requirements(&self, absent: &[&LockedPackage]) -> Result<String, FetchError> {
        let mut text = String::new();
        for IndexOption { name, value } in &self.lock.index {
            self.check_variables(value)?;
            // pip runs elsewhere, so what is relative to the file is so no more.
            let is_url = value.contains("://") || value.starts_with("file:");
            let is_folder = *name == "--find-links" && !is_url && !value.starts_with('/');
            let folder = || self.lock.file.parent().on_disk(&self.project);
            let _ = match is_folder {
                true => writeln!(text, "{name} {:?}", folder().join(value)),
                false => writeln!(text, "{name} {value}"),
            };
        }
        for package in absent {
            let _ = write!(text, "{}", package.requirement());
            for hash in &package.hashes {
                let _ = write!(text, " --hash=sha256:{hash}");
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// pip puts the values of variables in the place of `${NAME}`.
    fn check_variables(&self, value: &str) -> Result<(), FetchError> {
        let named = value.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
        for name in named {
            if !self.clients.is_lent(name) {
                let (lock, name) = (self.lock.file.clone(), name.to_owned());
                return Err(FetchError::Variable { lock, name });
            }
        }
        Ok(())
    }

    /// Whose fault it is that pip failed.
    fn judge(&self, error: ClientError, absent: &[&LockedPackage]) -> BuiltinError {
        let lock = self.lock.file.clone();
        if let Some(wrong) = pip::wrong_hash(&error) {
            let pip::WrongHash { requirement, expected, found } = wrong;
            return BuiltinError::mismatch(&FetchError::Mismatch {
                requirement,
                found,
                lock,
                pinned: expected,
            });
        }
        let output = match &error {
            ClientError::Cancelled => return BuiltinError::Cancelled,
            ClientError::Failed { output, .. } => output.as_str(),
            _ => "",
        };
        // pip says the same of an index that it can't reach, after a line for each try.
        let none = output.contains("No matching distribution found");
        if none && !output.contains("Retrying (") {
            let named = |package: &&&LockedPackage| {
                output.contains(&format!("found for {}", package.requirement()))
            };
            let requirement =
                absent.iter().find(named).map_or("a package".to_owned(), |p| p.requirement());
            return BuiltinError::failed(&FetchError::NoWheel { requirement, source: error });
        }
        BuiltinError::infrastructure(&FetchError::Pip { lock, source: error })
    }

    /// Unpacks the wheel of a package, which has to have one of its checksums.
    fn unpack(
        &self,
        cx: &BuiltinContext,
        package: &LockedPackage,
        files: &BTreeMap<String, PathBuf>,
    ) -> Result<Digest, BuiltinError> {
        let (lock, requirement) = (self.lock.file.clone(), package.requirement());
        let Some(file) = files.get(&package.name) else {
            return Err(BuiltinError::infrastructure(&FetchError::Absent { lock, requirement }));
        };
        let read = |error| BuiltinError::infrastructure(&FetchError::Read(error));
        let bytes = bounded::read(file, LONGEST_PACKAGE).map_err(read)?;
        let found = Digest::of(DigestFunction::Sha256, &bytes).hex();
        if !package.hashes.contains(&found) {
            let pinned = package.hashes.iter().cloned().collect::<Vec<_>>().join(" or ");
            let mismatch = FetchError::Mismatch { requirement, found, lock, pinned };
            return Err(BuiltinError::mismatch(&mismatch));
        }
        let tree = importable(cx.store(), &bytes, &|| cx.cancelled())
            .map_err(|error| BuiltinError::failed(&error))?;
        let digest = cx.store().put_tree(&tree)?;
        crate::memo::remember_tree(cx.store(), &memo_key(cx.store(), package), &digest)?;
        Ok(digest)
    }
}

impl Builtin for FetchWheels {
    fn name(&self) -> &str {
        "pip-fetch"
    }

    fn version(&self) -> &str {
        "1"
    }

    fn arguments(&self) -> Vec<String> {
        self.lock.packages.iter().map(LockedPackage::identity).collect()
    }

    fn needs_network(&self) -> bool {
        // Offline, it still runs: the packages may all be here.
        !self.clients.offline
    }

    fn run(&self, cx: &BuiltinContext) -> Result<(), BuiltinError> {
        let mut merged = Merged::default();
        for (package, digest) in self.trees(cx)? {
            let tree = cx.store().tree(&digest)?.ok_or(BuiltinError::Missing(digest))?;
            merged.add(package, "", &tree).map_err(|error| BuiltinError::failed(&error))?;
        }
        let tree = merged.tree().map_err(|error| BuiltinError::failed(&error))?;
        cx.produce(Self::OUTPUT, Artifact::Tree(cx.store().put_tree(&tree)?));
        Ok(())
    }
}

impl LockedPackage {
    fn requirement(&self) -> String {
        format!("{}=={}", self.name, self.version)
    }

    /// All that decides which files come.
    fn identity(&self) -> String {
        let hashes: Vec<&str> = self.hashes.iter().map(String::as_str).collect();
        format!("{} {} {}", self.requirement(), self.platforms.join("."), hashes.join(","))
    }
}

/// The wheels in a folder, by the normalised names of their packages.
fn wheels(folder: &Path) -> Result<BTreeMap<String, PathBuf>, BuiltinError> {
    let read = |error| BuiltinError::infrastructure(&FetchError::Read(error));
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().and_then(OsStr::to_str).and_then(WheelName::parse);
        if let Some(package) = name.map(|name| name.package()) {
            found.insert(package, path);
        }
    }
    Ok(found)
}

/// The key under which the store remembers the tree of a package.
fn memo_key(store: &DiskStore, package: &LockedPackage) -> Digest {
    let text = format!("python-wheel 1 {}", package.identity());
    Digest::of(store.function(), text.as_bytes())
}

fn unpacked(store: &DiskStore, package: &LockedPackage) -> Result<Option<Digest>, BuiltinError> {
    let Some(tree) = crate::memo::tree(store, &memo_key(store, package))? else { return Ok(None) };
    // A tree that lost blobs is unpacked again.
    Ok(store.contains_tree(&tree)?.then_some(tree))
}

/// Packages laid over each other.
#[derive(Default)]
struct Merged {
    /// Path → what stands there, and the package that brought it.
    entries: BTreeMap<String, (Entry, String)>,
}

impl Merged {
    /// Adds what stands in `tree` below `above`. Packages may share folders, and files that are the
    /// same in both, as those of namespace packages are.
    fn add(&mut self, package: &LockedPackage, above: &str, tree: &Tree) -> Result<(), FetchError> {
        for (name, entry) in &tree.entries {
            let path = format!("{above}{name}");
            if let Entry::Directory(folder) = entry {
                self.add(package, &format!("{path}/"), folder)?;
                continue;
            }
            match self.entries.get(&path) {
                Some((other, one)) if other != entry => {
                    let (one, two) = (one.clone(), package.name.clone());
                    return Err(FetchError::Clash { one, two, path });
                }
                _ => _ = self.entries.insert(path, (entry.clone(), package.name.clone())),
            }
        }
        Ok(())
    }

    fn tree(self) -> Result<Tree, cache::TreeError> {
        let mut tree = Tree::default();
        for (path, (entry, _)) in self.entries {
            tree.insert(&path, entry)?;
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> LockedPackage {
        LockedPackage {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            hashes: ["b".repeat(64), "a".repeat(64)].into(),
            platforms: Vec::new(),
        }
    }

    fn fetch(index: &[(&'static str, &str)]) -> FetchWheels {
        let lock = Lock {
            file: ProjectPath::parse("requirements.txt").unwrap(),
            folder: ProjectPath::root(),
            packages: vec![package("one")],
            local: Vec::new(),
            left_out: Vec::new(),
            index: index
                .iter()
                .map(|(name, value)| IndexOption { name, value: (*value).to_owned() })
                .collect(),
        };
        let clients =
            Clients { lent: vec!["TOKEN".to_owned(), "PIP_USER".to_owned()], ..Clients::default() };
        FetchWheels::new(lock, PathBuf::from("/project"), Arc::new(clients))
    }

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, content) in files {
            let digest = Digest::of(DigestFunction::Blake3, content.as_bytes());
            tree.insert(path, Entry::File { digest, executable: false }).unwrap();
        }
        tree
    }

    #[test]
    fn pip_is_asked_for_exactly_what_is_locked() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let fetch = fetch(&[
            ("--index-url", "https://${PIP_USER}:${TOKEN}@host/simple"),
            ("--find-links", "wheels"),
            ("--find-links", "https://host/wheels"),
            ("--pre", ""),
        ]);
        assert_eq!(
            fetch.requirements(&[&package("one")]).unwrap(),
            format!(
                "--index-url https://${{PIP_USER}}:${{TOKEN}}@host/simple\n\
                 --find-links \"/project/wheels\"\n\
                 --find-links https://host/wheels\n--pre \n\
                 one==1.0 --hash=sha256:{a} --hash=sha256:{b}\n"
            )
        );
        assert_eq!(fetch.arguments(), [format!("one==1.0  {a},{b}")]);
    }

    #[test]
    fn a_checkout_does_not_choose_what_a_server_is_told() {
        let fetch = fetch(&[("--index-url", "https://host/${PIP_USER}/${PIP_INDEX_URL}")]);
        let error = fetch.requirements(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("requirements.txt refers to the variable `PIP_INDEX_URL`: "),
            "{error}"
        );
    }

    #[test]
    fn failures_of_pip_are_told_apart() {
        use std::os::unix::process::ExitStatusExt as _;
        let check = |output: &str, expect: &str| {
            let error = ClientError::Failed {
                command: "pip".to_owned(),
                status: std::process::ExitStatus::from_raw(256),
                output: output.to_owned(),
            };
            let error = fetch(&[]).judge(error, &[&package("one")]);
            let kind = match &error {
                BuiltinError::Failed(_) => "failed",
                BuiltinError::Mismatch(_) => "mismatch",
                BuiltinError::Infrastructure(_) => "infrastructure",
                _ => "other",
            };
            assert_eq!(format!("{kind}: {error}").lines().next().unwrap(), expect);
        };
        let none = "ERROR: Could not find a version that satisfies the requirement one==1.0 (from \
                    versions: none)\nERROR: No matching distribution found for one==1.0";
        check(
            none,
            "failed: pip found no wheel for `one==1.0` that Python in WebAssembly can load: it \
             takes pure-Python wheels (`py3-none-any`) and those built for WASI: `pip` failed (exit \
             status: 1)",
        );
        let unreachable =
            format!("WARNING: Retrying (Retry(total=0)) after connection broken\n{none}");
        let pip = "infrastructure: pip could not fetch the packages of requirements.txt: `pip` \
                   failed (exit status: 1)";
        check(&unreachable, pip);
        check("ERROR: something else", pip);
        check(
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    \
             one==1.0 from https://host/one.whl (from -r x (line 1)):\n        \
             Expected sha256 aaaa\n             Got        bbbb",
            "mismatch: `one==1.0` has SHA-256 bbbb, but requirements.txt pins aaaa",
        );
    }

    #[test]
    fn packages_share_folders_but_no_differing_files() {
        let mut merged = Merged::default();
        let namespace = ("ns/__init__.py", "namespace");
        merged.add(&package("one"), "", &tree(&[namespace, ("ns/one.py", "1")])).unwrap();
        merged.add(&package("two"), "", &tree(&[namespace, ("ns/two.py", "2")])).unwrap();
        let error = merged.add(&package("three"), "", &tree(&[("ns/two.py", "3")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "packages `two` and `three` both have `ns/two.py`, with different content"
        );
        let expect = tree(&[namespace, ("ns/one.py", "1"), ("ns/two.py", "2")]);
        assert_eq!(merged.tree().unwrap(), expect);
    }
}
