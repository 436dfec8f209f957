//! Fetches the files of a commit with the user's own git, byte for byte, and says which submodules the commit has.
//!
//! Git runs on an empty repository of its own. Nothing in a project configures it, and neither does anything
//! that it fetches: no hooks, submodules or filters, and none of the attributes in the commit. The user's own
//! configuration counts, because credentials and mirrors are there.

mod submodules;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use cache::{ContentStore, ScratchDir};

pub(crate) use self::submodules::Submodule;
use super::fetch::{Client, read_file, run};
use super::{ClientError, HttpError, Registries};
use crate::bounded::LONGEST_PACKAGE;
use crate::redact::mask_urls;

/// The user's git.
pub(crate) struct Git<'a> {
    pub(crate) registries: &'a Registries,
    /// The store whose scratch holds the repositories while they are needed.
    pub(crate) store: &'a ContentStore,
    pub(crate) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// An error for which git did not give a commit.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot prepare a folder for git")]
    Prepare(#[source] std::io::Error),
    #[error(transparent)]
    Store(#[from] cache::StoreError),
    #[error(transparent)]
    Read(HttpError),
    #[error("the repository has no commit {0}")]
    NoCommit(String),
    #[error("what git says of the submodules is not text")]
    NotText,
}

/// The files of a commit.
pub(crate) struct Commit {
    /// All files, as a tar archive. In the place of a submodule it has an empty folder.
    pub(crate) archive: Vec<u8>,
    /// The submodules that are fetched with the commit.
    pub(crate) submodules: Vec<Submodule>,
}

impl GitError {
    /// Returns the same error without the login that a URL may hold.
    fn without_login(self, url: &str) -> Self {
        match self {
            Self::Client(ClientError::Failed { command, status, output }) => {
                let mask = |text: String| text.replace(url, &mask_urls(url));
                let (command, output) = (mask(command), mask(output));
                Self::Client(ClientError::Failed { command, status, output })
            }
            other => other,
        }
    }
}

/// The variables that tell git which repository it works on. Git sets them for its hooks, and `run` may have
/// been started by one.
const OF_A_REPOSITORY: [&str; 10] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

/// Attributes that override those in a commit, so that all of its files are taken unchanged.
const ATTRIBUTES: &str = "* -export-ignore -export-subst -text -eol -ident -filter \
                          -working-tree-encoding\n";

/// The options that every git command gets.
const ALWAYS: [&str; 12] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "fetch.recurseSubmodules=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "tar.umask=0022",
];

/// Returns true if `text` can name a commit, and can't be taken for an option or a range.
pub(crate) fn is_reference(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/+=@%".contains(&byte);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    begins && !text.contains("..") && !text.contains("@{") && text.bytes().all(plain)
}

/// Returns true if `text` is the full name of a commit.
fn is_object(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Git<'_> {
    /// Returns the files of a commit as a tar archive.
    ///
    /// # Errors
    /// See [`GitError`].
    pub(crate) fn archive(&self, url: &str, reference: &str) -> Result<Vec<u8>, GitError> {
        self.fetch(url, reference)?.archive()
    }

    /// Returns the files of a commit, which is named by its hash, and the commit's submodules.
    ///
    /// # Errors
    /// See [`GitError`].
    pub(crate) fn commit(&self, url: &str, commit: &str) -> Result<Commit, GitError> {
        let fetched = self.fetch(url, commit)?;
        let exists = ["cat-file", "-e", &format!("{commit}^{{commit}}")];
        match fetched.run(&exists, None) {
            Err(GitError::Client(ClientError::Failed { .. })) => {
                return Err(GitError::NoCommit(commit.to_owned()));
            }
            other => other?,
        };
        Ok(Commit { submodules: fetched.submodules()?, archive: fetched.archive()? })
    }

    fn fetch(&self, url: &str, reference: &str) -> Result<Repository<'_>, GitError> {
        let scratch = self.store.scratch()?;
        let folder = scratch.path().join("repository");
        let commit = if is_object(reference) { reference } else { "FETCH_HEAD" };
        let repository = Repository { git: self, scratch, folder, commit: commit.to_owned() };
        let mut init = vec!["init", "--quiet", "--bare", "--template="];
        if reference.len() == 64 && is_object(reference) {
            init.push("--object-format=sha256");
        }
        repository.run(&init, Some(&repository.folder))?;
        let info = repository.folder.join("info");
        std::fs::create_dir_all(&info)
            .and_then(|()| std::fs::write(info.join("attributes"), ATTRIBUTES))
            .map_err(GitError::Prepare)?;
        repository.fetch(url, reference).map_err(|error| error.without_login(url))?;
        Ok(repository)
    }
}

/// A repository that holds a fetched commit, until this value is dropped.
struct Repository<'a> {
    git: &'a Git<'a>,
    scratch: ScratchDir,
    folder: PathBuf,
    /// The name of the commit in the repository.
    commit: String,
}

impl Repository<'_> {
    /// Fetches the commit alone, or the whole repository if the server hands out no single commits.
    fn fetch(&self, url: &str, reference: &str) -> Result<(), GitError> {
        const QUIET: [&str; 4] = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        let alone = [&QUIET[..], &["--depth=1", "--", url, reference]].concat();
        match self.run(&alone, None) {
            Err(GitError::Client(ClientError::Failed { .. })) if is_object(reference) => {
                let all = [&QUIET[..], &["--", url, "+refs/*:refs/fetched/*"]].concat();
                self.run(&all, None)?;
            }
            other => _ = other?,
        }
        Ok(())
    }

    fn archive(&self) -> Result<Vec<u8>, GitError> {
        let file = self.scratch.path().join("archive.tar");
        let mut output = OsString::from("--output=");
        output.push(&file);
        let commit = self.commit.as_ref();
        let archive = [OsStr::new("archive"), OsStr::new("--format=tar"), &output, commit];
        self.run(&archive, None)?;
        read_file(&file, LONGEST_PACKAGE).map_err(GitError::Read)
    }

    fn submodules(&self) -> Result<Vec<Submodule>, GitError> {
        let list = self.run(&["ls-tree", "-r", "-z", "--full-tree", &self.commit], None)?;
        let links = submodules::links(&String::from_utf8_lossy(&list));
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let file = format!("--blob={}:{}", self.commit, submodules::FILE);
        let settings = self.run(&["config", &file, "--null", "--list"], None)?;
        let settings = String::from_utf8(settings).map_err(|_| GitError::NotText)?;
        Ok(submodules::with_addresses(links, &settings))
    }

    /// Returns what git writes to its standard output.
    fn run(
        &self,
        arguments: &[impl AsRef<OsStr>],
        last: Option<&Path>,
    ) -> Result<Vec<u8>, GitError> {
        let Git { registries, cancelled, .. } = self.git;
        let client = Client { program: &registries.programs.git, install: "install git" };
        let configure = |command: &mut Command| {
            command.env_clear().envs(registries.for_client(&[]));
            for name in OF_A_REPOSITORY {
                command.env_remove(name);
            }
            command.env("GIT_DIR", &self.folder).env("GIT_TERMINAL_PROMPT", "0");
            // The user's configuration may map a URL to another place, but not to a program (`ext::`).
            command.env("GIT_ALLOW_PROTOCOL", "file:http:https:ssh");
            command.args(ALWAYS).args(arguments).args(last);
        };
        Ok(run(client, configure, cancelled)?.succeeded()?)
    }
}

#[cfg(test)]
pub(crate) mod tests;
