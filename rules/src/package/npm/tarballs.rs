//! Downloads the tarballs of packages through the user's npm, all of them with one call.
//!
//! `npm cache add` puts them into a cache folder of our own, which names content by its hash. So a tarball is
//! looked up by its expected hash, whatever npm and the registry say about it. Nothing is unpacked, and no
//! script of a package is run. npm's own configuration decides on registry, proxies and credentials.
//!
//! No lock is known here: toolchains look tarballs up by the SHA-256 of our lock, projects by the `integrity`
//! of npm's lockfile.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use cache::{ContentStore, ScratchDir, StoreError};

use super::integrity::Integrity;
use crate::bounded::{self, LONGEST_PACKAGE};
use crate::package::environment::Variables;
use crate::package::fetch::{Client, ClientError, run};
use crate::package::unpack::npm_manifest;

const INSTALL: &str = "install npm (Debian: npm)";

/// The number of packages that one call asks for, because the arguments of a program have a maximum length.
const BATCH: usize = 1000;

/// The user's npm, and how it is run.
pub(crate) struct Npm<'a> {
    /// The program: a name to look up in `PATH`, or a path.
    pub(crate) program: &'a OsStr,
    /// The environment variables that npm gets.
    pub(crate) variables: Variables,
    /// The folder that npm takes for the project. It is a folder of ours, because npm reads configuration in it
    /// in addition to the user's own. With this folder given, npm does not look for a project in the folders
    /// above.
    pub(crate) prefix: &'a Path,
    /// The function that returns true if the work has to stop.
    pub(crate) cancelled: &'a dyn Fn() -> bool,
}

/// One version of a package of a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spec {
    /// The package's name with its scope.
    pub(crate) name: String,
    /// The package's version.
    pub(crate) version: String,
}

/// Tarballs that npm has downloaded. They are deleted when this value is dropped.
pub(crate) struct Tarballs {
    folder: ScratchDir,
    /// The downloaded tarballs by the hashes that npm's cache does not use as names. They are computed on
    /// first use.
    others: Mutex<Option<Arc<BTreeMap<Integrity, PathBuf>>>>,
}

/// The reason why packages can't be had from npm.
#[derive(Debug, thiserror::Error)]
pub enum NpmError {
    /// npm failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A package has other bytes than were pinned.
    #[error("{package} has other bytes than the lock says: expected {expected}, got {actual}")]
    Mismatch {
        /// The package's name and version.
        package: String,
        /// The hash that was pinned.
        expected: String,
        /// The hash of the bytes that came.
        actual: String,
    },
    /// npm refused a package because it has other bytes than its registry says.
    #[error("npm got other bytes than the registry promised ({0})")]
    Corrupt(String),
    /// A text is not the name and version of a package in a registry.
    #[error("`{0}` is no package of an npm registry")]
    NotASpec(String),
    /// The lockfile that npm made can't be used.
    #[error("npm made a lockfile that can't be used: {0}")]
    Lockfile(String),
    /// A file can't be read or written.
    #[error("cannot read or write {}", .path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NpmError {
    /// Returns true if other bytes came than were pinned or promised.
    #[must_use]
    pub const fn is_mismatch(&self) -> bool {
        matches!(self, Self::Mismatch { .. } | Self::Corrupt(_))
    }

    /// Returns true if npm was stopped because the user wanted it.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        matches!(self, Self::Client(ClientError::Cancelled))
    }

    pub(crate) fn local(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Local { path, source }
    }
}

impl Spec {
    /// Checks that this is the name and version of a package in a registry. Nothing else may pass, because
    /// npm also accepts a path or a repository, and would run scripts from there.
    ///
    /// # Errors
    /// The name or the version is invalid.
    pub(crate) fn new(name: &str, version: &str) -> Result<Self, NpmError> {
        let plain = |text: &str| {
            let character = |c: char| c.is_ascii_alphanumeric() || "-_.~!'()*".contains(c);
            !text.is_empty() && !text.starts_with(['.', '-']) && text.chars().all(character)
        };
        let is_name = match name.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(s, n)| plain(s) && plain(n)),
            None => plain(name),
        };
        match is_name && semver::Version::parse(version).is_ok() {
            true => Ok(Self { name: name.to_owned(), version: version.to_owned() }),
            false => Err(NpmError::NotASpec(format!("{name}@{version}"))),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl Npm<'_> {
    /// Runs npm with these arguments.
    ///
    /// # Errors
    /// npm can't be run, or fails.
    pub(crate) fn run(&self, arguments: &[OsString]) -> Result<(), NpmError> {
        // Given a prefix, npm would look for the configuration of the whole machine below it, too. So the
        // usual path of that is asked for first, and then given to npm.
        let global = self.ask(&["config", "get", "globalconfig"].map(Into::into))?;
        let global = String::from_utf8_lossy(&global);
        let own = ["--prefix".into(), self.prefix.into()];
        let global = ["--globalconfig".into(), global.trim().into()];
        let fixed = [
            "--ignore-scripts",
            "--loglevel=error",
            "--no-progress",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            "--no-global",
        ];
        self.ask(&[arguments, &own, &global, &fixed.map(Into::into)].concat())?;
        Ok(())
    }

    /// Runs npm and returns its standard output.
    fn ask(&self, arguments: &[OsString]) -> Result<Vec<u8>, NpmError> {
        let configure = |command: &mut Command| {
            command.env_clear().envs(&self.variables).args(arguments);
        };
        let client = Client { program: self.program, install: INSTALL };
        run(client, configure, self.cancelled)?.succeeded().map_err(explained)
    }

    /// Downloads the tarballs of packages.
    ///
    /// # Errors
    /// npm fails for any of the packages.
    pub(crate) fn download(
        &self,
        store: &ContentStore,
        specs: &[Spec],
    ) -> Result<Tarballs, NpmError> {
        let folder = store.scratch()?;
        for batch in specs.chunks(BATCH) {
            let mut arguments: Vec<OsString> = vec!["cache".into(), "add".into()];
            arguments.extend(batch.iter().map(|spec| spec.to_string().into()));
            arguments.extend(["--cache".into(), folder.path().into()]);
            self.run(&arguments)?;
        }
        Ok(Tarballs { folder, others: Mutex::default() })
    }
}

