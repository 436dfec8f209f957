//! Tests what a command can reach from inside a real action: the result of each attempt, as root, as an
//! ordinary user, and as an ordinary user without namespaces. `tests/fixtures/probes/attempts.rs` makes the
//! attempts.
//!
//! `sandbox/tests` has more tests of single calls, limits and outputs, in five identities.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{Workspace, repository};

/// Each attempt with its result. The result has "or" if it depends on the kernel.
const PROBES: &[(&str, &str)] = &[
    // The host's files.
    ("absolute", "ENOENT"),
    ("dots", "ENOENT"),
    ("link", "ENOENT"),
    ("hard-link", "ENOENT"),
    ("unreadable-path", "ENOENT"),
    ("not-dumpable", "ENOENT"),
    ("marked-path", "ENOENT"),
    ("init-root", "EACCES"),
    ("init-cwd", "EACCES"),
    ("init-environment", "EACCES"),
    ("init-memory", "EACCES"),
    ("own-root", "ENOENT"),
    ("host-process", "ENOENT"),
    ("sibling", "ENOENT"),
    ("home", "ENOENT"),
    ("store", "ENOENT"),
    ("sys", "ENOENT"),
    ("memory", "ENOENT"),
    ("kernel-messages", "ENOENT"),
    ("fuse", "ENOENT"),
    ("disk", "ENOENT"),
    ("terminal", "ENOENT"),
    ("kernel-core", "ENOENT or EACCES"),
    ("host-mounts", "false"),
    // Writing to files that are not its own.
    ("write-input", "EACCES"),
    ("create-input", "EROFS"),
    ("remove-input", "EROFS"),
    ("rename-input", "EROFS"),
    ("chmod-input", "EROFS"),
    ("touch-input", "EROFS"),
    ("truncate-input", "EACCES"),
    ("label-input", "EROFS"),
    ("unreadable-input", "EROFS"),
    ("chmod-descriptor", "EROFS"),
    ("chmod-folder", "EROFS"),
    ("own-folder", "EROFS"),
    ("link-input", "EXDEV"),
    ("lease-input", "EPERM"),
    ("lease-toolchain", "EPERM"),
    ("write-toolchain", "EROFS"),
    ("remove-toolchain", "EROFS"),
    ("write-root", "EROFS"),
    ("write-accounts", "EROFS"),
    ("write-devices", "EROFS"),
    ("core-pattern", "EACCES"),
    ("write-host-name", "EACCES"),
    ("write-settings", "EACCES"),
    ("sysrq", "ENOENT or EACCES"),
    // Namespaces, mounts, privileges.
    ("mount", "EPERM"),
    ("remount", "EPERM"),
    ("unmount", "EPERM"),
    ("open-tree", "EPERM"),
    ("pivot", "EPERM"),
    ("chroot", "EPERM"),
    ("device-node", "EPERM"),
    ("enter-namespace", "EPERM"),
    ("handle", "EPERM"),
    ("new-user-namespace", "ENOSPC"),
    ("new-mount-namespace", "EPERM"),
    ("clone-namespace", "ENOSPC"),
    ("become-root", "EINVAL"),
    ("become-root-group", "EINVAL"),
    ("groups", "EPERM"),
    ("capabilities", "EPERM"),
    ("set-uid-program", "EPERM"),
    ("set-group-program", "EPERM"),
    ("hidden-mode", "ENOSYS"),
    ("file-flags", "EPERM"),
    ("file-project", "EPERM"),
    ("toolchain-flags", "EPERM"),
    ("own-flags", "EPERM"),
    ("filter-listener", "EINVAL"),
    // Processes.
    ("kill-host", "ESRCH"),
    ("trace-init", "EPERM"),
    ("read-init", "EPERM"),
    ("limit-init", "EPERM"),
    ("pin-init", "EPERM"),
    ("idle-init", "EPERM"),
    ("nice-init", "EPERM"),
    ("nice-user", "EPERM"),
    ("limit-host", "ESRCH"),
    ("pin-host", "ESRCH"),
    ("nice-host", "ESRCH"),
    ("own-host", "ESRCH"),
    ("processes", "0"),
    ("daemon", "started"),
    ("fork-bomb", "EAGAIN after 4000 and more"),
    // Networks.
    ("tcp-host", "ECONNREFUSED"),
    ("tcp-outside", "ENETUNREACH"),
    ("udp-outside", "ENETUNREACH"),
    ("names", "false"),
    ("abstract-socket", "ECONNREFUSED"),
    ("socket-file", "ENOENT"),
    ("datagram-pair", "ENOENT"),
    ("packet-socket", "EAFNOSUPPORT"),
    ("netlink-socket", "EAFNOSUPPORT"),
    ("vsock-socket", "EAFNOSUPPORT"),
    ("crypto-socket", "EAFNOSUPPORT"),
    ("raw-socket", "EPERM"),
    // The kernel.
    ("keys", "EPERM"),
    ("bpf", "EPERM"),
    ("performance", "EPERM"),
    ("user-faults", "EPERM"),
    ("io-uring", "ENOSYS"),
    ("set-clock", "EPERM"),
    ("set-host-name", "EPERM"),
    ("kernel-module", "EPERM"),
    ("new-kernel", "EPERM"),
    ("kernel-log", "EPERM"),
    ("reboot", "EPERM"),
    ("swap", "EPERM"),
    // What it sees of itself.
    ("user", "1000:1000"),
    ("umask", "022"),
    ("folder", "/src"),
    ("host-name", "run"),
    ("environment", "HOME=/tmp LANG=C.UTF-8 TZ=UTC USER= LOGNAME= HOSTNAME= SUDO_UID="),
    ("input-time", "315619200"),
    ("core-limit", "[1, 1]"),
    ("cpus", "1"),
    ("no-new-privileges", "CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2"),
    ("ignored-signals", "SigBlk:0000000000000000"),
    ("shell", "ENOENT"),
];

