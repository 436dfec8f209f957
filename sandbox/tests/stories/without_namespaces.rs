//! Tests commands without namespaces: they see the same file tree by translation of paths, and
//! can't go around the translation.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use sandbox::MountSource::{ReadOnly, Symlink, Writable};
use sandbox::{Determinism, Isolation, Spec};

use crate::harness::{Lab, With};

crate::tests![
    paths_mean_what_they_mean_in_the_tree,
    what_the_kernel_tells_is_translated,
    scripts_and_loaders_are_those_of_the_tree,
    every_thread_has_paths_of_its_own,
    a_program_may_give_its_memory_away,
    a_way_around_the_translation_leads_nowhere,
    a_race_with_the_translation_opens_nothing,
    other_processes_are_out_of_reach,
    the_network_is_out_of_reach,
    open_files_of_inputs_cannot_be_changed,
    processes_are_limited,
];

fn is_guarded(lab: &Lab) -> bool {
    lab.sandbox.isolation() == Isolation::Weak
}

fn paths_mean_what_they_mean_in_the_tree(lab: &Lab) {
    lab.file("in/folder/file", "content");
    let link = |text: &str, name: &str| {
        std::os::unix::fs::symlink(text, lab.root.join("in").join(name)).unwrap();
    };
    link("/src/folder/file", "absolute");
    link("folder/../folder", "relative");
    link("circle", "circle");
    link("/etc/shadow", "outside");
    link("../../../../etc/hosts", "above");
    let check = |script: &str, expect: &str| {
        let spec = lab.sh(script).with("/src", ReadOnly(lab.root.join("in")));
        let spec = spec.with("/out", Writable(lab.folder("out"))).with("/l", Symlink("src".into()));
        assert_eq!(lab.stdout(&Spec { cwd: "/src".into(), ..spec }), expect, "{script}");
    };
    check("cat absolute relative/file /l/folder/../absolute", "contentcontentcontent");
    check("cat ./folder/./file ../src/folder//file /../src/absolute", "contentcontentcontent");
    check("cat circle 2>&1 | grep -c levels", "1\n");
    check("cat outside 2>&1 | grep -c 'No such file'; head -c 9 above", "1\n127.0.0.1");
    check("cat folder/file/ 2>&1 | grep -c 'Not a directory'; ls folder/", "1\nfile\n");
    check(
        "cd folder && pwd && cd .. && pwd && cd relative && pwd -P",
        "/src/folder\n/src\n/src/folder\n",
    );
    check(
        "cd /out && ln -s /src/folder/file a && cat a && ln a b && mv b c && readlink c",
        "content/src/folder/file\n",
    );
    check(
        "cd /out && mkdir -p d/e && echo x > d/e/f && cp -r d g && rm -r d && find . -type f",
        "./g/e/f\n",
    );
    check("mkdir -p /src /src/folder && mkdir /src/new 2>&1 | grep -c Read-only", "1\n");
    check("test -w /src/folder || echo no; test -w /out && echo yes", "no\nyes\n");
    check("ls / | tr '\\n' ' '; ls -d /home 2>&1 | grep -c 'No such'", &listing());
}

/// Returns what lies at the root of such a command.
fn listing() -> String {
    let host = ["usr", "bin", "lib", "lib64", "sbin"];
    let host = host.into_iter().filter(|name| Path::new("/").join(name).exists());
    let mut names: Vec<&str> =
        ["dev", "etc", "l", "out", "proc", "src", "tmp"].into_iter().chain(host).collect();
    names.sort_unstable();
    format!("{} 1\n", names.join(" "))
}

fn what_the_kernel_tells_is_translated(lab: &Lab) {
    lab.file("in/file", "content");
    let script = "readlink /proc/self/exe /proc/self/cwd /proc/$$/exe /proc/thread-self/cwd; \
                  exec 3< /src/file; readlink /proc/self/fd/3 /dev/fd/3; \
                  cat /proc/self/root/src/file; cat <&3; ls /proc/self/cwd/; cat /proc/self/cwd/../src/file; \
                  test /proc/$$/exe -ef /bin/sh && echo same";
    let spec = lab.sh(script).with("/src", ReadOnly(lab.root.join("in")));
    let [shell, readlink] =
        ["/bin/sh", "/usr/bin/readlink"].map(|program| fs::canonicalize(program).unwrap());
    let expect = format!(
        "{}\n/src\n{}\n/src\n/src/file\n/src/file\ncontentcontentfile\ncontentsame\n",
        readlink.display(),
        shell.display()
    );
    assert_eq!(lab.stdout(&Spec { cwd: "/src".into(), ..spec }), expect);
}

