//! Tests the check of installed images: damage is named and set aside, and the next installation repairs it.

use super::*;

fn verify(machine: &Machine, store: &DiskStore, lock: &Lock) -> Verified {
    let verify = Verify { store, catalogue: &machine.catalogue(), lock, events: &Log::default() };
    verify.image(&lock.images[0]).unwrap()
}

/// Changes a byte of a blob and resets its time, so that `stat` shows no difference.
fn rot(store: &DiskStore, digest: &Digest) {
    let path = store.blob_path(digest, false).unwrap().unwrap();
    let before = fs::metadata(&path).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
    fs::File::open(&path).unwrap().set_modified(before.modified().unwrap()).unwrap();
    fs::set_permissions(&path, before.permissions()).unwrap();
}

#[test]
fn a_damaged_file_is_named_and_mended_by_the_next_installation() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let sound = verify(&machine, &store, &lock);
    assert_eq!((sound.state, sound.files, sound.packages), (ImageHealth::Sound, 4, 3));
    rot(&store, &Digest::of(DigestFunction::Blake3, b"data"));
    rot(&store, &Digest::of(DigestFunction::Blake3, b"note"));
    let found = verify(&machine, &store, &lock);
    assert_eq!(found.state, ImageHealth::Damaged);
    let damage: Vec<_> =
        found.damage.iter().map(|d| (d.path.as_str(), d.package.as_deref().unwrap())).collect();
    let package = "pkg:generic/tool@1.0";
    assert_eq!(damage, [("opt/lib/data", package), ("usr/local/note", package)]);
    let aside = found.damage[0].aside.as_ref().unwrap();
    assert_eq!(fs::read(aside).unwrap(), b"eata");
    let after = verify(&machine, &store, &lock);
    assert_eq!((after.state, after.files), (ImageHealth::Incomplete, 2));
    machine.install(&store, &lock).unwrap();
    assert_eq!(verify(&machine, &store, &lock), sound);
}

#[test]
fn a_damaged_package_is_named_and_fetched_again() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let Pin::File(deb) = &lock.packages[0].pin else { panic!() };
    rot(&machine.store("store", DigestFunction::Sha256), deb);
    rot(&store, &Digest::of(DigestFunction::Blake3, b"one 1"));
    let found = verify(&machine, &store, &lock);
    // The package of the file is damaged as well, so it is not known where the file came from.
    let damage: Vec<_> =
        found.damage.iter().map(|d| (d.path.as_str(), d.package.clone())).collect();
    let purl = "pkg:deb/debian/one@1?arch=amd64&distro=bookworm".to_owned();
    assert_eq!(damage, [("one_1_amd64.deb", Some(purl)), ("usr/bin/one", None)]);
    machine.install(&store, &lock).unwrap();
    assert_eq!(verify(&machine, &store, &lock).state, ImageHealth::Sound);
}

#[test]
fn what_is_not_installed_is_no_damage() {
    let machine = Machine::new();
    let lock = machine.sync(&machine.store("store", DigestFunction::Blake3), &Log::default());
    let lock = lock.unwrap();
    let other = machine.store("other", DigestFunction::Blake3);
    let found = verify(&machine, &other, &lock);
    assert_eq!((found.state, found.files, found.packages), (ImageHealth::Missing, 0, 0));
    assert_eq!(lock.inventory(&other).unwrap()[0].presence, Presence::Absent);
    let hashed = machine.store("store", DigestFunction::Sha256);
    let found = verify(&machine, &hashed, &lock);
    assert_eq!((found.state, found.packages), (ImageHealth::Unchecked, 3));
    assert_eq!(lock.inventory(&hashed).unwrap()[0].presence, Presence::Unknown);
}

#[test]
fn the_inventory_says_what_there_is() {
    let machine = Machine::new();
    let store = machine.store("store", DigestFunction::Blake3);
    let lock = machine.sync(&store, &Log::default()).unwrap();
    let pinned = &lock.inventory(&store).unwrap()[0];
    assert_eq!((pinned.name.as_str(), pinned.version.as_str()), ("tool", "1.0"));
    assert_eq!(pinned.sources, [SourceKind::Debian, SourceKind::Path, SourceKind::Url]);
    assert_eq!((pinned.packages, pinned.presence, pinned.added), (4, Presence::Whole, false));
    // The sizes of "one 1", "two 1", "data" and "note" are added up.
    assert_eq!(pinned.unpacked, Some(18));
    assert!(pinned.kept > 0);
    rot(&store, &Digest::of(DigestFunction::Blake3, b"data"));
    verify(&machine, &store, &lock);
    assert_eq!(lock.inventory(&store).unwrap()[0].presence, Presence::Partial);
}