/// The results that are different without namespaces.
const WEAK: &[(&str, &str)] = &[
    // Other processes are not visible at all, and all of `/proc` is read-only.
    ("init-root", "ENOENT"),
    ("init-cwd", "ENOENT"),
    ("init-environment", "ENOENT"),
    ("init-memory", "ENOENT"),
    // A call whose path can't be read is not made, and the mark alone does not make a call count as
    // translated.
    ("unreadable-path", "EFAULT"),
    ("unreadable-input", "EFAULT"),
    ("marked-path", "ENOENT or EPERM"),
    ("write-input", "EROFS"),
    ("truncate-input", "EROFS"),
    ("core-pattern", "EROFS"),
    ("write-host-name", "EROFS"),
    ("write-settings", "EROFS"),
    ("sysrq", "ENOENT or EROFS"),
    ("limit-init", "ESRCH"),
    ("pin-init", "ESRCH"),
    ("idle-init", "ESRCH"),
    ("nice-init", "ESRCH"),
    // The kernel would send signals to a process of the host.
    ("own-host", "EPERM"),
    // No namespaces can be made.
    ("new-user-namespace", "EPERM"),
    ("clone-namespace", "ENOSYS"),
    ("become-root", "EPERM"),
    ("become-root-group", "EPERM"),
    // There are no sockets.
    ("tcp-host", "EACCES"),
    ("tcp-outside", "EACCES"),
    ("udp-outside", "EACCES"),
    ("abstract-socket", "EACCES"),
    ("socket-file", "EACCES"),
    ("datagram-pair", "EACCES"),
    ("packet-socket", "EACCES"),
    ("netlink-socket", "EACCES"),
    ("vsock-socket", "EACCES"),
    ("crypto-socket", "EACCES"),
    ("raw-socket", "EACCES"),
    // User, host and the names of all processes are visible.
    ("user", "54321:54321"),
    ("host-name", OF_THE_MACHINE),
    ("processes", "1"),
    ("no-new-privileges", OF_THE_MACHINE),
];

/// The result of an attempt that differs from machine to machine.
const OF_THE_MACHINE: &str = "…";

