//! Tests the user's git on repositories that a user's configuration finds in the place of a server.

use std::collections::BTreeMap;
use std::ffi::OsString;

use cache::{DigestFunction, Tree};

use super::*;
use crate::package::unpack::{Format, Naming, loose};

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
        let store = ContentStore::open(&dir.path().join("store"), DigestFunction::Blake3).unwrap();
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
        let git = Git { registries: &self.registries, store: &self.store, cancelled: &|| false };
        git.archive(url, reference)
    }

    fn tree(&self, reference: &str) -> Tree {
        let bytes = self.archive(URL, reference).unwrap();
        let mut tree = Tree::default();
        let unpacked = loose(&self.store, Format::Tar, &bytes, &|| false).unwrap();
        unpacked.contents.add_to(&mut tree, Naming::Stored).unwrap();
        tree
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
    let link = cache::Entry::Symlink { target: "../in/a.txt".to_owned() };
    assert_eq!(served.tree(&first).get("only/in/l"), Some(&link));
    for reference in ["v2", "main"] {
        let tree = served.tree(reference);
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

#[test]
fn a_commit_that_the_repository_does_not_have_is_told() {
    let served = Served::new();
    std::fs::create_dir_all(served.dir.path().join("demo")).unwrap();
    served.git(&["init", "--quiet", "-b", "main"]);
    served.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    let git = Git { registries: &served.registries, store: &served.store, cancelled: &|| false };
    let head = served.git(&["rev-parse", "HEAD"]).trim().to_owned();
    assert!(git.commit(URL, &head).unwrap().submodules.is_empty());
    let absent = "0123456789012345678901234567890123456789";
    let error = git.commit(URL, absent).err().unwrap();
    assert!(matches!(&error, GitError::NoCommit(commit) if commit == absent), "{error}");
}