fn scripts_and_loaders_are_those_of_the_tree(lab: &Lab) {
    let script = |name: &str, text: &str| {
        let path = lab.file(&format!("in/{name}"), text);
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    };
    script("sh", "#!/usr/bin/env sh\necho $0 $#: \"$@\"\n");
    script("outer", "#!/src/sh -x\n");
    script("relative", "#!./sh beside\n");
    script("none", "#!/nowhere/sh\n");
    script("itself", "#!/src/itself\n");
    let run = |script: &str| {
        let spec = lab.sh(script).with("/src", ReadOnly(lab.root.join("in")));
        lab.stdout(&spec.with("/out", Writable(lab.folder("out"))))
    };
    assert_eq!(run("/src/sh a 'b c'"), "/src/sh 2: a b c\n");
    assert_eq!(run("cd /src && ./outer a"), "/src/sh 3: -x ./outer a\n");
    assert_eq!(run("cd /src && ./relative a"), "./sh 3: beside ./relative a\n");
    assert_eq!(run("/src/none 2>&1 | grep -c 'not found'"), "1\n");
    assert_eq!(run("/src/itself 2>/dev/null; echo $?"), "127\n");
    assert_eq!(run("exec 3< /usr/bin/echo; /proc/self/fd/3 open; /dev/fd/3 file"), "open\nfile\n");
    // A program that a command has created can be started, and again after it was changed.
    let made = "cp /usr/bin/true /out/p && /out/p; echo $?; \
                cp /usr/bin/false /out/p && /out/p; echo $?";
    assert_eq!(run(made), "0\n1\n");
    // The loader is that of the tree, even if the host has one.
    let alone = Spec { mounts: Vec::new(), ..lab.probe(&[]) };
    let error = lab.error(&alone.with("/probe", ReadOnly(lab.probe.clone())));
    assert!(error.ends_with("No such file or directory (os error 2)"), "{error}");
}

fn every_thread_has_paths_of_its_own(lab: &Lab) {
    let spec = lab.probe(&["threads", "/out"]).with("/out", Writable(lab.folder("out")));
    assert_eq!(lab.stdout(&spec), "16\n");
}

fn a_program_may_give_its_memory_away(lab: &Lab) {
    let spec = lab.probe(&["unmaps", "/src/file"]).with("/src", ReadOnly(lab.folder("in")));
    lab.file("in/file", "content");
    assert_eq!(lab.stdout(&spec), "before ok\nunmapped ok\nafter ok\n");
}

fn a_way_around_the_translation_leads_nowhere(lab: &Lab) {
    let secret = lab.file("secret", "secret");
    let shown = lab.file("in/shown", "shown");
    let around = |path: &Path, determinism: Option<Determinism>| {
        let spec = lab.probe(&["around", path.to_str().unwrap()]);
        lab.stdout(&Spec { determinism, ..spec.with("/src", ReadOnly(lab.root.join("in"))) })
    };
    // This call looks as if it had been translated, and was not.
    for path in [&shown, &secret, &lab.probe] {
        let said = around(path, Some(Determinism::at(0)));
        assert_eq!(said, "openat EPERM\nnewfstatat EPERM\nfaccessat EPERM\n");
        let said = around(path, None);
        assert_eq!(said, "openat ENOENT\nnewfstatat ENOENT\nfaccessat ENOENT\n");
    }
}

/// Landlock refuses a path that was changed between the translation and the call.
fn a_race_with_the_translation_opens_nothing(lab: &Lab) {
    let secret = lab.file("secret", "secret");
    let path = secret.to_str().unwrap();
    lab.file(&format!("in/x{}", &path[1..]), "shown");
    let spec = lab.probe(&["race", path]).with("/src", ReadOnly(lab.root.join("in")));
    let said = lab.stdout(&Spec { cwd: "/src".into(), ..spec });
    assert_eq!(said, if is_guarded(lab) { "lost\n" } else { "won\n" });
}

fn other_processes_are_out_of_reach(lab: &Lab) {
    let mut host = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = host.id();
    let script = format!(
        "kill -0 {pid} 2>/dev/null; echo $?; cat /proc/{pid}/comm 2>/dev/null; \
         sleep 9 & kill $!; wait; true"
    );
    let seen = lab.stdout(&lab.sh(&script));
    host.kill().unwrap();
    host.wait().unwrap();
    assert_eq!(seen, if is_guarded(lab) { "1\n" } else { "0\nsleep\n" });
}

fn the_network_is_out_of_reach(lab: &Lab) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp={}", listener.local_addr().unwrap());
    let expect = if is_guarded(lab) { "EACCES" } else { "ok" };
    assert_eq!(lab.stdout(&lab.probe(&["connect", &address])), format!("{address} {expect}\n"));
}

fn open_files_of_inputs_cannot_be_changed(lab: &Lab) {
    let file = lab.file("in/file", "content");
    let before = fs::metadata(&file).unwrap();
    let spec = lab.probe(&["changes", "/src/file"]).with("/src", ReadOnly(lab.root.join("in")));
    assert_eq!(lab.stdout(&spec), "fchmod EROFS\nfutimens EROFS\nfchown EROFS\nfsetxattr EROFS\n");
    let after = fs::metadata(&file).unwrap();
    assert_eq!(after.permissions(), before.permissions());
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
}

/// The kernel also counts the user's other processes, so the number is not exact.
fn processes_are_limited(lab: &Lab) {
    let spec = lab.probe(&["spawn", "200"]).limited(|limits| limits.processes = 20);
    let output = lab.stdout(&spec);
    let count = output.strip_suffix(" EAGAIN\n").and_then(|count| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| (10..40).contains(&count)), "{output}");
}
