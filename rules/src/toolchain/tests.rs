//! Whole syncs and installations, from a mirror and packages made here: no network.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use cache::{Digest, DigestFunction, DiskStore, Entry};

use super::unpack::tests::{ar, tape_of};
use super::*;

/// A machine with a Debian mirror, some local packages, and a project.
struct Machine {
    folder: tempfile::TempDir,
    catalogue: String,
    refresh: bool,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Events for Log {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Fetched { package, .. } => format!("fetched {package}"),
            Event::Warning(text) => format!("warning: {text}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

const PLATFORM: Platform = Platform::X86_64Linux;

const CATALOGUE: &str = r#"
    [defaults.debian]
    rename = { "bin" = "usr/bin" }
    exclude = ["usr/share/doc/**"]
    [toolchain.tool]
    about = "a tool"
    default = "1.0"
    [[toolchain.tool.recipe]]
    versions = ["1.0"]
    platforms = ["x86_64-linux"]
    links = { "bin" = "usr/bin" }
    [[toolchain.tool.recipe.layer]]
    from.debian.suite = "bookworm"
    from.debian.component = "main"
    from.debian.packages = ["one", "two"]
    [[toolchain.tool.recipe.layer]]
    from.url.url = "file://[FOLDER]/tool-{version}.tar"
    from.url.sha256 = "[SHA256]"
    at = "opt"
    [[toolchain.tool.recipe.layer]]
    from.path.path = "local"
    at = "usr/local"
"#;

impl Machine {
    fn new() -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
            catalogue: CATALOGUE.to_owned(),
            refresh: false,
        };
        machine.release(&[("one", "1"), ("two", "1")]);
        machine.write("tool-1.0.tar", &tape_of(&[("lib/data", 0o644, b"data")]));
        machine.write("local/note", b"note");
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Publishes Debian packages: name and version. Each has a program and a document.
    fn release(&self, packages: &[(&str, &str)]) {
        let mut index = String::new();
        for (name, version) in packages {
            let text = format!("{name} {version}");
            let data = tape_of(&[
                (&format!("./bin/{name}"), 0o755, text.as_bytes()),
                (&format!("./usr/share/doc/{name}"), 0o644, b"left out"),
            ]);
            let bytes = ar(&[("debian-binary", b"2.0\n"), ("data.tar", &data)]);
            let digest = Digest::of(DigestFunction::Sha256, &bytes);
            let path = format!("pool/{name}_{version}_amd64.deb");
            self.write(&format!("mirror/{path}"), &bytes);
            index.push_str(&format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: {path}\n\
                 Size: {}\nSHA256: {}\n\n",
                digest.size(),
                digest.hex()
            ));
        }
        let index = gzip(index.as_bytes());
        let digest = Digest::of(DigestFunction::Sha256, &index);
        self.write("mirror/dists/bookworm/main/binary-amd64/Packages.gz", &index);
        let release = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nCodename: bookworm\nSHA256:\n \
             {} {} main/binary-amd64/Packages.gz\n-----BEGIN PGP SIGNATURE-----\n\nx\n",
            digest.hex(),
            digest.size()
        );
        self.write("mirror/dists/bookworm/InRelease", release.as_bytes());
    }

    fn catalogue(&self) -> Catalogue {
        let archive = fs::read(self.path("tool-1.0.tar")).unwrap_or_default();
        let sha256 = Digest::of(DigestFunction::Sha256, &archive).hex();
        let folder = self.folder.path().display().to_string();
        let text = self.catalogue.replace("[FOLDER]", &folder).replace("[SHA256]", &sha256);
        Catalogue::parse(&text).unwrap()
    }

    fn registries(&self) -> Registries {
        let mirror = format!("file://{}", self.path("mirror").display());
        let clients = Clients { keyrings: self.path("no-keyrings"), ..Clients::default() };
        Registries {
            clients,
            mirrors: Mirrors { debian: Some(mirror) },
            folder: self.folder.path().to_owned(),
            ..Registries::default()
        }
    }

    fn store(&self, name: &str, function: DigestFunction) -> DiskStore {
        DiskStore::open(&self.path(name), function).unwrap()
    }

    fn lockfile(&self) -> PathBuf {
        self.path("run.lock.toml")
    }

    fn sync(&self, store: &DiskStore, log: &Log) -> Result<Lock, SyncError> {
        let sync = Sync {
            store,
            catalogue: &self.catalogue(),
            needed: &Toolchains::unchecked(&["tool"]),
            platform: PLATFORM,
            refresh: self.refresh,
            registries: &self.registries(),
            events: log,
        };
        sync.update(&self.lockfile())
    }

