use std::collections::BTreeMap;

use cache::DigestFunction;

use super::*;
use crate::{Input, Label, Process, Source};
use sandbox::{Isolation, Limits};

fn store() -> (tempfile::TempDir, DiskStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path(), DigestFunction::Sha256).unwrap();
    (folder, store)
}

fn put(store: &DiskStore, files: &[&str], links: &[(&str, &str)]) -> Digest {
    let mut tree = Tree::default();
    for path in files {
        let digest = store.put(path.as_bytes()).unwrap();
        tree.insert(path, Entry::File { digest, executable: true }).unwrap();
    }
    for (path, target) in links {
        tree.insert(path, Entry::Symlink { target: (*target).to_owned() }).unwrap();
    }
    store.put_tree(&tree).unwrap()
}

fn action(inputs: &[(&str, Digest)]) -> Action {
    let process = Process {
        argv: vec!["cc".to_owned()],
        env: BTreeMap::new(),
        cwd: String::new(),
        limits: Limits::STANDARD,
        determinism: None,
        stdout: None,
        isolation: Isolation::Namespaces,
    };
    let input = |action: Action, (at, tree): &(&str, Digest)| {
        action.input(Input::new(*at, Source::Tree(*tree)))
    };
    inputs.iter().fold(Action::process(Label::new("c", "a"), process), input)
}

/// Lists the paths of an executed root, and the targets of links.
fn listed(store: &DiskStore, inputs: &[(&str, Digest)]) -> Result<Vec<String>, StageError> {
    let contents: Vec<_> = inputs.iter().map(|(_, tree)| Artifact::Tree(*tree)).collect();
    let root = root(store, &RelativeTrees::default(), &action(inputs), &contents, b"orders")?;
    let mut lines = Vec::new();
    list("", &store.tree(&root).unwrap().unwrap(), &mut lines);
    Ok(lines)
}

fn list(at: &str, tree: &Tree, lines: &mut Vec<String>) {
    for (name, entry) in &tree.entries {
        match entry {
            Entry::Directory(tree) if tree.entries.is_empty() => lines.push(format!("{at}{name}/")),
            Entry::Directory(tree) => list(&format!("{at}{name}/"), tree, lines),
            Entry::Symlink { target } => lines.push(format!("{at}{name} -> {target}")),
            _ => lines.push(format!("{at}{name}")),
        }
    }
}

#[test]
fn images_are_merged_with_the_inputs_as_the_sandbox_does_it() {
    let (_folder, store) = store();
    let one = put(&store, &["usr/bin/cc", "dev/null", "tmp/x", "proc/1"], &[]);
    let other = put(&store, &["usr/bin/ld", "lib/ld.so"], &[]);
    let source = put(&store, &["main.c"], &[]);
    let expected = [
        ".run/launch",
        ".run/orders",
        "lib/ld.so",
        "src/deep/main.c",
        "tmp/",
        "usr/bin/cc",
        "usr/bin/env",
        "usr/bin/ld",
    ];
    let inputs = [("", one), ("", other), ("src/deep", source)];
    for _ in 0..2 {
        assert_eq!(listed(&store, &inputs).unwrap(), expected, "also if the store remembers it");
    }
}

#[test]
fn absolute_links_become_relative_ones() {
    let (_folder, store) = store();
    let links = [
        ("bin", "usr/bin"),
        ("a", "/"),
        ("b", "/usr"),
        ("usr/bin/cc", "/usr/lib/cc"),
        ("usr/c", "//x/../y"),
    ];
    let image = put(&store, &["usr/bin/env"], &links);
    let source = put(&store, &["f"], &[("l", "/f"), ("d/l", "../f")]);
    let plain = put(&store, &["f"], &[("l", "f")]);
    let expected = [
        ".run/launch",
        ".run/orders",
        "a -> .",
        "b -> usr",
        "bin -> usr/bin",
        "s/r/c/d/l -> ../f",
        "s/r/c/f",
        "s/r/c/l -> ../../../f",
        "t/f",
        "t/l -> f",
        "tmp/",
        "usr/bin/cc -> ../../usr/lib/cc",
        "usr/bin/env",
        "usr/c -> ../x/../y",
    ];
    let inputs = [("", image), ("s/r/c", source), ("t", plain)];
    assert_eq!(listed(&store, &inputs).unwrap(), expected);
}

#[test]
fn what_does_not_fit_together_is_named() {
    let (_folder, store) = store();
    let (image, own) = (put(&store, &["src/x"], &[]), put(&store, &[".run/launch"], &[]));
    let taken = listed(&store, &[("", image), ("src", image)]).unwrap_err();
    assert!(matches!(taken, StageError::Taken(name) if name == "src"));
    let taken = listed(&store, &[("", own)]).unwrap_err();
    assert!(matches!(taken, StageError::Taken(name) if name.starts_with(".run")));
    let lost = Digest::of(DigestFunction::Sha256, b"lost");
    let missing = listed(&store, &[("", image), ("x", lost)]).unwrap_err();
    assert!(matches!(missing, StageError::Missing(digest) if digest == lost));
}
