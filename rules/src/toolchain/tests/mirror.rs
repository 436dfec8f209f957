//! Tests Debian packages, archives and folders.

use super::*;
use crate::package::{Event, Events};

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
    /// Returns a machine with a Debian mirror that has two packages, an archive at a URL, and a folder.
    pub(super) fn new() -> Self {
        let machine = Self::with(CATALOGUE);
        machine.release(&[("one", "1"), ("two", "1")]);
        machine.write("tool-1.0.tar", &tape_of(&[("lib/data", 0o644, b"data")]));
        machine.write("local/note", b"note");
        machine
    }

    /// Publishes Debian packages, given by name and version. Each has a program and a document.
    pub(super) fn release(&self, packages: &[(&str, &str)]) {
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
}

#[test]
fn a_synced_toolchain_is_installed_elsewhere() {
    let machine = Machine::new();
    let log = Log::default();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &log).unwrap();
    let expect = [
        "resolving tool",
        "warning: the signature of Debian bookworm was not checked: \
         there is no keyring of Debian on this machine (package debian-archive-keyring)",
        "fetched one_1_amd64.deb",
        "fetched tool-1.0.tar",
        "fetched two_1_amd64.deb",
        "pinned tool, fetched 4 of 4",
    ];
    let mut lines = log.0.into_inner().unwrap();
    // Several packages are fetched at once, so their order varies.
    lines[2..5].sort();
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
    // Comments of the user stay as long as nothing changes.
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
    // This store has nothing but the packages, as a garbage collection may leave it.
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
    machine.upgrade = Upgrade::All;
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
    let mut machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let short = |machine: &Machine, checksum: &str| {
        let text = format!("[toolchains]\ntool = \"1.0\"\n[checksums]\ntool = \"{checksum}\"\n");
        fs::write(machine.lockfile(), text).unwrap();
        machine.sync(&store, &Log::default())
    };
    let error = short(&machine, "sha256:abc123...").unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    fs::remove_file(machine.lockfile()).unwrap();
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let right = lock.checksums["tool"].to_string();
    assert_eq!(short(&machine, &right).unwrap(), lock);
    // The remedy that the error names helps.
    assert!(error.hints()[0].contains("`run toolchain sync --upgrade tool` pins what came"));
    machine.upgrade = Upgrade::Named(std::iter::once(("tool".to_owned(), None)).collect());
    assert_eq!(short(&machine, "sha256:abc123...").unwrap(), lock);
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
            platform: Ok(PLATFORM),
            function,
            registries: std::sync::Arc::new(machine.registries.clone()),
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
    assert!(matches!(error, NoImage::Stale(Stale::Toolchain(_))), "{error}");
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
        platforms: &[PLATFORM],
        upgrade: &Upgrade::Nothing,
        prune: false,
        registries: &machine.registries,
        events: &Stop,
    };
    let error = sync.update(&machine.lockfile()).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
    assert!(!machine.lockfile().exists());
}

#[test]
fn a_release_without_a_good_signature_is_refused() {
    let machine = Machine::new();
    machine.write("keyrings/debian-archive-keyring.gpg", b"");
    let store = machine.store("store", DigestFunction::Blake3);
    let error = machine.sync(&store, &Log::default()).unwrap_err().to_string();
    let expect = "the release file of Debian bookworm has no good signature";
    assert!(error.starts_with(expect), "install gpgv to run this test: {error}");
}

#[test]
fn a_server_that_sends_other_bytes_is_found_out() {
    use std::io::{Read as _, Write as _};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let good = tape_of(&[("lib/data", 0o644, b"data")]);
    let mut bad = good.clone();
    bad[512] ^= 1;
    let (first, second) = (good.clone(), bad.clone());
    std::thread::spawn(move || {
        for body in [first, second] {
            let mut stream = listener.accept().unwrap().0;
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    let mut machine = Machine::new();
    machine.catalogue = machine.catalogue.replace("file://[FOLDER]", &format!("http://{address}"));
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let other = machine.store("other", DigestFunction::Blake3);
    let error = machine.install(&other, &lock).unwrap_err();
    assert!(error.is_mismatch(), "{error}");
    assert!(!other.contains(&Digest::of(DigestFunction::Sha256, &bad)));
}
