//! Tests of which packages a package depends on.

use cache::DigestFunction;

use super::*;

const HASH: &str = "N-V-__8AAA4AAABv0yiAGJGEPsO4pmhXIeQh373OD9jGj0G3";
const OTHER: &str = "N-V-__8AAAIAAABeXu3m9cnNjX2837EtbN6CvLMT7BwVb-ft";

fn check(files: &[(&str, &str)], expect: Result<&[(&str, &str)], &str>) {
    let dir = tempfile::tempdir().unwrap();
    let store = ContentStore::open(dir.path(), DigestFunction::Blake3).unwrap();
    let mut tree = Tree::default();
    for (path, dependencies) in files {
        let text = format!(".{{ .dependencies = .{{ {dependencies} }} }}");
        let entry = Entry::File { digest: store.put(text.as_bytes()).unwrap(), executable: false };
        tree.insert(path, entry).unwrap();
    }
    let tree = store.put_tree(&tree).unwrap();
    match (needed(&store, "h", &tree), expect) {
        (Ok(found), Ok(expect)) => {
            let expect = expect.iter().map(|(hash, url)| ((*hash).into(), (*url).into()));
            assert_eq!(found, expect.collect());
        }
        (Err(BuiltinError::Failed(report)), Err(expect)) => assert_eq!(report.message, expect),
        (found, expect) => panic!("{found:?}, not {expect:?}"),
    }
}

#[test]
fn packages_that_lie_in_packages_are_followed() {
    let url = |hash: &str| format!(".x = .{{ .url = \"u\", .hash = \"{hash}\" }},");
    check(
        &[
            ("build.zig.zon", &format!("{} .y = .{{ .path = \"sub/y\" }}", url(HASH))),
            ("sub/y/build.zig.zon", &format!("{} .r = .{{ .path = \"../..\" }}", url(OTHER))),
            ("unused/build.zig.zon", "not a manifest"),
        ],
        Ok(&[(HASH, "u"), (OTHER, "u")]),
    );
    check(&[("build.zig", "")], Ok(&[]));
    check(
        &[("build.zig.zon", ".y = .{ .path = \"../y\" }")],
        Err("h/build.zig.zon: dependency `y` is at `../y`, outside the package"),
    );
    let no_hash = "h/build.zig.zon: dependency `x` has no hash of the form that zig writes";
    check(&[("build.zig.zon", ".x = .{ .url = \"u\" }")], Err(no_hash));
    check(&[("build.zig.zon", ".x = .{ .url = \"u\", .hash = \"../../x\" }")], Err(no_hash));
    check(
        &[("build.zig.zon", ".y = .{ .path = \"y\" }"), ("y/build.zig.zon", "\n \"")],
        Err("h/y/build.zig.zon:2: a string without its end"),
    );
}
