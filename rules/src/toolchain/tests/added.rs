//! Tests toolchains that the catalogue lacks: adding one, installing it elsewhere from the lock only,
//! replacing it.

use super::*;
use crate::platform::Platform;

impl Machine {
    /// Returns a machine with an archive `tool-1.2.tar` that has everything in one folder.
    fn with_archive() -> Self {
        let machine = Self::with(
            "[toolchain.known]\nabout = ''\ndefault = '1'\n[[toolchain.known.recipe]]\n\
             versions = ['1']\nplatforms = []\nlayer = []",
        );
        let files: [(&str, u32, &[u8]); 2] =
            [("tool-1.2/bin/tool", 0o755, b"program"), ("tool-1.2/lib/data", 0o644, b"data")];
        machine.write("tool-1.2.tar", &tape_of(&files));
        machine
    }

    fn url(&self) -> AddFrom {
        let url = format!("file://{}", self.path("tool-1.2.tar").display());
        AddFrom::Url { url, sha256: None }
    }

    fn add(&self, name: &str, from: AddFrom, lock: Option<&Lock>) -> Result<Lock, AddError> {
        self.add_version(name, None, from, lock)
    }

    fn add_version(
        &self,
        name: &str,
        version: Option<&str>,
        from: AddFrom,
        lock: Option<&Lock>,
    ) -> Result<Lock, AddError> {
        let add = Add {
            store: &self.store("store", DigestFunction::Blake3),
            catalogue: &self.catalogue(),
            name,
            version,
            platform: PLATFORM,
            from,
            registries: &self.registries,
            events: &Log::default(),
        };
        add.run(lock)
    }
}

const LISTING: [&str; 2] = ["usr/lib/tool/bin/tool: program", "usr/lib/tool/lib/data: data"];

#[test]
fn the_lock_alone_makes_the_same_tree_elsewhere() {
    let machine = Machine::with_archive();
    let lock = machine.add("tool", machine.url(), None).unwrap();
    assert_eq!(lock.version("tool"), Some("1.2"));
    lock.write(&machine.lockfile()).unwrap();
    let lock = Lock::read(&machine.lockfile()).unwrap().unwrap();
    for function in [DigestFunction::Blake3, DigestFunction::Sha256] {
        let elsewhere = machine.store(&function.to_string(), function);
        let tree = machine.install(&elsewhere, &lock).unwrap();
        assert_eq!(listing(&elsewhere, &tree), LISTING);
        if function == DigestFunction::Blake3 {
            assert_eq!(tree, lock.images[0].tree);
        }
    }
    machine.write("tool-1.2.tar", &tape_of(&[("tool-1.2/bin/tool", 0o755, b"other")]));
    let elsewhere = machine.store("third", DigestFunction::Blake3);
    let error = machine.install(&elsewhere, &lock).unwrap_err();
    assert!(error.is_mismatch() || error.to_string().contains("longer"), "{error}");
}

#[test]
fn archive_folder_and_url_of_the_same_files_make_the_same_image() {
    let machine = Machine::with_archive();
    machine.write("folder/bin/tool", b"program");
    machine.write("folder/lib/data", b"data");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(machine.path("folder/bin/tool"), mode).unwrap();
    let path = |path: &str| AddFrom::Path(path.to_owned());
    let trees = [machine.url(), path("tool-1.2.tar"), path("folder")].map(|from| {
        let lock = machine.add("tool", from, None).unwrap();
        assert_eq!(
            machine.install(&machine.store("store", DigestFunction::Blake3), &lock).unwrap(),
            lock.images[0].tree
        );
        lock.images[0].tree
    });
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
}

#[test]
fn the_same_name_again_replaces() {
    let machine = Machine::with_archive();
    let first = machine.add("tool", machine.url(), None).unwrap();
    machine.write("folder/x", b"x");
    let folder = AddFrom::Path("folder".to_owned());
    let lock = machine.add_version("tool", Some("2"), folder, Some(&first)).unwrap();
    assert_eq!(lock.version("tool"), Some("2"));
    assert_eq!((lock.images.len(), lock.packages.len()), (1, 1));
    assert_eq!(lock.packages[0].source, SourceKind::Path);
    assert_eq!(lock.checksums["tool"], lock.packages[0].checksum());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let machine = Machine::with_archive();
    machine.write("empty/folder/x", b"");
    fs::remove_file(machine.path("empty/folder/x")).unwrap();
    let check = |name: &str, from: AddFrom, expect: &str| {
        let error = machine.add(name, from, None).unwrap_err();
        assert!(error.is_usage(), "{error}");
        assert_eq!(error.to_string(), expect);
    };
    let path = |path: &str| AddFrom::Path(path.to_owned());
    let url = |url: &str, sha256: Option<&str>| AddFrom::Url {
        url: url.to_owned(),
        sha256: sha256.map(ToOwned::to_owned),
    };
    check("known", machine.url(), "toolchain `known` is in the catalogue");
    check(
        "a/b",
        machine.url(),
        "`a/b` is no name for a toolchain: lower-case letters, digits, `-`, `_` and `.`",
    );
    check("tool", path("nowhere"), "there is no `nowhere`");
    check("tool", path("empty"), "there is no file in `empty`");
    check(
        "tool",
        url("https://me:secret@host/x", None),
        "the URL has a user, a password or a token in it, which would stand in the lock for everyone",
    );
    check(
        "tool",
        url("file:///x", Some("AB")),
        "`AB` is no SHA-256 (64 lower-case hexadecimal digits)",
    );
}

#[test]
fn another_checksum_than_asked_for_is_a_mismatch() {
    let machine = Machine::with_archive();
    let AddFrom::Url { url, .. } = machine.url() else { panic!() };
    let from = AddFrom::Url { url, sha256: Some("0".repeat(64)) };
    let error = machine.add("tool", from, None).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
}

#[test]
fn an_image_for_another_platform_only_says_what_to_do() {
    let machine = Machine::with_archive();
    let mut lock = machine.add("tool", machine.url(), None).unwrap();
    let package = &mut lock.packages[0];
    package.platform = Platform::Aarch64Linux;
    lock.images[0].platform = Platform::Aarch64Linux;
    let stale = lock.image("tool", PLATFORM).unwrap_err();
    assert_eq!(
        stale.to_string(),
        "toolchain `tool` was added for aarch64-linux, not for x86_64-linux"
    );
    assert!(stale.hint().starts_with("run `run toolchain add tool --platform x86_64-linux"));
}
