//! Tests what a new project gets without asking the registries: packages from the pins of the catalogue, or
//! from what the store remembers.

use super::*;

const CATALOGUE: &str = r#"
    [toolchain.tool]
    about = "a tool"
    default = "1.0"
    [[toolchain.tool.recipe]]
    versions = ["1.0"]
    platforms = ["x86_64-linux"]
    [[toolchain.tool.recipe.layer]]
    from.debian.suite = "bookworm"
    from.debian.component = "main"
    from.debian.packages = ["one", "two"]
"#;

/// Returns a machine whose tool consists of two Debian packages.
fn machine() -> Machine {
    let machine = Machine::with(CATALOGUE);
    machine.release(&[("one", "1"), ("two", "1")]);
    machine
}

impl Machine {
    /// Syncs a new project. Returns the text of its lock, and the events except warnings.
    fn sync_new(&self, store: &DiskStore) -> Result<(String, Vec<String>), SyncError> {
        let _ = fs::remove_file(self.lockfile());
        let log = Log::default();
        self.sync(store, &log)?;
        let told = log.0.into_inner().unwrap();
        let told = told.into_iter().filter(|line| !line.starts_with("warning: ")).collect();
        Ok((fs::read_to_string(self.lockfile()).unwrap(), told))
    }

    fn go_offline(&mut self) {
        fs::remove_dir_all(self.path("mirror")).unwrap();
        self.registries.network.offline = true;
    }

    fn upgrade_all(&mut self) {
        self.upgrade = Upgrade::All;
    }

    /// Makes the lock that was written last the pins of the catalogue. Then the registry gets a newer
    /// package, which the store remembers after an upgrade.
    fn pin_before_an_upgrade(&mut self, store: &DiskStore) {
        self.pins = Lock::read(&self.lockfile()).unwrap();
        self.release(&[("one", "2"), ("two", "1")]);
        self.upgrade_all();
        self.sync(store, &Log::default()).unwrap();
        self.upgrade = Upgrade::Nothing;
    }
}

#[test]
fn the_second_new_project_gets_the_same_lock_without_the_network() {
    for function in DigestFunction::ALL {
        let mut machine = machine();
        let store = machine.store("store", function);
        let (first, told) = machine.sync_new(&store).unwrap();
        assert_eq!(told.last().unwrap(), "pinned tool, fetched 2 of 2");
        machine.go_offline();
        let (second, told) = machine.sync_new(&store).unwrap();
        assert_eq!(second, first);
        assert_eq!(told, ["pinned tool, fetched 0 of 2, as remembered"], "{function}");
    }
}

#[test]
fn an_image_that_is_gone_is_made_of_the_packages_that_are_there() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Blake3);
    let (first, _) = machine.sync_new(&store).unwrap();
    machine.go_offline();
    let file = Digest::of(DigestFunction::Blake3, b"one 1").hex();
    fs::remove_file(machine.path(&format!("store/cas/blake3/{}/{file}.x", &file[..2]))).unwrap();
    let (second, told) = machine.sync_new(&store).unwrap();
    assert_eq!(second, first);
    assert_eq!(told, ["installing tool", "pinned tool, fetched 0 of 2, as remembered"]);
    // A machine with another store has neither image nor memory, and says what is missing.
    machine.registries.mirrors.debian = Some("http://127.0.0.1:1".to_owned());
    let error = machine.sync_new(&machine.store("other", DigestFunction::Blake3)).unwrap_err();
    assert!(error.hints()[0].contains("once with the network"), "{error}: {:?}", error.hints());
}

#[test]
fn what_a_machine_did_before_has_no_influence_while_registries_can_be_asked() {
    let mut machine = machine();
    let used = machine.store("used", DigestFunction::Blake3);
    let (first, _) = machine.sync_new(&used).unwrap();
    machine.release(&[("one", "2"), ("two", "1")]);
    let (newer, told) = machine.sync_new(&used).unwrap();
    assert!(newer.contains("one@2") && !first.contains("one@2"), "{newer}");
    // The package that did not change is in the store.
    assert_eq!(told.last().unwrap(), "pinned tool, fetched 1 of 2");
    assert_eq!(machine.sync_new(&machine.store("empty", DigestFunction::Blake3)).unwrap().0, newer);
    // Without the network the last answer of the registries is taken, and the user is told so.
    machine.go_offline();
    let (offline, told) = machine.sync_new(&used).unwrap();
    assert_eq!(offline, newer);
    assert_eq!(told, ["pinned tool, fetched 0 of 2, as remembered"]);
    // An upgrade asks the registries, whatever is remembered.
    machine.upgrade_all();
    machine.sync(&used, &Log::default()).unwrap_err();
}

/// A store with another digest function has other digests of images, and may remember that of another image.
#[test]
fn an_image_of_other_packages_is_not_taken_for_the_pinned_one() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Sha256);
    let (pinned, _) = machine.sync_new(&store).unwrap();
    machine.pin_before_an_upgrade(&store);
    let (lock, told) = machine.sync_new(&store).unwrap();
    assert_eq!(lock, pinned);
    assert_eq!(told, ["installing tool", "pinned tool, fetched 0 of 2"]);
}