/// Converts a failure of npm into an error that does not repeat the thousand packages of the command line.
fn explained(error: ClientError) -> NpmError {
    let ClientError::Failed { command, status, output } = error else { return error.into() };
    if let Some(line) = output.lines().find(|line| line.contains("integrity checksum failed")) {
        let wanted = line.find("wanted ").map_or(line, |at| &line[at..]);
        return NpmError::Corrupt(wanted.trim_end_matches('.').to_owned());
    }
    let words: Vec<&str> = command.split(' ').take(3).collect();
    ClientError::Failed { command: words.join(" "), status, output }.into()
}

impl Tarballs {
    /// Returns the tarball of a package.
    ///
    /// # Errors
    /// The tarball that came for the package has another hash.
    pub(crate) fn get(&self, spec: &Spec, expected: &Integrity) -> Result<Vec<u8>, NpmError> {
        let path = self.contents().join(expected.cache_path());
        let path = match path.exists() {
            true => Some(path),
            false => self.others()?.get(expected).cloned(),
        };
        let mismatch = |actual: Option<String>| NpmError::Mismatch {
            package: spec.to_string(),
            expected: expected.to_string(),
            actual: actual.unwrap_or_else(|| "something else".to_owned()),
        };
        let Some(path) = path else { return Err(mismatch(self.what_came(spec, expected)?)) };
        let bytes = bounded::read(&path, LONGEST_PACKAGE).map_err(NpmError::local(&path))?;
        match expected.of(&bytes) {
            actual if actual == *expected => Ok(bytes),
            actual => Err(mismatch(Some(actual.to_string()))),
        }
    }

    /// Returns the folder in which npm's cache keeps content by algorithm and hash.
    fn contents(&self) -> PathBuf {
        self.folder.path().join("_cacache/content-v2")
    }

    fn files(&self) -> Result<Vec<PathBuf>, NpmError> {
        let mut files = Vec::new();
        for entry in walkdir::WalkDir::new(self.contents()).sort_by_file_name() {
            let entry = entry.map_err(|error| {
                let path = self.contents();
                let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
                NpmError::Local { path, source }
            })?;
            if entry.file_type().is_file() {
                files.push(entry.into_path());
            }
        }
        Ok(files)
    }

    /// Returns the downloaded tarballs by the hashes that npm's cache does not use as names.
    fn others(&self) -> Result<Arc<BTreeMap<Integrity, PathBuf>>, NpmError> {
        let mut known = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(Arc::clone(known));
        }
        let mut others = BTreeMap::new();
        for path in self.files()? {
            let bytes = bounded::read(&path, LONGEST_PACKAGE).map_err(NpmError::local(&path))?;
            others.extend(Integrity::others(&bytes).map(|integrity| (integrity, path.clone())));
        }
        Ok(Arc::clone(known.insert(Arc::new(others))))
    }

    /// Returns the hash of the tarball that came for a package, or `None` if none came. The tarball is
    /// recognised by the name and version in its package.json.
    fn what_came(&self, spec: &Spec, expected: &Integrity) -> Result<Option<String>, NpmError> {
        for path in self.files()? {
            let bytes = bounded::read(&path, LONGEST_PACKAGE).map_err(NpmError::local(&path))?;
            let Some(manifest) = npm_manifest(&bytes) else { continue };
            if (manifest.name.as_deref(), manifest.version.as_deref())
                == (Some(&spec.name), Some(&spec.version))
            {
                return Ok(Some(expected.of(&bytes).to_string()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_of_a_registry_are_asked_for() {
        let check = |name: &str, version: &str, good: bool| {
            assert_eq!(Spec::new(name, version).is_ok(), good, "{name}@{version}");
        };
        check("left-pad", "1.3.0", true);
        check("@types/node", "24.1.0-beta.1", true);
        check("JSONStream", "1.3.5", true);
        check("github:someone/thing", "1.0.0", false);
        check("someone/thing", "1.0.0", false);
        check("../thing", "1.0.0", false);
        check("--registry", "1.0.0", false);
        check("@a/b/c", "1.0.0", false);
        check("thing", "latest", false);
        check("thing", "^1.0.0", false);
        check("thing", "git+file:///tmp/x", false);
    }

    #[test]
    fn a_failure_names_no_thousand_packages() {
        let failed = |output: &str| ClientError::Failed {
            command: "npm cache add a@1.0.0 b@1.0.0".to_owned(),
            status: std::os::unix::process::ExitStatusExt::from_raw(256),
            output: output.to_owned(),
        };
        let error = explained(failed("npm error code E404")).to_string();
        assert_eq!(error, "`npm cache add` failed (exit status: 1)\nnpm error code E404");
        let line = "npm error sha512-A integrity checksum failed when using sha512: \
             wanted sha512-A but got sha512-B. (9 bytes)";
        let error = explained(failed(line));
        assert!(error.is_mismatch());
        let expect = "npm got other bytes than the registry promised \
             (wanted sha512-A but got sha512-B. (9 bytes))";
        assert_eq!(error.to_string(), expect);
    }
}
