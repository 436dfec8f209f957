//! Kept downloads, and builds without a network.

use std::fs;

use registry::{Address, Error, Kept, Settings, Sha256};

use crate::harness::{
    Program, artifact, at, component, fetch, package, registries, settings, shown, version,
    versions,
};

#[test]
fn what_was_fetched_is_there_without_a_network() {
    let program = Program::docker();
    let folder = tempfile::tempdir().unwrap();
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    at(&program.url()).publish(&name, &number, &artifact("one")).unwrap();
    at(&program.url()).publish(&name, &version("0.2.0"), &artifact("two")).unwrap();
    let url = program.url();
    let kept = |offline: bool| {
        let mut settings: Settings = settings(&url);
        settings.kept = Some(folder.path().join("cache"));
        settings.network.offline = offline;
        registries(settings)
    };
    let error = kept(true).versions(&name).unwrap_err();
    assert_eq!(
        shown(&error),
        format!(
            "`demo:greet` (its versions) was not kept by an earlier download from {url}, and the network is switched off"
        )
    );
    let fetched = fetch(&kept(false), "demo:greet", "0.1.0").unwrap();
    // What was fetched is no list of versions.
    assert!(matches!(kept(true).versions(&name).unwrap_err(), Error::NotKept { .. }));
    assert_eq!(versions(&kept(false), "demo:greet"), ["0.1.0", "0.2.0"]);

    let offline = kept(true);
    assert_eq!(versions(&offline, "demo:greet"), ["0.1.0", "0.2.0"]);
    let digest = fetched.sha256;
    for expected in [None, Some(digest)] {
        let again = offline.fetch(&name, &number, expected).unwrap();
        assert_eq!(
            (again.bytes, again.sha256, again.source),
            (component("one"), digest, url.clone())
        );
        assert_eq!(
            again.served_by,
            folder
                .path()
                .join(format!("cache/sha256/{}/{}.wasm", &digest.hex()[..2], digest.hex()))
                .display()
                .to_string()
        );
    }
    let error = fetch(&offline, "demo:greet", "0.2.0").unwrap_err();
    assert_eq!(
        shown(&error),
        format!(
            "`demo:greet` 0.2.0 was not kept by an earlier download from {url}, and the network is switched off"
        )
    );
    let error = offline.publish(&name, &version("0.3.0"), &artifact("three")).unwrap_err();
    assert!(shown(&error).ends_with("the network is switched off"));

    // With a lock, what was kept is used without asking anybody.
    drop(program);
    kept(false).fetch(&name, &number, Some(digest)).unwrap();
    // A damaged file is not used, and is fetched again when the registry is there.
    fs::write(Kept::new(folder.path().join("cache")).path(digest), "damaged").unwrap();
    let error = kept(true).fetch(&name, &number, Some(digest)).unwrap_err();
    assert!(matches!(error, Error::NotKept { .. }));
}

#[test]
fn a_damaged_file_is_fetched_again() {
    let program = Program::docker();
    let folder = tempfile::tempdir().unwrap();
    at(&program.url())
        .publish(&package("demo:greet"), &version("0.1.0"), &artifact("one"))
        .unwrap();
    let mut settings = settings(&program.url());
    settings.kept = Some(folder.path().to_owned());
    let registries = registries(settings);
    let digest = fetch(&registries, "demo:greet", "0.1.0").unwrap().sha256;
    let path = Kept::new(folder.path()).path(digest);
    fs::write(&path, "damaged").unwrap();
    let again = registries.fetch(&package("demo:greet"), &version("0.1.0"), Some(digest)).unwrap();
    assert_eq!(again.bytes, component("one"));
    assert_eq!(again.served_by, program.url());
    assert_eq!(fs::read(path).unwrap(), component("one"));
}

#[test]
fn a_folder_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::directory(folder.path());
    let mut settings = settings(&address.to_string());
    settings.network.offline = true;
    let registries = registries(settings);
    let (name, number) = (package("demo:greet"), version("0.1.0"));
    registries.publish(&name, &number, &artifact("one")).unwrap();
    assert_eq!(versions(&registries, "demo:greet"), ["0.1.0"]);
    assert_eq!(fetch(&registries, "demo:greet", "0.1.0").unwrap().bytes, component("one"));
}

#[test]
fn many_writers_and_readers_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let name = package("demo:greet");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (path, name) = (folder.path(), &name);
            scope.spawn(move || {
                for number in 0..20 {
                    let kept = Kept::new(path);
                    let bytes = component(&format!("text {number}"));
                    let digest = kept.put(&bytes).unwrap();
                    assert_eq!(kept.get(digest).unwrap(), Some(bytes));
                    let number = version(&format!("{writer}.{number}.0"));
                    kept.remember_digest("registry", name, &number, digest).unwrap();
                }
            });
        }
    });
    let kept = Kept::new(folder.path());
    for writer in 0..8 {
        for number in 0..20 {
            let number = version(&format!("{writer}.{number}.0"));
            assert!(kept.digest("registry", &name, &number).unwrap().is_some(), "{number}");
        }
    }
    assert_eq!(kept.digest("elsewhere", &name, &version("1.1.0")).unwrap(), None);
    assert_eq!(kept.versions("registry", &name).unwrap(), None, "nobody listed them");
    let count = |path: &str| walk(&folder.path().join(path));
    assert_eq!((count("sha256"), count("versions")), (20, 2));
    assert_eq!(kept.get(Sha256::of(b"nothing")).unwrap(), None);
}

/// Counts the files below a folder.
fn walk(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}