    fn install(&self, store: &DiskStore, lock: &Lock) -> Result<Digest, InstallError> {
        let install = Install {
            store,
            catalogue: &self.catalogue(),
            lock,
            platform: PLATFORM,
            registries: &self.registries(),
            events: &Log::default(),
        };
        install.run("tool")
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// All paths of a stored tree, with the text of the files.
fn listing(store: &DiskStore, tree: &Digest) -> Vec<String> {
    fn walk(store: &DiskStore, above: &str, tree: &cache::Tree, lines: &mut Vec<String>) {
        for (name, entry) in &tree.entries {
            let path = format!("{above}{name}");
            match entry {
                Entry::Directory(child) => walk(store, &format!("{path}/"), child, lines),
                Entry::Symlink { target } => lines.push(format!("{path} -> {target}")),
                Entry::File { digest, .. } => {
                    let text = String::from_utf8(store.get(digest).unwrap().unwrap()).unwrap();
                    lines.push(format!("{path}: {text}"));
                }
                Entry::Subtree(_) => panic!("{path} is not resolved"),
            }
        }
    }
    let mut lines = Vec::new();
    walk(store, "", &store.tree(tree).unwrap().unwrap(), &mut lines);
    lines
}

#[test]
fn a_synced_toolchain_is_installed_elsewhere() {
    let machine = Machine::new();
    let log = Log::default();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &log).unwrap();
    let expect = [
        "warning: the signature of Debian bookworm was not checked: \
         there is no keyring of Debian on this machine (package debian-archive-keyring)",
        "fetched tool-1.0.tar",
        "fetched one_1_amd64.deb",
        "fetched two_1_amd64.deb",
    ];
    let mut lines = log.0.into_inner().unwrap();
    lines[2..].sort();
    assert_eq!(lines, expect);
    assert_eq!(lock.checksums["tool"], lock.packages[0].checksum());

    let elsewhere = machine.store("elsewhere", DigestFunction::Blake3);
    let tree = machine.install(&elsewhere, &lock).unwrap();
    assert_eq!(tree, lock.images[0].tree);
    let expect = [
        "bin -> usr/bin",
        "opt/lib/data: data",
        "usr/bin/one: one 1",
        "usr/bin/two: two 1",
        "usr/local/note: note",
    ];
    assert_eq!(listing(&elsewhere, &tree), expect);
}

#[test]
fn a_complete_lock_is_not_touched_and_nothing_is_fetched_for_it() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync(&store, &Log::default()).unwrap();
    // Comments of the user survive as long as nothing changes.
    let text = fs::read_to_string(machine.lockfile()).unwrap() + "\n# mine\n";
    fs::write(machine.lockfile(), &text).unwrap();
    fs::remove_dir_all(machine.path("mirror")).unwrap();
    machine.sync(&machine.store("elsewhere", DigestFunction::Blake3), &Log::default()).unwrap();
    assert_eq!(fs::read_to_string(machine.lockfile()).unwrap(), text);
}

#[test]
fn what_the_store_has_is_not_fetched() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    // Another store with nothing but the packages, as a garbage collection may leave it.
    let other = machine.store("other", DigestFunction::Sha256);
    for package in &lock.packages {
        if let Pin::File(digest) = &package.pin {
            other.put(&store.get(digest).unwrap().unwrap()).unwrap();
        }
    }
    fs::remove_dir_all(machine.path("mirror")).unwrap();
    let other = machine.store("other", DigestFunction::Blake3);
    assert_eq!(machine.install(&other, &lock).unwrap(), lock.images[0].tree);
}

#[test]
fn other_bytes_are_refused_and_not_kept() {
    let machine = Machine::new();
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.unwrap();
    let path = machine.path("mirror/pool/one_1_amd64.deb");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let other = machine.store("other", DigestFunction::Blake3);
    let error = machine.install(&other, &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    let (expected, actual) = (&lock.packages[0].pin, Digest::of(DigestFunction::Sha256, &bytes));
    let Pin::File(expected) = expected else { panic!("{expected:?}") };
    assert_eq!(
        error.to_string(),
        format!(
            "one_1_amd64.deb has other bytes than the lock says: expected {expected}, got {actual}"
        )
    );
    assert!(!other.contains(&actual));
    assert!(!other.contains(&lock.images[0].tree));
}

#[test]
fn a_changed_local_folder_is_refused() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    machine.write("local/note", b"another");
    let error =
        machine.install(&machine.store("other", DigestFunction::Blake3), &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert!(error.to_string().starts_with("local has other bytes than the lock says"), "{error}");
}

#[test]
fn an_image_that_comes_out_otherwise_is_refused() {
    let machine = Machine::new();
    let mut lock =
        machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default()).unwrap();
    let actual = lock.images[0].tree;
    lock.images[0].tree = Digest::of(DigestFunction::Blake3, b"another");
    let error =
        machine.install(&machine.store("other", DigestFunction::Blake3), &lock).unwrap_err();
    assert!(error.is_mismatch());
    assert_eq!(
        error.to_string(),
        format!("the image of `tool` 1.0 is {actual}, the lock says {}", lock.images[0].tree)
    );
}

