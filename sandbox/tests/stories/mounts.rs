//! Tests every kind of mount, alone and inside others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use sandbox::MountSource::{ReadOnly, Scratch, Symlink, Writable};

use crate::harness::{Lab, With, has_overlays, is_root, text};

crate::tests![
    read_only_file_and_folder,
    read_only_is_recursive,
    sources_below_a_private_folder,
    writable_folders_come_back,
    scratch_leaves_the_lower_tree_alone,
    scratch_can_be_used_again,
    scratch_without_overlay_is_a_copy,
    nested_in_any_order,
    nested_without_a_place,
    etc_is_merged,
    below_tmp,
    links,
    many,
    folders_of_any_depth,
];

fn read_only_file_and_folder(lab: &Lab) {
    let file = lab.file("in/file", "content");
    let spec = lab
        .sh("cat /a/b/single /deep/er/file; stat -c %F /a/b/single")
        .with("/a/b/single", ReadOnly(file))
        .with("/deep/er", ReadOnly(lab.root.join("in")));
    assert_eq!(lab.stdout(&spec), "contentcontentregular file\n");
}

/// On every machine, other file systems are mounted in `/dev`. Nothing is tried there that could
/// change it.
fn read_only_is_recursive(lab: &Lab) {
    let script = "grep ' /host' /proc/self/mountinfo | cut -d' ' -f5,6; cat /host/zero";
    let outcome = lab.run(&lab.sh(script).with("/host", ReadOnly("/dev".into())));
    let mounts = text(&outcome.stdout);
    assert!(mounts.contains("/host/"), "file systems in /dev are needed: {mounts}");
    let is_safe = |line: &str| line.contains(" ro,nosuid,nodev");
    assert!(mounts.lines().all(is_safe), "{mounts}");
    let errors = text(&outcome.stderr);
    assert!(errors.contains("zero: Permission denied"), "device nodes must not work: {errors}");
}

fn sources_below_a_private_folder(lab: &Lab) {
    let private = lab.folder("private");
    lab.file("private/in/file", "content");
    let out = lab.folder("private/out");
    fs::set_permissions(&private, Permissions::from_mode(0o700)).unwrap();
    let spec = lab
        .sh("cp /in/file /out/copy")
        .with("/in", ReadOnly(private.join("in")))
        .with("/out", Writable(out.clone()));
    lab.stdout(&spec);
    assert_eq!(fs::read_to_string(out.join("copy")).unwrap(), "content");
}