#[test]
#[cfg(target_arch = "x86_64")]
fn root() {
    check(Workspace::new(), "namespaces");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn user() {
    check(Workspace::new().private_store().user(54_321), "namespaces");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn weak() {
    check(Workspace::new().private_store().user(54_321), "weak");
}

fn check(workspace: Workspace, sandbox: &str) {
    let found = attempts(&workspace, sandbox);
    let mut wrong = String::new();
    for (probe, expect) in PROBES {
        let weak = WEAK.iter().find(|(name, _)| sandbox == "weak" && name == probe);
        let expect = weak.map_or(expect, |(_, expect)| expect);
        let outcome = found.get(*probe).map_or("it was not tried", String::as_str);
        let is_expected = |expect| expect == OF_THE_MACHINE || expect == outcome;
        if !expect.split(" or ").any(is_expected) {
            let _ = writeln!(wrong, "{probe}: {outcome}, not {expect}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(!processes().any(|name| name == "left-behind"), "a daemon outlives its action");
}

/// Returns the names of all processes of the machine.
fn processes() -> impl Iterator<Item = String> {
    let names = std::fs::read_dir("/proc").unwrap().flatten();
    let names = names.filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned())
}

/// Compiles a program of the fixture with the host's Rust, and returns its path.
fn compile(name: &str, flags: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let source = repository().join(format!("tests/fixtures/probes/{name}.rs"));
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-C", "panic=abort"]).args(flags).arg("-o");
    assert!(rustc.arg(&program).arg(source).status().unwrap().success());
    program
}

/// Returns the files of the toolchain that makes the attempts, with their places. They are compiled at the
/// first call. The program of the attempts is the toolchain's shell, and one attempt needs a program that is
/// linked dynamically.
fn toolchain() -> &'static [(PathBuf, String)] {
    static FILES: OnceLock<Vec<(PathBuf, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let attempts = compile("attempts", &["-C", "target-feature=+crt-static"]);
        let names = compile("names", &[]);
        let needs = Command::new("ldd").arg(&names).output().unwrap();
        let needs = String::from_utf8(needs.stdout).unwrap();
        let libraries = needs.split_whitespace().filter(|word| word.starts_with('/'));
        let mut files: Vec<(PathBuf, String)> =
            libraries.map(|path| (path.into(), path.trim_start_matches('/').to_owned())).collect();
        files.push((attempts, "usr/bin/sh".to_owned()));
        files.push((names, "usr/bin/names".to_owned()));
        files
    })
}

/// Makes every attempt, each in the compile action of a component of its own, and returns the results.
fn attempts(workspace: &Workspace, sandbox: &str) -> BTreeMap<String, String> {
    // The components are in Go for TinyGo, because their actions begin with a shell, and are isolated in the
    // same way as all actions.
    for (file, place) in toolchain() {
        let place = workspace.path(&format!("vendor/image/{place}"));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(file, place).unwrap();
    }
    workspace.write("vendor/image/usr/lib/data", "");
    workspace.write("vendor/tinygo/targets/wasip2.json", "{}");
    workspace.write("main.go", "package main\n");
    workspace.write("go.mod", "module example.com/probes\n");
    workspace.write("input.txt", "an input");
    workspace.write("sibling.txt", "not an input");
    // The attempts try to reach these things of the host.
    let secret = workspace.root().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let name = format!("run-probes-{}-{port}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _abstract = UnixListener::bind_addr(&address).unwrap();
    let _file = UnixListener::bind(secret.with_extension("socket")).unwrap();
    let datagrams = UnixDatagram::bind(secret.with_extension("datagram")).unwrap();
    datagrams.set_nonblocking(true).unwrap();

    let mut manifest = "[project]\nname = \"probes\"\nversion = \"0.1.0\"\n".to_owned();
    for (probe, _) in PROBES {
        let _ = write!(
            manifest,
            "\n[[component]]\nname = \"{probe}\"\nsource = \"main.go\"\nlanguage = \"tinygo\"\n\
             world = \"wasi:cli/command@0.2.4\"\ninputs = [\"input.txt\"]\nenv = {{ PROBE = \"{probe}\", SECRET = \"{}\", PORT = \"{port}\", SOCKET = \"{name}\", \
             PID = \"{}\" }}\n",
            secret.display(),
            std::process::id(),
        );
        if *probe == "cpus" {
            manifest.push_str("cpu = 1\n");
        }
    }
    workspace.write("run.toml", manifest);
    workspace.give_away();
    workspace.pin_image("tinygo-go", "1.25.5");
    workspace.give_away();
    workspace.run(["toolchain", "add", "tinygo@0.40.0", "--path", "vendor/tinygo"]).ok();
    let [first, again] = [(); 2].map(|()| {
        let run = workspace.run(["build", "--keep-going", "--sandbox", sandbox]).exits(1);
        // No result of the build before was kept, so every attempt is made again.
        let made = run.ran().iter().filter(|action| action.ends_with(":compile")).count();
        assert_eq!(made, PROBES.len(), "{}", run.stderr);
        let found = run.stderr.lines().filter_map(|line| line.trim().split_once(": "));
        let owned = |(probe, outcome): (&str, &str)| (probe.to_owned(), outcome.to_owned());
        let found = found.map(owned).collect::<BTreeMap<String, String>>();
        let is_silent = |probe: &&(&str, &str)| !found.contains_key(probe.0);
        // If an attempt has no result, the output of the build says why.
        let silent = PROBES.iter().find(is_silent).map(|(probe, _)| probe);
        assert_eq!(silent, None, "{}", run.stderr);
        found
    });
    assert!(datagrams.recv(&mut [0; 8]).is_err(), "a command has sent something to the host");
    for (probe, _) in PROBES {
        assert_eq!(first.get(*probe), again.get(*probe), "{probe}");
    }
    first
}
