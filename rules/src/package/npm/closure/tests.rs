//! Tests which packages of a lockfile are chosen.

use serde_json::json;

use super::*;

const INTEGRITY: &str = "sha256-15Z3GIaH57MrQ96dI2Wh/4rm8anj1JRxm+VCOU2Z990=";

/// Returns the lockfile of a project that depends on `needs`, with these packages.
fn lock(needs: Value, packages: Value) -> PackageLock {
    let mut places = json!({ "": { "name": "project", "dependencies": needs } });
    for (place, locked) in packages.as_object().unwrap() {
        places[place] = json!({ "version": "1.0.0", "integrity": INTEGRITY });
        let fields = locked.as_object().unwrap().clone();
        places[place].as_object_mut().unwrap().extend(fields);
        places[place].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    let text = json!({ "lockfileVersion": 3, "packages": places }).to_string();
    PackageLock::parse(&text).unwrap()
}

fn places(lock: &PackageLock, platform: Platform) -> Vec<String> {
    let placed = lock.placed(platform, &|_| false).unwrap();
    placed.iter().map(|placed| format!("{} = {}", placed.place, placed.spec)).collect()
}

#[test]
fn two_versions_of_a_package_have_two_places() {
    let lock = lock(
        json!({ "a": "^1.0.0", "@s/b": "^1.0.0" }),
        json!({
            "node_modules/a": { "dependencies": { "c": "^1.0.0", "d": "*" } },
            "node_modules/@s/b": { "dependencies": { "c": "^2.0.0", "d": "*" } },
            "node_modules/@s/b/node_modules/c": {
                "version": "2.0.0",
                "dependencies": { "d": "*", "e": "*" },
            },
            "node_modules/@s/b/node_modules/e": {},
            "node_modules/c": {},
            "node_modules/d": { "name": "@s/real", "version": "3.0.0-rc.1" },
            "node_modules/e": { "version": "9.0.0" },
        }),
    );
    let expect = [
        "node_modules/@s/b = @s/b@1.0.0",
        "node_modules/@s/b/node_modules/c = c@2.0.0",
        "node_modules/@s/b/node_modules/e = e@1.0.0",
        "node_modules/a = a@1.0.0",
        "node_modules/c = c@1.0.0",
        "node_modules/d = @s/real@3.0.0-rc.1",
    ];
    assert_eq!(places(&lock, Platform::X86_64Linux), expect);
}

#[test]
fn packages_for_other_platforms_are_left_out_with_what_they_need() {
    let lock = lock(
        json!({ "a": "*", "inner": "*" }),
        json!({
            "node_modules/a": {
                "optionalDependencies": {
                    "a-linux-arm64": "1", "a-linux-x64": "1", "a-linux-x64-musl": "1",
                    "a-wasm": "1", "a-not-windows": "1", "a-gone": "1",
                },
                "peerDependencies": { "never-installed": "*" },
            },
            "node_modules/a-linux-arm64": { "optional": true, "os": ["linux"], "cpu": ["arm64"] },
            "node_modules/a-linux-x64": {
                "optional": true, "os": "linux", "cpu": ["x64"], "libc": ["glibc"],
            },
            "node_modules/a-linux-x64-musl": {
                "optional": true, "os": ["linux"], "cpu": ["x64"], "libc": ["musl"],
            },
            "node_modules/a-wasm": {
                "optional": true, "cpu": ["wasm32"], "dependencies": { "runtime": "*" },
            },
            "node_modules/runtime": { "optional": true },
            "node_modules/a-not-windows": { "os": ["!win32"], "cpu": ["any"] },
            "node_modules/inner": { "dependencies": { "bundled": "*" } },
            "node_modules/inner/node_modules/bundled": { "inBundle": true, "integrity": null },
            "node_modules/unused": {},
        }),
    );
    let expect = |native: &str| {
        ["a", native, "a-not-windows", "inner"]
            .map(|name| format!("node_modules/{name} = {name}@1.0.0"))
    };
    assert_eq!(places(&lock, Platform::X86_64Linux), expect("a-linux-x64"));
    assert_eq!(places(&lock, Platform::Aarch64Linux), expect("a-linux-arm64"));
}

#[test]
fn a_c_library_that_npm_did_not_note_can_be_added() {
    let native = json!({ "optional": true, "os": ["linux"] });
    let mut lock = lock(
        json!({ "a": "*" }),
        json!({
            "node_modules/a": { "optionalDependencies": { "gnu": "1", "musl": "1" } },
            "node_modules/gnu": native,
            "node_modules/musl": native,
        }),
    );
    assert!(lock.lacks_libc("node_modules/gnu") && !lock.lacks_libc("node_modules/a"));
    lock.note_libc("node_modules/gnu", json!(["glibc"]));
    lock.note_libc("node_modules/musl", json!("musl"));
    lock.note_libc("node_modules/a", json!(7));
    assert!(!lock.lacks_libc("node_modules/gnu"));
    let expect = ["node_modules/a = a@1.0.0", "node_modules/gnu = gnu@1.0.0"];
    assert_eq!(places(&lock, Platform::X86_64Linux), expect);
}

#[test]
fn what_can_not_be_installed_is_told() {
    let check = |packages: Value, expect: &str| {
        let error = lock(json!({ "a": "*" }), packages).placed(Platform::X86_64Linux, &|_| false);
        assert_eq!(error.unwrap_err(), expect);
    };
    check(json!({}), "`a` is needed by the project, but is not in it");
    check(
        json!({ "node_modules/a": { "dependencies": { "b": "*" } } }),
        "`b` is needed by `node_modules/a`, but is not in it",
    );
    check(
        json!({ "node_modules/a": { "os": ["darwin"] } }),
        "`node_modules/a` is not made for x86_64-linux",
    );
    check(
        json!({ "node_modules/a": { "link": true, "resolved": "a" }, "a": {} }),
        "`node_modules/a` is a link, not a package of a registry",
    );
    check(
        json!({ "node_modules/a": { "link": true, "resolved": "a" } }),
        "`node_modules/a` is a link to `a`, which is not in it",
    );
    check(
        json!({ "node_modules/a": { "link": true } }),
        "`node_modules/a` is a link, and it does not say to what",
    );
    check(
        json!({ "node_modules/a": { "integrity": null } }),
        "node_modules/a: it has no `integrity`, as only packages of a registry have",
    );
    check(
        json!({ "node_modules/a": { "integrity": "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=" } }),
        "node_modules/a: `sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=` is no integrity by SHA-512, SHA-384 or SHA-256",
    );
    check(
        json!({ "node_modules/a": { "version": "file:../a" } }),
        "node_modules/a: `a@file:../a` is no package of an npm registry",
    );
}

#[test]
fn only_lockfiles_with_places_are_read() {
    let check = |text: &str, expect: &str| {
        assert_eq!(PackageLock::parse(text).unwrap_err(), expect);
    };
    check(r#"{ "lockfileVersion": 1 }"#, "lockfileVersion is 1, expected 2 or 3");
    check("{}", "missing field `lockfileVersion` at line 1 column 2");
    let empty = PackageLock::parse(r#"{ "lockfileVersion": 3 }"#).unwrap();
    assert_eq!(
        empty.placed(Platform::X86_64Linux, &|_| false).unwrap_err(),
        "it has no `packages`"
    );
}

#[test]
fn folders_are_places_only_below_node_modules() {
    let check = |place: &str, expect: Option<&str>| assert_eq!(folder_name(place), expect);
    check("node_modules/a", Some("a"));
    check("node_modules/@s/a/node_modules/@t/b", Some("@t/b"));
    check("packages/a", None);
    check("packages/a/node_modules/b", Some("b"));
    check("../a/node_modules/@s/b/node_modules/c", Some("c"));
    check("a/../b/node_modules/c", None);
    check("node_modules/..", None);
    check("node_modules/a/b", None);
    check("node_modules/../node_modules/a", None);
    check("node_modules/@s/..", None);
}

#[test]
fn a_project_needs_what_it_and_its_links_need() {
    let package =
        |needs: Value| json!({ "integrity": INTEGRITY, "version": "1.0.0", "dependencies": needs });
    let link = |folder: &str| json!({ "link": true, "resolved": folder });
    let text = json!({
        "lockfileVersion": 3,
        "packages": {
            "": {
                "workspaces": ["packages/*"],
                "dependencies": { "root-only": "1" },
                "devDependencies": { "@types/a": "1", "tester": "1" },
            },
            "node_modules/@acme/x": link("packages/x"),
            "node_modules/@types/a": package(json!({})),
            "node_modules/app": link("packages/app"),
            "node_modules/other": link("packages/other"),
            "node_modules/both": package(json!({})),
            "node_modules/deep": package(json!({ "both": "1" })),
            "node_modules/root-only": package(json!({})),
            "node_modules/x": package(json!({})),
            "packages/app": { "dependencies": { "@acme/x": "1", "both": "2", "x": "1" } },
            "packages/app/node_modules/both": package(json!({})),
            "packages/other": { "dependencies": { "root-only": "1" } },
            "packages/x": { "dependencies": { "deep": "1", "@acme/x": "1", "inside": "1" } },
            "packages/x/inside": { "dependencies": { "both": "2" } },
            "packages/x/node_modules/both": package(json!({})),
            "packages/x/node_modules/inside": link("packages/x/inside"),
        },
    });
    let lock = PackageLock::parse(&text.to_string()).unwrap();
    let types = |name: &str| name.starts_with("@types/");
    let needed = lock.needed("packages/app", Platform::X86_64Linux, &types).unwrap();
    let places: Vec<&str> = needed.packages.iter().map(|placed| placed.place.as_str()).collect();
    let expect = [
        "node_modules/@types/a",
        "node_modules/both",
        "node_modules/deep",
        "node_modules/x",
        "packages/app/node_modules/both",
        "packages/x/node_modules/both",
    ];
    assert_eq!(places, expect);
    let link = |place: &str, folder: &str| (place.to_owned(), folder.to_owned());
    let links = BTreeMap::from([
        link("node_modules/@acme/x", "packages/x"),
        link("packages/x/node_modules/inside", "packages/x/inside"),
    ]);
    assert_eq!(needed.links, links);
    assert!(lock.has_project("packages/app") && !lock.has_project("packages/none"));
}

#[test]
fn of_what_a_project_is_developed_with_what_is_asked_for_is_placed() {
    let text = json!({
        "lockfileVersion": 3,
        "packages": {
            "": { "devDependencies": { "@types/a": "*", "tester": "*" } },
            "node_modules/@types/a": { "version": "1.0.0", "integrity": INTEGRITY, "dev": true },
            "node_modules/tester": { "version": "1.0.0", "integrity": INTEGRITY, "dev": true },
        },
    });
    let lock = PackageLock::parse(&text.to_string()).unwrap();
    let check = |develops: &dyn Fn(&str) -> bool, expect: &[&str]| {
        let placed = lock.placed(Platform::X86_64Linux, develops).unwrap();
        let places: Vec<&str> = placed.iter().map(|placed| placed.place.as_str()).collect();
        assert_eq!(places, expect);
    };
    check(&|_| false, &[]);
    check(&|name| name.starts_with("@types/"), &["node_modules/@types/a"]);
}

#[test]
fn a_lockfile_is_held_against_the_manifest() {
    let check = |manifest: Value, expect: Option<&str>| {
        let locked = lock(json!({ "a": "^1.0.0" }), json!({ "node_modules/a": {} }));
        let manifest: Dependencies = serde_json::from_value(manifest).unwrap();
        assert_eq!(locked.difference("", &manifest).as_deref(), expect);
    };
    check(json!({ "name": "project", "dependencies": { "a": "^1.0.0" } }), None);
    check(
        json!({ "dependencies": { "a": "^2.0.0" } }),
        Some("`a` ^2.0.0 is asked for, and it was made for ^1.0.0"),
    );
    check(json!({ "dependencies": { "a": "^1.0.0", "b": "*" } }), Some("it lacks `b` *"));
    check(json!({}), None);
    check(
        json!({ "devDependencies": { "a": "^1.0.0" } }),
        Some("it has `a` among other dependencies"),
    );
    // npm takes a package that is listed as optional out of the other dependencies.
    let both =
        json!({ "dependencies": { "a": "^1.0.0" }, "optionalDependencies": { "a": "^1.0.0" } });
    check(both, Some("it has `a` among other dependencies"));
}

#[test]
fn what_is_not_asked_for_any_more_is_not_needed() {
    let check = |manifest: Value, expect: &[&str]| {
        let mut lock = lock(json!({ "a": "^1.0.0" }), json!({ "node_modules/a": {} }));
        lock.retain("", &serde_json::from_value(manifest).unwrap());
        assert_eq!(places(&lock, Platform::X86_64Linux), expect);
    };
    check(json!({ "dependencies": { "a": "^1.0.0" } }), &["node_modules/a = a@1.0.0"]);
    check(json!({}), &[]);
}
