//! Tests what a sync keeps, upgrades and prunes, and what it does for other platforms.

use super::*;
use crate::platform::Platform;

const CATALOGUE: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "2.0"
    [[toolchain.tool.recipe]]
    versions = ["1.0", "2.0"]
    platforms = ["x86_64-linux", "aarch64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.path.path = "tool-{version}-{debian}"

    [toolchain.other]
    about = "another tool, for one platform"
    default = "1"
    [[toolchain.other.recipe]]
    versions = ["1"]
    platforms = ["x86_64-linux"]
    [[toolchain.other.recipe.layer]]
    from.path.path = "other"
"#;

impl Machine {
    /// Returns a machine with two versions of a tool for two platforms, and another tool.
    fn with_versions() -> Self {
        let machine = Self::with(CATALOGUE);
        for version in ["1.0", "2.0"] {
            for platform in ["amd64", "arm64"] {
                let text = format!("{version} {platform}");
                machine.write(&format!("tool-{version}-{platform}/tool"), text.as_bytes());
            }
        }
        machine.write("other/other", b"other");
        machine
    }

    fn lock(&self, text: &str) {
        fs::write(self.lockfile(), text).unwrap();
    }

    fn synced(&self) -> Result<Lock, SyncError> {
        self.sync(&self.store("store", DigestFunction::Blake3), &Log::default())
    }

    fn upgrade(&mut self, names: &[(&str, Option<&str>)]) {
        let names = names
            .iter()
            .map(|(name, version)| ((*name).to_owned(), version.map(ToOwned::to_owned)));
        self.upgrade = Upgrade::Named(names.collect());
    }
}

fn platforms(lock: &Lock, name: &str) -> Vec<Platform> {
    lock.images_of(name).map(|image| image.platform).collect()
}

#[test]
fn the_locks_version_stays_until_it_is_upgraded() {
    let mut machine = Machine::with_versions();
    machine.lock("[toolchains]\ntool = '1.0' # for now\n");
    let lock = machine.synced().unwrap();
    assert_eq!(lock.version("tool"), Some("1.0"));
    let before = fs::read_to_string(machine.lockfile()).unwrap();
    machine.upgrade(&[("tool", None)]);
    assert_eq!(machine.synced().unwrap().version("tool"), Some("2.0"));
    let after = fs::read_to_string(machine.lockfile()).unwrap();
    assert!(after.starts_with("[toolchains]\ntool = \"2.0\" # for now\n"), "{after}");
    machine.upgrade(&[("tool", Some("1.0"))]);
    assert_eq!(machine.synced().unwrap(), lock);
    assert_eq!(fs::read_to_string(machine.lockfile()).unwrap(), before.replace("'1.0'", "\"1.0\""));
}

#[test]
fn nothing_to_do_writes_nothing() {
    let machine = Machine::with_versions();
    machine.synced().unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let file = fs::File::options().append(true).open(machine.lockfile()).unwrap();
    file.set_modified(long_ago).unwrap();
    machine.synced().unwrap();
    assert_eq!(fs::metadata(machine.lockfile()).unwrap().modified().unwrap(), long_ago);
}

#[test]
fn entries_that_nobody_needs_stay_unless_pruned() {
    let mut machine = Machine::with_versions();
    machine.needed = vec!["tool", "other"];
    machine.synced().unwrap();
    machine.needed = vec!["tool"];
    let text = fs::read_to_string(machine.lockfile()).unwrap();
    let text = text.replace("[checksums]", "wasm-tools = '1.219.1'\nrsut = '1'\n\n[checksums]");
    machine.lock(&text);
    let lock = machine.synced().unwrap();
    assert_eq!(fs::read_to_string(machine.lockfile()).unwrap(), text);
    let idle = lock.idle(&Toolchains::unchecked(&["tool"]), &machine.catalogue());
    let idle: Vec<String> = idle.iter().map(ToString::to_string).collect();
    assert_eq!(idle[0], "other 1: no component needs it; --prune drops it");
    assert_eq!(
        idle[1],
        "rsut 1: not pinned, as no component needs it, and this `run` could not install it"
    );
    assert!(idle[2].starts_with("wasm-tools 1.219.1: built into `run`"), "{idle:?}");
    machine.prune = true;
    let lock = machine.synced().unwrap();
    assert_eq!(lock.toolchains.keys().collect::<Vec<_>>(), ["tool"]);
    assert!(lock.packages.iter().all(|package| package.toolchain == "tool"));
}

#[test]
fn a_locked_version_that_is_not_known_is_a_choice() {
    let mut machine = Machine::with_versions();
    machine.lock("[toolchains]\ntool = '0.9'\n");
    let error = machine.synced().unwrap_err();
    assert!(error.is_usage());
    assert_eq!(error.to_string(), "run.lock.toml pins `tool` 0.9, which this `run` can't install");
    assert!(error.hints()[0].contains("--upgrade tool"), "{:?}", error.hints());
    machine.upgrade(&[("tool", None)]);
    assert_eq!(machine.synced().unwrap().version("tool"), Some("2.0"));
}

#[test]
fn what_can_not_be_upgraded_is_told() {
    let mut machine = Machine::with_versions();
    let mut check = |name: &str, version: Option<&str>, expect: &str| {
        machine.upgrade(&[(name, version)]);
        let error = machine.synced().unwrap_err();
        assert!(error.is_usage());
        assert!(error.to_string().starts_with(expect), "{error}");
    };
    check("tol", None, "there is no toolchain `tol` (did you mean `tool`?)");
    check("tool", Some("3"), "toolchain `tool` has no version `3`, known: 1.0, 2.0");
    check("other", None, "no component needs `other`, and run.lock.toml does not have it");
    check("wasm-tools", None, "`wasm-tools` is no toolchain: built into `run`");
}

#[test]
fn one_lock_serves_several_platforms() {
    let mut machine = Machine::with_versions();
    let first = machine.synced().unwrap();
    machine.platforms.push(Platform::Aarch64Linux);
    let lock = machine.synced().unwrap();
    assert_eq!(platforms(&lock, "tool"), Platform::ALL);
    // Adding a platform does not change the others.
    assert_eq!(lock.checksums, first.checksums);
    assert_ne!(lock.images[0].tree, lock.images[1].tree);
    // An upgrade on one platform upgrades the images for all platforms.
    machine.platforms.pop();
    machine.upgrade(&[("tool", Some("1.0"))]);
    let lock = machine.synced().unwrap();
    assert_eq!(platforms(&lock, "tool"), Platform::ALL);
    assert_eq!(lock.packages[0].from, "tool-1.0-arm64");
    machine.upgrade = Upgrade::Nothing;
    machine.needed = vec!["other", "tool"];
    let log = Log::default();
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &log).unwrap();
    assert_eq!(platforms(&lock, "other"), [PLATFORM]);
    let expect = "warning: toolchain `other` 1 has no image for aarch64-linux: \
                  run.lock.toml serves that platform no more";
    assert!(log.0.into_inner().unwrap().contains(&expect.to_owned()));
    machine.platforms.push(Platform::Aarch64Linux);
    assert!(machine.synced().unwrap_err().is_usage());
}