#[test]
fn another_recipe_is_looked_up_anew() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync_new(&store).unwrap();
    machine.catalogue.push_str("exclude = [\"usr/share/**\"]\n");
    let (_, told) = machine.sync_new(&store).unwrap();
    assert_eq!(told[0], "resolving tool");
    machine.catalogue.push_str("at = \"opt\"\n");
    machine.go_offline();
    machine.sync_new(&store).unwrap_err();
}

#[test]
fn a_checkouts_lock_does_not_choose_for_other_projects() {
    let mut machine = machine();
    let elsewhere = machine.store("elsewhere", DigestFunction::Blake3);
    let (old, _) = machine.sync_new(&elsewhere).unwrap();
    machine.release(&[("one", "2"), ("two", "1")]);
    // A checkout pins the older package, for an older recipe, so its lock is completed with that package.
    let lock = old.replace("recipe = \"", "recipe = \"0");
    fs::write(machine.lockfile(), lock).unwrap();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    assert!(lock.packages[0].purl.to_string().contains("one@1"), "{lock:?}");
    // The mirror is a folder, which can be asked without a network. If the store remembered anything, that
    // would be taken instead.
    machine.registries.network.offline = true;
    let (new, told) = machine.sync_new(&store).unwrap();
    assert_eq!(told[0], "resolving tool");
    assert!(new.contains("one@2"), "{new}");
    // A lock that is complete and installed is not remembered either.
    fs::write(machine.lockfile(), &old).unwrap();
    let third = machine.store("third", DigestFunction::Blake3);
    let lock = machine.sync(&third, &Log::default()).unwrap();
    machine.install(&third, &lock).unwrap();
    machine.go_offline();
    machine.sync_new(&third).unwrap_err();
}

#[test]
fn what_lies_on_this_machine_is_not_remembered() {
    let mut machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync_new(&store).unwrap();
    machine.registries.network.offline = true;
    let (_, told) = machine.sync_new(&store).unwrap();
    assert_eq!(told[0], "resolving tool");
}

#[test]
fn the_catalogues_pins_come_first_and_nobody_is_asked() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Blake3);
    let (pinned, _) = machine.sync_new(&store).unwrap();
    machine.pin_before_an_upgrade(&store);
    // The registry and the store's memory have newer packages than the pins, and yet the pins are taken.
    assert_eq!(machine.sync_new(&store).unwrap().0, pinned);
    // With an empty store the pinned packages are fetched, and no registry is asked about versions.
    let other = machine.store("other", DigestFunction::Blake3);
    fs::remove_dir_all(machine.path("mirror/dists")).unwrap();
    let (lock, told) = machine.sync_new(&other).unwrap();
    assert_eq!(lock, pinned);
    assert_eq!(told[0], "installing tool");
    assert_eq!(told.last().unwrap(), "pinned tool, fetched 2 of 2");
    // Pins for another recipe don't count.
    machine.catalogue.push_str("exclude = [\"usr/share/**\"]\n");
    machine.sync_new(&other).unwrap_err();
}

#[test]
fn pins_that_make_another_image_are_refused() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync_new(&store).unwrap();
    let mut pins = Lock::read(&machine.lockfile()).unwrap().unwrap();
    pins.images[0].tree = Digest::of(DigestFunction::Blake3, b"another");
    machine.pins = Some(pins);
    assert!(machine.sync_new(&store).unwrap_err().is_mismatch());
}

/// A checksum that the user wrote by hand has to be that of the pinned package.
#[test]
fn a_checksum_in_the_lock_is_held_against_the_pins() {
    let mut machine = machine();
    let store = machine.store("store", DigestFunction::Blake3);
    machine.sync_new(&store).unwrap();
    machine.pins = Lock::read(&machine.lockfile()).unwrap();
    let by_hand = "[toolchains]\ntool = \"1.0\"\n[checksums]\ntool = \"sha256:00\"\n";
    fs::write(machine.lockfile(), by_hand).unwrap();
    assert!(machine.sync(&store, &Log::default()).unwrap_err().is_mismatch());
}

#[test]
fn every_default_version_is_pinned_for_every_platform() {
    let catalogue = Catalogue::builtin();
    let pins = catalogue.pins().unwrap();
    for name in catalogue.names() {
        let toolchain = catalogue.toolchain(name).unwrap();
        for platform in toolchain.platforms(&toolchain.default) {
            let recipe = catalogue.recipe(name, &toolchain.default, platform).unwrap();
            let image = pins.image(name, platform).map(|image| image.recipe.clone());
            assert_eq!(pins.version(name), Some(toolchain.default.as_str()));
            assert_eq!(
                image,
                Ok(recipe.id()),
                "the pins of {name} for {platform} are of another recipe"
            );
        }
    }
}

/// A user who has built an example has to fetch nothing for a project in the same language.
#[test]
fn the_examples_have_the_pinned_toolchains() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let pins = Catalogue::builtin().pins().unwrap();
    let mut locks = 0;
    for example in fs::read_dir(examples).unwrap() {
        let path = example.unwrap().path().join("run.lock.toml");
        let Some(lock) = Lock::read(&path).unwrap() else { continue };
        locks += 1;
        for image in &lock.images {
            let name = &image.toolchain;
            assert_eq!(pins.image(name, image.platform).unwrap(), image, "{}", path.display());
            let of = |lock: &Lock| lock.packages(name, image.platform).cloned().collect::<Vec<_>>();
            assert_eq!(of(pins), of(&lock), "{name} in {}", path.display());
        }
    }
    assert!(locks >= 4, "{locks}");
}
