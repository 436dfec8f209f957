//! Fetches the files of a commit with the user's own git, byte for byte.
//!
//! Git runs on an empty repository of its own. Nothing in a project configures it, and neither does anything
//! that it fetches: no hooks, submodules or filters, and none of the attributes in the commit. The user's own
//! configuration counts, because credentials and mirrors are there.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use cache::ContentStore;

use super::location::MAX_ARCHIVE;
use crate::package::fetch::{Client, read_file, run};
use crate::package::{ClientError, HttpError, Registries};
use crate::redact::mask_urls;

/// The user's git.
pub(super) struct Git<'a> {
    pub(super) registries: &'a Registries,
    /// The store whose scratch holds the repositories while they are needed.
    pub(super) store: &'a ContentStore,
    pub(super) cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// An error for which git did not give a commit.
#[derive(Debug, thiserror::Error)]
pub(super) enum GitError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot prepare a folder for git")]
    Prepare(#[source] std::io::Error),
    #[error(transparent)]
    Store(#[from] cache::StoreError),
    #[error(transparent)]
    Read(HttpError),
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
pub(super) fn is_reference(text: &str) -> bool {
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
    pub(super) fn archive(&self, url: &str, reference: &str) -> Result<Vec<u8>, GitError> {
        let scratch = self.store.scratch()?;
        let repository = scratch.path().join("repository");
        let mut init = vec!["init", "--quiet", "--bare", "--template="];
        if reference.len() == 64 && is_object(reference) {
            init.push("--object-format=sha256");
        }
        self.run(&repository, &init, Some(&repository))?;
        let attributes = repository.join("info/attributes");
        std::fs::create_dir_all(repository.join("info"))
            .and_then(|()| std::fs::write(attributes, ATTRIBUTES))
            .map_err(GitError::Prepare)?;
        self.fetch(&repository, url, reference).map_err(|error| error.without_login(url))?;
        let file = scratch.path().join("archive.tar");
        let mut output = std::ffi::OsString::from("--output=");
        output.push(&file);
        let commit = if is_object(reference) { reference } else { "FETCH_HEAD" };
        let archive = [OsStr::new("archive"), OsStr::new("--format=tar"), &output, commit.as_ref()];
        self.run(&repository, &archive, None)?;
        read_file(&file, MAX_ARCHIVE).map_err(GitError::Read)
    }

    /// Fetches the commit alone, or the whole repository if the server hands out no single commits.
    fn fetch(&self, repository: &Path, url: &str, reference: &str) -> Result<(), GitError> {
        const QUIET: [&str; 4] = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        let alone = [&QUIET[..], &["--depth=1", "--", url, reference]].concat();
        match self.run(repository, &alone, None) {
            Err(GitError::Client(ClientError::Failed { .. })) if is_object(reference) => {
                let all = [&QUIET[..], &["--", url, "+refs/*:refs/fetched/*"]].concat();
                self.run(repository, &all, None)
            }
            other => other,
        }
    }

    fn run(
        &self,
        repository: &Path,
        arguments: &[impl AsRef<OsStr>],
        last: Option<&Path>,
    ) -> Result<(), GitError> {
        let client = Client { program: &self.registries.programs.git, install: "install git" };
        let configure = |command: &mut Command| {
            command.env_clear().envs(self.registries.for_client(&[]));
            for name in OF_A_REPOSITORY {
                command.env_remove(name);
            }
            command.env("GIT_DIR", repository).env("GIT_TERMINAL_PROMPT", "0");
            // The user's configuration may map a URL to another place, but not to a program (`ext::`).
            command.env("GIT_ALLOW_PROTOCOL", "file:http:https:ssh");
            command.args(ALWAYS).args(arguments).args(last);
        };
        run(client, configure, self.cancelled)?.succeeded()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use cache::DigestFunction;

    use super::super::package::Package;
    use super::*;
    use crate::package::unpack::{Format, loose};

    /// A repository, and a user whose git finds it in the place of a server.
    struct Served {
        dir: tempfile::TempDir,
        registries: Registries,
        store: ContentStore,
    }

    const URL: &str = "https://me:secret@git.invalid/demo";

    impl Served {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = OsString::from("/usr/local/bin:/usr/bin:/bin");
            let home = dir.path().as_os_str().to_owned();
            let variables = BTreeMap::from([
                ("PATH".into(), path),
                ("HOME".into(), home),
                // These are set as in a hook of the checkout that is built.
                ("GIT_DIR".into(), "/nowhere/.git".into()),
                ("GIT_WORK_TREE".into(), "/nowhere".into()),
            ]);
            let config = format!(
                "[url \"file://{0}/demo\"]\ninsteadOf = {URL}\n[url \"ext::touch {0}/hacked \"]\n\
                 insteadOf = https://evil.invalid/\n",
                dir.path().display()
            );
            std::fs::write(dir.path().join(".gitconfig"), config).unwrap();
            let store =
                ContentStore::open(&dir.path().join("store"), DigestFunction::Blake3).unwrap();
            Self { dir, registries: Registries { variables, ..Registries::default() }, store }
        }

        fn git(&self, arguments: &[&str]) -> String {
            let mut command = Command::new("git");
            command.args(["-c", "user.name=a", "-c", "user.email=a@a", "-C"]);
            command.arg(self.dir.path().join("demo")).args(arguments).env_clear();
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/nowhere");
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        }

        fn archive(&self, url: &str, reference: &str) -> Result<Vec<u8>, GitError> {
            let git =
                Git { registries: &self.registries, store: &self.store, cancelled: &|| false };
            git.archive(url, reference)
        }
    }

    #[test]
    fn a_commit_is_taken_byte_for_byte_and_configures_nothing() {
        let served = Served::new();
        let demo = served.dir.path().join("demo");
        std::fs::create_dir_all(demo.join("only/in")).unwrap();
        served.git(&["init", "--quiet", "-b", "main"]);
        std::fs::write(demo.join("only/in/a.txt"), "a\r\n").unwrap();
        std::os::unix::fs::symlink("../in/a.txt", demo.join("only/in/l")).unwrap();
        served.git(&["add", "."]);
        served.git(&["commit", "--quiet", "-m", "one"]);
        let first = served.git(&["rev-parse", "HEAD"]).trim().to_owned();
        let attributes = "a.txt export-ignore\n* text eol=crlf ident export-subst filter=evil\n";
        std::fs::write(demo.join("only/in/.gitattributes"), attributes).unwrap();
        std::fs::write(demo.join("only/in/id"), "$Id$ $Format:%H$\n").unwrap();
        served.git(&["add", "."]);
        served.git(&["commit", "--quiet", "-m", "two"]);
        served.git(&["tag", "v2"]);
        let package = |reference: &str| {
            let bytes = served.archive(URL, reference).unwrap();
            let unpacked = loose(&served.store, Format::Tar, &bytes, &|| false).unwrap();
            Package::of(&served.store, unpacked, false).unwrap()
        };
        // The hash that zig computes for a folder with the same content.
        let found = package(&first);
        assert_eq!(found.hash, "N-V-__8AAAMAAABRTmndqiv-kq9bxLxcHlRFIXgX83TNM4y5");
        for reference in ["v2", "main"] {
            let tree = package(reference).tree;
            let read = |path: &str| match tree.get(path) {
                Some(cache::Entry::File { digest, .. }) => {
                    String::from_utf8(served.store.get(digest).unwrap().unwrap()).unwrap()
                }
                other => panic!("{path}: {other:?}"),
            };
            for name in ["a.txt", "id"] {
                let committed = served.git(&["cat-file", "blob", &format!("v2:only/in/{name}")]);
                assert_eq!(read(&format!("only/in/{name}")), committed);
            }
            assert_eq!(read("only/in/id"), "$Id$ $Format:%H$\n");
            assert_eq!(read("only/in/.gitattributes"), attributes);
        }
        let error = served.archive(URL, "v3").unwrap_err().to_string();
        assert!(error.contains("https://***@git.invalid/demo"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        served.archive("https://evil.invalid/x", "main").unwrap_err();
        assert!(!served.dir.path().join("hacked").exists());
    }
}
