//! Fetches the wheels that a lockfile pins and lays them out as one folder of packages.
//!
//! The user's own pip fetches them, so its index, proxies and credentials just work. The SHA-256s of the
//! lockfile decide whether what came is accepted. pip is told only names, versions and indexes; it runs
//! outside the checkout and builds nothing. Each wheel is unpacked once, however many projects ask for it.
//!
//! Only what can be imported is kept of a wheel: modules, their data, and `.dist-info`. If a package has
//! nothing better than a wheel with native code for Linux, the Python in that wheel is taken, because many
//! packages can do without the native code.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cache::{Digest, DigestFunction, Entry, Tree};
use engine::{Artifact, Builtin, BuiltinContext, BuiltinError};

use super::guest;
use super::lock::{IndexOption, Lock, LockedPackage};
use super::wheel::{self, WheelName};
use crate::bounded::{self, LONGEST_PACKAGE};
use crate::package::environment::PIP;
use crate::package::fetch::pip;
use crate::package::fetch::pip::Download;
use crate::package::unpack::importable;
use crate::package::{ClientError, Registries, Shelf, Sorted};
use crate::path::ProjectPath;

/// The shelf of unpacked wheels. The key is everything that decides which file of a package is fetched.
const SHELF: Shelf = Shelf::new("python-wheel 1");

/// The action that fetches wheels. It has no inputs; its output [`FetchWheels::OUTPUT`] is a folder.
pub(super) struct FetchWheels {
    lock: Lock,
    /// The folder of the project, because options for pip may name folders in it. It is not part of the key,
    /// as the checksums decide what is accepted.
    project: PathBuf,
    registries: Arc<Registries>,
}

/// An error for which the packages could not be fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("`{requirement}` has SHA-256 {found}, but {lock} pins {pinned}")]
    Mismatch { requirement: String, found: String, lock: ProjectPath, pinned: String },
    #[error("`{0}` is not on this machine, and this build is offline")]
    Offline(String),
    #[error("pip found no wheel for `{requirement}` that Python in WebAssembly can load")]
    NoWheel {
        requirement: String,
        #[source]
        source: ClientError,
    },
    #[error("`{0}` is native code alone: it has no wheel that Python in WebAssembly can load")]
    NativeAlone(String),
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

    pub(super) fn new(lock: Lock, project: PathBuf, registries: Arc<Registries>) -> Self {
        Self { lock, project, registries }
    }

    /// Returns each package with its unpacked tree, in the lock's order.
    fn trees(&self, cx: &BuiltinContext) -> Result<Vec<(&LockedPackage, Digest)>, BuiltinError> {
        let Sorted { here: mut trees, absent } =
            SHELF.sort(cx.store(), &self.lock.packages, LockedPackage::identity)?;
        if let Some(first) = absent.first() {
            if self.registries.network.offline {
                return Err(BuiltinError::failed(&FetchError::Offline(first.requirement())));
            }
            let scratch = cx.store().scratch()?;
            self.download(cx, &absent, scratch.path())?;
            let files = wheels(scratch.path())?;
            for package in absent {
                cx.status(format!("unpacking {}", package.requirement()));
                trees.push((package, self.unpack(cx, package, &files)?));
            }
            trees.sort();
        }
        Ok(trees)
    }

    /// Downloads the wheels of `absent` packages. Packages without a wheel that can be loaded come last, with
    /// a wheel for Linux. pip names one such package at a time, so it is run again without each that it
    /// names.
    fn download(
        &self,
        cx: &BuiltinContext,
        absent: &[&LockedPackage],
        into: &Path,
    ) -> Result<(), BuiltinError> {
        let (mut foreign, mut loadable): (Vec<_>, Vec<_>) =
            absent.iter().copied().partition(|package| package.is_foreign());
        while !loadable.is_empty() {
            let Err(error) = self.run_pip(cx, &loadable, &[], into)? else { break };
            match loadable.iter().position(|package| is_without_wheel(&error, package)) {
                Some(index) => foreign.push(loadable.remove(index)),
                None => return Err(self.judge(error, &loadable)),
            }
        }
        if !foreign.is_empty() {
            let run = self.run_pip(cx, &foreign, &wheel::linux(), into)?;
            run.map_err(|error| self.judge(error, &foreign))?;
        }
        Ok(())
    }

    /// Runs pip for wheels that can be loaded or are for one of the `foreign` platforms. The inner error is
    /// pip's.
    fn run_pip(
        &self,
        cx: &BuiltinContext,
        absent: &[&LockedPackage],
        foreign: &[String],
        into: &Path,
    ) -> Result<Result<(), ClientError>, BuiltinError> {
        cx.status("pip download");
        let list = into.join("requirements.txt");
        let read = |error| BuiltinError::infrastructure(&FetchError::Read(error));
        let text = self.requirements(absent).map_err(|error| BuiltinError::failed(&error))?;
        std::fs::write(&list, text).map_err(read)?;
        let platforms = absent.iter().flat_map(|package| &package.platforms).chain(foreign);
        let platforms: BTreeSet<&str> =
            platforms.map(String::as_str).chain([guest::PLATFORM, "any"]).collect();
        let abi = guest::PYTHON_VERSION.replace('.', "");
        let download = Download {
            python: &self.registries.programs.python,
            environment: self.registries.for_client_and_lent(PIP),
            platforms: platforms.into_iter().map(str::to_owned).collect(),
            abis: vec![format!("cp{abi}"), "abi3".to_owned(), "none".to_owned()],
            version: guest::PYTHON_VERSION.to_owned(),
        };
        let what: [OsString; 3] = ["--require-hashes".into(), "-r".into(), list.into_os_string()];
        Ok(download.run(&what, into, &|| cx.cancelled()))
    }

    /// Returns the requirements file that tells pip what to download.
    fn requirements(&self, absent: &[&LockedPackage]) -> Result<String, FetchError> {
        let mut text = String::new();
        for IndexOption { name, value } in &self.lock.index {
            self.check_variables(value)?;
            // A path in the file is relative to the file, but pip reads a copy elsewhere. So it is made
            // absolute.
            let is_url = value.contains("://") || value.starts_with("file:");
            // A variable that the user lends stands for a complete place of the user's.
            let is_whole = is_url || value.starts_with(['/', '$']);
            let is_folder = *name == "--find-links" && !is_whole;
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

    /// Refuses variables that the user does not lend, because pip replaces `${NAME}` by the value of the
    /// variable.
    fn check_variables(&self, value: &str) -> Result<(), FetchError> {
        let named = value.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
        for name in named {
            if !self.registries.is_lent(name) {
                let (lock, name) = (self.lock.file.clone(), name.to_owned());
                return Err(FetchError::Variable { lock, name });
            }
        }
        Ok(())
    }

    /// Decides what kind of error a failure of pip is: a wrong checksum, a missing wheel, or infrastructure.
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
        if matches!(error, ClientError::Cancelled) {
            return BuiltinError::Cancelled;
        }
        if let Some(package) = absent.iter().find(|package| is_without_wheel(&error, package)) {
            let requirement = package.requirement();
            return BuiltinError::failed(&FetchError::NoWheel { requirement, source: error });
        }
        BuiltinError::infrastructure(&FetchError::Pip { lock, source: error })
    }

    /// Unpacks the wheel of a package. The file has to have one of the package's checksums.
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
        let name = file.file_name().and_then(OsStr::to_str).and_then(WheelName::parse);
        let is_foreign = name.is_some_and(|name| name.is_foreign());
        let left_out = |path: &str| is_foreign && wheel::is_native(path);
        let tree = importable(cx.store(), &bytes, &left_out, &|| cx.cancelled())
            .map_err(|error| error.ends(|error| BuiltinError::failed(&error)))?;
        if is_foreign && !has_modules(&tree) {
            return Err(BuiltinError::failed(&FetchError::NativeAlone(requirement)));
        }
        let digest = cx.store().put_tree(&tree)?;
        SHELF.keep(cx.store(), &package.identity(), digest)?;
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
        // An offline build runs it all the same, because the packages may all be in the store.
        !self.registries.network.offline
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

    /// Returns true if, as far as the lockfile says, its wheel has native code that can't be loaded.
    fn is_foreign(&self) -> bool {
        let is_wasi = |platform: &String| platform.starts_with("wasi");
        !self.platforms.is_empty() && !self.platforms.iter().any(is_wasi)
    }

    /// Returns everything that decides which file is fetched, as the key of the shelf.
    fn identity(&self) -> String {
        let hashes: Vec<&str> = self.hashes.iter().map(String::as_str).collect();
        format!("{} {} {}", self.requirement(), self.platforms.join("."), hashes.join(","))
    }
}

