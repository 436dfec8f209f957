//! What a build script can reach from inside a real action: for each attempt what comes of it, as
//! root and as an ordinary user, and as such a user without namespaces. `tests/fixtures/probes/attempts.rs` makes the attempts.
//!
//! More on single calls, on limits and on outputs, in three identities: `sandbox/tests`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::harness::{Workspace, repository};

/// An attempt, and what it comes to; with "or" where that depends on the kernel.
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
    // Writing to what is not its own.
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
    // What it is told of itself.
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

/// What an attempt comes to where there are no namespaces, if that is something else.
const WEAK: &[(&str, &str)] = &[
    // Other processes are not there at all, and all of `/proc` is read-only.
    ("init-root", "ENOENT"),
    ("init-cwd", "ENOENT"),
    ("init-environment", "ENOENT"),
    ("init-memory", "ENOENT"),
    // What can't be read is not passed on, and a mark makes no translation.
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
    // The kernel would send signals to it.
    ("own-host", "EPERM"),
    // There are no namespaces to be had.
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
    // User, host and the names of all processes show.
    ("user", "54321:54321"),
    ("host-name", OF_THE_MACHINE),
    ("processes", "1"),
    ("no-new-privileges", OF_THE_MACHINE),
];

/// An outcome that differs from machine to machine.
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

/// The names of all processes of the machine.
fn processes() -> impl Iterator<Item = String> {
    let names = std::fs::read_dir("/proc").unwrap().flatten();
    let names = names.filter_map(|entry| std::fs::read_to_string(entry.path().join("comm")).ok());
    names.map(|name| name.trim().to_owned())
}

/// The program that makes an attempt, compiled at the first call. It is linked statically, to run in any image.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attempts");
        let status = Command::new("rustc")
            .args([
                "--edition",
                "2024",
                "-C",
                "target-feature=+crt-static",
                "-C",
                "panic=abort",
                "-o",
            ])
            .arg(&program)
            .arg(repository().join("tests/fixtures/probes/attempts.rs"))
            .status()
            .unwrap();
        assert!(status.success());
        program
    })
}

/// Makes every attempt, each in the compile action of a component of its own.
fn attempts(workspace: &Workspace, sandbox: &str) -> BTreeMap<String, String> {
    let fixture = repository().join("tests/fixtures/probes");
    for file in ["Cargo.toml", "Cargo.lock", "build.rs", "src/main.rs"] {
        workspace.write(file, std::fs::read(fixture.join(file)).unwrap());
    }
    std::fs::copy(program(), workspace.path("attempts")).unwrap();
    let toolchains = repository().join("examples/hello/run.lock.toml");
    workspace.write("run.lock.toml", std::fs::read(toolchains).unwrap());
    workspace.write("sibling.txt", "not an input");
    // What the host has, and the attempts are after.
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
            "\n[[component]]\nname = \"{probe}\"\nsource = \"src/main.rs\"\nlanguage = \"rust\"\n\
             inputs = [\"attempts\"]\nenv = {{ PROBE = \"{probe}\", SECRET = \"{}\", PORT = \"{port}\", SOCKET = \"{name}\", \
             PID = \"{}\" }}\n",
            secret.display(),
            std::process::id(),
        );
        if *probe == "cpus" {
            manifest.push_str("cpu = 1\n");
        }
    }
    workspace.write("run.toml", manifest);
    let [first, again] = [(); 2].map(|()| {
        let run = workspace.run(["build", "--keep-going", "--sandbox", sandbox]).exits(1);
        // Nothing of the build before was kept: every attempt is made again.
        let made = run.ran().iter().filter(|action| action.ends_with(":compile")).count();
        assert_eq!(made, PROBES.len(), "{}", run.stderr);
        let found = run.stderr.lines().filter_map(|line| line.trim().split_once(": "));
        let owned = |(probe, outcome): (&str, &str)| (probe.to_owned(), outcome.to_owned());
        let found = found.map(owned).collect::<BTreeMap<String, String>>();
        let is_silent = |probe: &&(&str, &str)| !found.contains_key(probe.0);
        // What has gone wrong instead is in what the build says.
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