#[test]
fn locked_versions_are_kept_until_refreshed() {
    let mut machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync(&store, &Log::default()).unwrap();
    machine.release(&[("one", "2"), ("two", "2"), ("three", "2")]);
    machine.catalogue = machine.catalogue.replace(r#""two"]"#, r#""two", "three"]"#);
    let versions = |lock: &Lock| -> Vec<String> {
        let debian = lock.packages.iter().filter(|package| package.source == SourceKind::Debian);
        debian.map(|package| package.purl.version()).collect()
    };
    let lock = machine.sync(&store, &Log::default()).unwrap();
    assert_eq!(versions(&lock), ["1", "1", "2"]);
    machine.refresh = true;
    let lock = machine.sync(&store, &Log::default()).unwrap();
    assert_eq!(versions(&lock), ["2", "2", "2"]);
}

#[test]
fn a_lock_of_another_recipe_is_stale_for_an_install_only_if_it_must_be_unpacked() {
    let mut machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    machine.catalogue = machine.catalogue.replace("usr/local", "usr/else");
    assert_eq!(machine.install(&store, &lock).unwrap(), lock.images[0].tree);
    let other = machine.store("other", DigestFunction::Blake3);
    let error = machine.install(&other, &lock).unwrap_err();
    assert!(matches!(error, InstallError::Stale(Stale::Recipe(_))), "{error}");
}

#[test]
fn a_lock_is_the_same_whatever_the_stores_function() {
    let machine = Machine::new();
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let text = fs::read_to_string(machine.lockfile()).unwrap();
    fs::remove_file(machine.lockfile()).unwrap();
    let other = machine.store("other", DigestFunction::Sha256);
    machine.sync(&other, &Log::default()).unwrap();
    assert_eq!(fs::read_to_string(machine.lockfile()).unwrap(), text);
    let tree = machine.install(&other, &lock.unwrap()).unwrap();
    assert_eq!(tree.function(), DigestFunction::Sha256);
    assert_eq!(listing(&other, &tree).len(), 5);
}

#[test]
fn a_checksum_written_by_hand_has_to_hold() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let short = |checksum: &str| {
        let text = format!("[toolchains]\ntool = \"1.0\"\n[checksums]\ntool = \"{checksum}\"\n");
        fs::write(machine.lockfile(), text).unwrap();
        machine.sync(&store, &Log::default())
    };
    let error = short("sha256:abc123...").unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    fs::remove_file(machine.lockfile()).unwrap();
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let right = lock.checksums["tool"].to_string();
    assert_eq!(short(&right).unwrap(), lock);
}

#[test]
fn what_can_not_be_had_is_named() {
    let check = |machine: &Machine, expect: &str| {
        let store = machine.store("store", DigestFunction::Blake3);
        let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
        let folder = machine.folder.path().display().to_string();
        assert_eq!(error.replace(&folder, "[FOLDER]"), expect);
    };
    let mut machine = Machine::new();
    machine.catalogue = machine.catalogue.replace(r#""two"]"#, r#""absent"]"#);
    check(&machine, "Debian bookworm has no package `absent` for amd64");

    let machine = Machine::new();
    fs::remove_file(machine.path("mirror/pool/two_1_amd64.deb")).unwrap();
    check(
        &machine,
        "no Debian mirror has pool/two_1_amd64.deb any more; \
         asked: cannot read [FOLDER]/mirror/pool/two_1_amd64.deb: \
         No such file or directory (os error 2)",
    );

    let machine = Machine::new();
    machine.write("mirror/dists/bookworm/main/binary-amd64/Packages.gz", b"other");
    check(&machine, "the index of Debian bookworm is not the one its release file names");

    let machine = Machine::new();
    fs::remove_dir_all(machine.path("mirror")).unwrap();
    check(
        &machine,
        "no Debian mirror has the suite `bookworm`; \
         asked: cannot read [FOLDER]/mirror/dists/bookworm/InRelease: \
         No such file or directory (os error 2)",
    );

    let mut machine = Machine::new();
    machine.catalogue =
        machine.catalogue.replace("at = \"opt\"", "rename = { \"lib/data\" = \"usr/bin/one\" }");
    check(&machine, "cannot add tool-1.0.tar to the image of `tool`");
}

#[test]
fn an_image_is_an_action_with_a_known_result() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let images = |function| {
        std::sync::Arc::new(Images {
            lock: lock.clone(),
            platform: PLATFORM,
            function,
            registries: machine.registries(),
        })
    };
    let action = image_action(&images(DigestFunction::Blake3), "tool").unwrap();
    assert_eq!(action.label.to_string(), "toolchain:tool 1.0");
    assert_eq!(action.pinned, Some(lock.images[0].tree));
    assert_eq!(action.outputs, [IMAGE]);
    assert!(action.work.needs_network());
    let action = image_action(&images(DigestFunction::Sha256), "tool").unwrap();
    assert_eq!(action.pinned, None);
    let error = image_action(&images(DigestFunction::Blake3), "other").unwrap_err();
    assert_eq!(error, Stale::Toolchain("other".into()));
}

#[test]
fn a_sync_can_be_cancelled() {
    struct Stop;
    impl Events for Stop {
        fn event(&self, _: Event<'_>) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let machine = Machine::new();
    let sync = Sync {
        store: &machine.store("store", DigestFunction::Blake3),
        catalogue: &machine.catalogue(),
        needed: &Toolchains::unchecked(&["tool"]),
        platform: PLATFORM,
        refresh: false,
        registries: &machine.registries(),
        events: &Stop,
    };
    let error = sync.update(&machine.lockfile()).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(!machine.lockfile().exists());
}