/// Returns true if pip failed because a package has no wheel for the platforms that were asked for.
fn is_without_wheel(error: &ClientError, package: &LockedPackage) -> bool {
    let ClientError::Failed { output, .. } = error else { return false };
    let none = format!("No matching distribution found for {}", package.requirement());
    let is_named = output.lines().any(|line| line.trim_end().ends_with(&none));
    // pip says the same of an index that it can't reach, but then after a line for each retry.
    is_named && !output.contains("Retrying (")
}

/// Returns true if a package has a Python file.
fn has_modules(tree: &Tree) -> bool {
    tree.entries.iter().any(|(name, entry)| match entry {
        Entry::Directory(inner) => has_modules(inner),
        _ => name.ends_with(".py"),
    })
}

/// Returns the wheels in a folder, by the normalised names of their packages.
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

/// Several packages merged into one folder.
#[derive(Default)]
struct Merged {
    /// The entry at each path, and the package that brought it.
    entries: BTreeMap<String, (Entry, String)>,
}

impl Merged {
    /// Adds the content of `tree` below the path `above`. Packages may share folders, and files with equal
    /// content, as namespace packages do.
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
        let registries = Registries {
            lent: vec!["TOKEN".to_owned(), "PIP_USER".to_owned()],
            ..Registries::default()
        };
        FetchWheels::new(lock, PathBuf::from("/project"), Arc::new(registries))
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
            ("--find-links", "${TOKEN}/wheels"),
            ("--pre", ""),
        ]);
        assert_eq!(
            fetch.requirements(&[&package("one")]).unwrap(),
            format!(
                "--index-url https://${{PIP_USER}}:${{TOKEN}}@host/simple\n\
                 --find-links \"/project/wheels\"\n\
                 --find-links https://host/wheels\n--find-links ${{TOKEN}}/wheels\n--pre \n\
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
            "failed: pip found no wheel for `one==1.0` that Python in WebAssembly can load: `pip` \
             failed (exit status: 1)",
        );
        let other = none.replace("one==1.0", "one==1.0.1");
        check(
            &other,
            "infrastructure: pip could not fetch the packages of requirements.txt: `pip` failed (exit \
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