/// The caller can read and remove what a command has written, whatever its modes are.
fn writable_folders_come_back(lab: &Lab) {
    let out = lab.folder("out");
    lab.file("out/before/file", "old");
    let script = "umask 077; echo new > before/file; echo a > a; mkdir -p b/c; echo d > b/c/d; \
                  chmod 000 b/c/d b/c a; chmod 500 b before; stat -c %u . before/file";
    let spec =
        sandbox::Spec { cwd: "/out".into(), ..lab.sh(script).with("/out", Writable(out.clone())) };
    assert_eq!(lab.stdout(&spec), format!("{0}\n{0}\n", lab.user()));
    assert_eq!(fs::read_to_string(out.join("before/file")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "a\n");
    assert_eq!(fs::read_to_string(out.join("b/c/d")).unwrap(), "d\n");
    assert!(
        fs::metadata(out.join("a")).unwrap().uid() != 0,
        "root must not own what a command wrote"
    );
    fs::remove_dir_all(&out).unwrap();
}

fn lower(lab: &Lab) {
    lab.file("lower/keep", "keep");
    lab.file("lower/change", "old");
    lab.file("lower/folder/remove", "remove");
    lab.file("lower/folder/rename", "rename");
    symlink("keep", lab.root.join("lower/link")).unwrap();
}

/// A script that does everything that a command may do with existing files.
const CHANGES: &str = "cd /work && cat keep link && echo more >> change && rm folder/remove \
    && mv folder/rename renamed && echo new > folder/new && rm -r folder && mkdir folder && echo again > folder/again \
    && mv keep kept && chmod 600 kept && cat change kept folder/again && ls -A . folder && stat -c %u . kept";
const SEEN: &str =
    "keepkeepoldmore\nkeepagain\n.:\nchange\nfolder\nkept\nlink\nrenamed\n\nfolder:\nagain\n";

/// Lists everything in a folder: its path, mode, time and content.
fn snapshot(lab: &Lab, folder: &str) -> String {
    let script = format!(
        "cd {} && find . -printf '%p %m %T@ %l\\n' | sort && find . -type f | sort | xargs cat",
        lab.root.join(folder).display()
    );
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn scratch_leaves_the_lower_tree_alone(lab: &Lab) {
    lower(lab);
    let before = snapshot(lab, "lower");
    let upper = lab.folder("upper");
    let source = Scratch { lower: lab.root.join("lower"), upper: upper.clone() };
    let outcome = lab.run(&lab.sh(CHANGES).with("/work", source));
    let expect = format!("{SEEN}{0}\n{0}\n", lab.user());
    assert_eq!(text(&outcome.stdout), expect, "{}", text(&outcome.stderr));
    let folder = lab.root.display();
    assert_eq!(
        outcome.copied_scratch.is_empty(),
        has_overlays(&lab.root) && lab.has_namespaces(),
        "overlays don't work in {folder}"
    );
    assert_eq!(snapshot(lab, "lower"), before);
    fs::remove_dir_all(&upper).unwrap();
}

fn scratch_can_be_used_again(lab: &Lab) {
    lower(lab);
    let source = || Scratch { lower: lab.root.join("lower"), upper: lab.folder("upper") };
    lab.stdout(&lab.sh("echo first > /work/new; rm /work/keep").with("/work", source()));
    let spec = lab.sh("cat /work/new; ls /work").with("/work", source());
    assert_eq!(lab.stdout(&spec), "first\nchange\nfolder\nlink\nnew\n");
}

/// On every kernel, overlays refuse `/proc/sys` as their lower folder.
fn scratch_without_overlay_is_a_copy(lab: &Lab) {
    let source =
        |name| Scratch { lower: "/proc/sys/kernel/random".into(), upper: lab.folder(name) };
    let script = "chmod 755 /work && cat /work/poolsize > /work/new && rm /work/uuid && ls /work && stat -c %u /work /work/poolsize";
    for upper in ["first", "second"] {
        let outcome = lab.run(&lab.sh(script).with("/work", source(upper)));
        let seen = text(&outcome.stdout);
        assert_eq!(outcome.copied_scratch, [Path::new("/work")], "{}", text(&outcome.stderr));
        assert!(
            seen.contains("new\n")
                && !seen.contains("uuid\n")
                && seen.ends_with(&format!("{0}\n{0}\n", lab.user())),
            "{seen}"
        );
        fs::remove_dir_all(lab.root.join(upper)).unwrap();
    }
}

fn nested_in_any_order(lab: &Lab) {
    lab.file("src/main.rs", "main");
    lab.file("src/wit/old.wit", "old");
    lab.file("wit/world.wit", "world");
    lab.file("deps/a/lib", "a");
    let out = lab.folder("out");
    let spec = lab
        .sh("cat /src/main.rs /src/wit/world.wit /deps/a/lib; ls /src/wit; echo x > /src/wit/out/x")
        .with("/src/wit/out", Writable(out.clone()))
        .with("/src/wit", ReadOnly(lab.root.join("wit")))
        .with("/deps/a", ReadOnly(lab.root.join("deps/a")))
        .with("/src", ReadOnly(lab.root.join("src")));
    assert_eq!(lab.stdout(&spec), "mainworldaout\nworld.wit\n");
    assert_eq!(fs::read_to_string(out.join("x")).unwrap(), "x\n");
    assert!(!lab.root.join("wit/out").exists(), "nothing may be created in an input");
}

fn nested_without_a_place(lab: &Lab) {
    lab.file("src/main.rs", "main");
    lab.file("src/deep/er/mod.rs", "mod");
    lab.file("wit/world.wit", "world");
    let spec = lab
        .sh("cd /src; cat main.rs deep/er/mod.rs wit/world.wit deep/er/wit/world.wit; ls . deep/er; touch a; touch deep/a; touch wit/a")
        .with("/src", ReadOnly(lab.root.join("src")))
        .with("/src/wit", ReadOnly(lab.root.join("wit")))
        .with("/src/deep/er/wit", ReadOnly(lab.root.join("wit")));
    let outcome = lab.run(&spec);
    assert_eq!(
        text(&outcome.stdout),
        "mainmodworldworld.:\ndeep\nmain.rs\nwit\n\ndeep/er:\nmod.rs\nwit\n"
    );
    let errors = text(&outcome.stderr);
    assert_eq!(errors.matches("Read-only file system").count(), 3, "{errors}");
    assert!(!lab.root.join("src/wit").exists());
}

fn etc_is_merged(lab: &Lab) {
    lab.file("etc/ssl/openssl.cnf", "ssl");
    lab.file("etc/passwd", "somebody else");
    let spec = lab
        .sh("cat /etc/ssl/openssl.cnf; ls /etc; whoami")
        .with("/etc", ReadOnly(lab.root.join("etc")));
    let expect = "sslgroup\nhosts\nnsswitch.conf\npasswd\nresolv.conf\nssl\nrun\n";
    assert_eq!(lab.stdout(&spec), expect);
}

fn below_tmp(lab: &Lab) {
    lower(lab);
    let source = Scratch { lower: lab.root.join("lower"), upper: lab.folder("upper") };
    let spec = lab
        .sh("echo x > /tmp/a/target/x; cat /tmp/a/target/keep; ls /tmp")
        .with("/tmp/a/target", source);
    assert_eq!(lab.stdout(&spec), "keepa\n");
}

fn links(lab: &Lab) {
    lab.file("in/file", "content");
    let spec = lab
        .sh("cat /link/file /in/link/file; readlink /link /in/link")
        .with("/in", ReadOnly(lab.root.join("in")))
        .with("/link", Symlink("in".into()))
        .with("/in/link", Symlink("/in".into()));
    assert_eq!(lab.stdout(&spec), "contentcontentin\n/in\n");
}

fn many(lab: &Lab) {
    lab.file("in/file", "x");
    let mut spec = lab.sh("cat /deps/*/file | wc -c; stat -c %u /deps/7/file");
    for index in 0..300 {
        spec = spec.with(format!("/deps/{index}"), ReadOnly(lab.root.join("in")));
    }
    let output = lab.stdout(&spec);
    // Where the kernel and the file system can do it, root's files appear as files of the sandbox's
    // user, and elsewhere as nobody's.
    let user = lab.user();
    let owners: &[&str] = if is_root() { &[&user, "65534"] } else { &[&user] };
    let (count, owner) = output.trim().split_once('\n').unwrap();
    assert_eq!(count, "300");
    assert!(owners.contains(&owner), "{owner}");
}

/// The folders are nested more deeply than paths, descriptors and the stack allow.
fn folders_of_any_depth(lab: &Lab) {
    let out = lab.folder("out");
    let nest = |cwd: &str| {
        let spec = sandbox::Spec { cwd: cwd.into(), ..lab.probe(&["nest", "2500"]) };
        spec.with("/out", Writable(out.clone()))
    };
    assert_eq!(lab.stdout(&nest("/out")), "done\n");
    // The folder can be given to a command again, and its owner can remove it.
    assert_eq!(lab.stdout(&lab.sh("ls /out").with("/out", Writable(out.clone()))), "d\n");
    let removed = std::process::Command::new("rm").arg("-rf").arg(out.join("d")).output().unwrap();
    assert!(removed.status.success() && !out.join("d").exists(), "{}", text(&removed.stderr));
    assert_eq!(lab.stdout(&nest("/tmp")), "done\n");
    if !lab.has_namespaces() {
        // What such a command has written to `/tmp` lies on a disk, and must be removed when the
        // command ends.
        let trees = fs::read_dir(lab.root.join("sandbox")).unwrap();
        let left = trees.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        let left = left.map(|entry| entry.unwrap().file_name()).filter(|name| name != "programs");
        assert_eq!(left.collect::<Vec<_>>(), Vec::<std::ffi::OsString>::new());
    }
}