#[test]
fn machines_with_one_lock_get_the_same_trees() {
    let mut machine = Machine::with_versions();
    machine.platforms.push(Platform::Aarch64Linux);
    let lock = machine.synced().unwrap();
    let tree = |store: &str| machine.install(&machine.store(store, DigestFunction::Blake3), &lock);
    assert_eq!(tree("one").unwrap(), tree("two").unwrap());
    fs::remove_file(machine.lockfile()).unwrap();
    machine.platforms.reverse();
    let other = machine.sync(&machine.store("three", DigestFunction::Blake3), &Log::default());
    assert_eq!(other.unwrap(), lock);
}

/// The lock of the configuration page, exactly as it stands there.
const PAGE: &str = "[toolchains]
cargo-component = \"0.20.0\"
wasm-tools = \"1.219.1\"
componentize-py = \"0.15.0\"

[checksums]
cargo-component = \"sha256:abc123...\"
";

#[test]
fn the_pages_lock_is_accepted_and_completed() {
    let mut machine = Machine::with_versions();
    machine.lock(PAGE);
    machine.needed = Vec::new();
    let lock = machine.synced().unwrap();
    assert_eq!(fs::read_to_string(machine.lockfile()).unwrap(), PAGE);
    assert_eq!(lock.idle(&Toolchains::new(), &machine.catalogue()).len(), 3);
    // A version that this program has is completed where it stands.
    machine.catalogue = CATALOGUE.replace("toolchain.tool", "toolchain.componentize-py");
    machine.catalogue = machine.catalogue.replace("\"1.0\"", "\"0.15.0\"");
    for platform in ["amd64", "arm64"] {
        machine.write(&format!("tool-0.15.0-{platform}/tool"), platform.as_bytes());
    }
    machine.needed = vec!["componentize-py"];
    let lock = machine.synced().unwrap();
    assert_eq!(lock.version("componentize-py"), Some("0.15.0"));
    let text = fs::read_to_string(machine.lockfile()).unwrap();
    assert!(text.starts_with(PAGE), "{text}");
    assert_eq!(lock.checksums["cargo-component"].to_string(), "sha256:abc123...");
    assert_eq!(text, PAGE.to_owned() + &text[PAGE.len()..]);
    assert!(text.contains(&format!("componentize-py = \"{}\"", lock.checksums["componentize-py"])));
}
