//! Tests that files and sockets are out of reach however they are named: by a path that only the
//! kernel can read, a link of `/proc`, a descriptor, or a pair of sockets.

use std::fs::{self, Metadata};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use sandbox::MountSource::{ReadOnly, Writable};
use sandbox::{Determinism, Isolation, Spec};

use crate::harness::{Lab, With};

crate::tests![
    what_cannot_be_read_is_refused,
    arguments_that_cannot_be_read_are_faults,
    folders_too_deep_to_be_named_lead_nowhere,
    programs_that_cannot_be_read_come_to_an_end,
    programs_start_by_their_descriptors,
    links_of_processes_give_no_rights,
    what_is_writable_is_so_by_its_links,
    pairs_of_sockets_reach_nobody_else,
];

/// Returns what nobody may have changed.
fn state(path: &Path) -> (u32, u32, u64, i64, i64, u64) {
    let data: Metadata = fs::metadata(path).unwrap();
    let (seconds, nanoseconds) = (data.mtime(), data.mtime_nsec());
    (data.mode(), data.uid(), data.size(), seconds, nanoseconds, data.nlink())
}

/// Specifies the command without and with the determinism layer.
fn both(spec: &Spec) -> [Spec; 2] {
    [None, Some(Determinism::at(0))].map(|determinism| Spec { determinism, ..spec.clone() })
}

/// Splits lines into this many words, the last of which is an answer.
fn lines<const N: usize>(said: &str) -> Vec<[&str; N]> {
    said.lines().map(words_of).collect()
}

fn words_of<const N: usize>(line: &str) -> [&str; N] {
    line.split(' ').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"))
}

fn what_cannot_be_read_is_refused(lab: &Lab) {
    let input = lab.file("in/file", "content");
    let host = lab.file("secret", "secret");
    let spec = lab.probe(&["unreadable", "/in/file", host.to_str().unwrap()]);
    let spec =
        spec.with("/in", ReadOnly(lab.root.join("in"))).with("/out", Writable(lab.folder("out")));
    let before = [state(&input), state(&host)];
    for spec in both(&spec) {
        let said = lab.stdout(&spec);
        assert!(said.lines().count() > 80, "{said}");
        for [memory, what, call, answer] in lines(&said) {
            let expect: &[&str] = match (memory, what, lab.has_namespaces()) {
                ("undumpable", "-", _) => &["ok"],
                // Where the kernel can read the path, it means a path of the file tree.
                ("undumpable", "host", _) => &["ENOENT", "EROFS", "ENOSYS"],
                ("undumpable", ..) => &["EROFS", "EXDEV", "ENOSYS", "EACCES", "EPERM"],
                (_, "host", true) => &["ENOENT", "EFAULT", "ENOSYS"],
                (_, _, true) => &["EROFS", "EXDEV", "ENOSYS", "EACCES", "EPERM", "EFAULT"],
                (_, _, false) => &["EFAULT"],
            };
            assert!(expect.contains(&answer), "{memory} {what} {call}: {answer}");
        }
        assert_eq!([state(&input), state(&host)], before);
    }
    assert_eq!(fs::read_dir(lab.root.join("out")).unwrap().count(), 0);
}

fn arguments_that_cannot_be_read_are_faults(lab: &Lab) {
    for spec in both(&lab.probe(&["fault"])) {
        let said = lab.stdout(&spec);
        assert_eq!(said.lines().count(), 21, "{said}");
        for line in said.lines() {
            let (name, answer) = line.rsplit_once(' ').unwrap();
            // Nobody can read some of these. The kernel can read others, and finds nothing there.
            let is_fine = match name {
                _ if ["EFAULT", "EBADF"].contains(&answer) => true,
                _ if answer == "EACCES" => name.ends_with("bind") && !lab.has_namespaces(),
                "write-only stat" => answer == "ENOENT",
                name => answer == "ok" && name.starts_with("write-only"),
            };
            assert!(is_fine, "{line}");
        }
    }
}

/// A link may lie in a folder whose path is longer than the kernel returns.
fn folders_too_deep_to_be_named_lead_nowhere(lab: &Lab) {
    let input = lab.file("in/file", "content");
    let host = lab.file("secret", "secret");
    let before = [state(&input), state(&host)];
    for path in ["/in/file", host.to_str().unwrap()] {
        let spec = lab.probe(&["deep", path]).with("/in", ReadOnly(lab.root.join("in")));
        let spec = Spec { cwd: "/out".into(), ..spec };
        for spec in both(&spec.with("/out", Writable(lab.folder("out")))) {
            let said = lab.stdout(&spec);
            for [way, call, answer] in lines(&said) {
                assert_ne!(answer, "ok", "{path}: {way} {call}");
            }
            assert_eq!([state(&input), state(&host)], before, "{path}");
            fs::remove_dir_all(lab.root.join("out")).unwrap();
            lab.folder("out");
        }
    }
}

/// Whoever may run a program need not be allowed to read it. Then nobody may read its process.
fn programs_that_cannot_be_read_come_to_an_end(lab: &Lab) {
    let script = "rm -f /out/p; cp /bin/true /out/p; chmod 111 /out/p; /out/p; echo $?";
    let spec = lab.sh(script).with("/out", Writable(lab.folder("out")));
    let limit = |limits: &mut sandbox::Limits| limits.timeout = Some(Duration::from_secs(20));
    let [plain, traced] = both(&spec.limited(limit)).map(|spec| lab.stdout(&spec));
    let [expect, expect_traced] = match lab.has_namespaces() {
        true => ["0\n", "137\n"],
        false => ["126\n", "126\n"],
    };
    assert_eq!([plain, traced], [expect, expect_traced]);
}

fn programs_start_by_their_descriptors(lab: &Lab) {
    for spec in both(&lab.probe(&["by-descriptor", "/usr/bin/echo"])) {
        assert_eq!(lab.stdout(&spec), "plain ENOENT\nby descriptor\n");
    }
}

fn links_of_processes_give_no_rights(lab: &Lab) {
    let file = lab.file("in/folder/file", "content");
    let folder = lab.root.join("in/folder");
    let out = lab.folder("out");
    let before = [state(&file), state(&folder)];
    for path in ["/in/folder/file", "/in/folder"] {
        let spec = lab.probe(&["links", path]).with("/in", ReadOnly(lab.root.join("in")));
        for spec in both(&spec.with("/out", Writable(out.clone()))) {
            let said = lab.stdout(&spec);
            assert!(said.lines().count() > 100, "{said}");
            for [way, call, answer] in lines(&said) {
                assert_ne!(answer, "ok", "{path}: {way} {call}");
            }
            assert_eq!([state(&file), state(&folder)], before, "{path}");
        }
    }
    assert!(!out.join("new").exists());
}

/// Programs use such links, and may do so.
fn what_is_writable_is_so_by_its_links(lab: &Lab) {
    let script = "{ echo out > /dev/stdout; echo self > /proc/self/fd/1; } | cat; \
                  echo x > /out/file; exec 3< /out/file; chmod 640 /proc/self/fd/3 /dev/fd/3; \
                  echo written > /proc/self/fd/3; cat /out/file; cd /out; chmod 750 /proc/self/cwd; \
                  rm file; echo deleted > /proc/self/fd/3; cat /proc/self/fd/3; \
                  : > /dev/null; cat < /dev/fd/0; ls /proc/self/fd/ > /dev/null; cd /proc/self && cat comm > /dev/null && echo there";
    let spec = lab.sh(script).with("/out", Writable(lab.folder("out")));
    for spec in both(&spec) {
        assert_eq!(lab.stdout(&spec), "out\nself\nwritten\ndeleted\nthere\n");
    }
    assert_eq!(fs::metadata(lab.root.join("out")).unwrap().mode() & 0o777, 0o750);
}

fn pairs_of_sockets_reach_nobody_else(lab: &Lab) {
    let path = lab.root.join("socket");
    let name =
        format!("sandbox-test-{}-{}", std::process::id(), rustix::process::geteuid().as_raw());
    let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
    let sockets = [UnixDatagram::bind(&path), UnixDatagram::bind_addr(&abstract_name)];
    let sockets = sockets.map(|socket| {
        let socket = socket.unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    });
    let arrived = || sockets.iter().any(|socket| socket.recv(&mut [0; 8]).is_ok());
    let isolation = lab.sandbox.isolation();
    for spec in both(&lab.probe(&["pairs", path.to_str().unwrap(), &name])) {
        let said = lab.stdout(&spec);
        // Without a guard the network is the machine's, which shows that the attempts work.
        assert_eq!(arrived(), isolation == Isolation::None, "{said}");
        for line in said.lines() {
            let [kind, _, what, answer] = words_of(line);
            let is_connected = ["stream", "packet"].contains(&kind);
            let expect: &[&str] = match (what, isolation) {
                _ if kind == "family" => &["EAFNOSUPPORT"],
                (_, Isolation::None) => continue,
                ("pair", Isolation::Weak) if !is_connected => &["EACCES"],
                ("pair" | "plain" | "received", _) if is_connected => &["ok"],
                ("sendto" | "connect" | "bind" | "bind-any", Isolation::Weak) => &["EACCES"],
                _ => continue,
            };
            assert!(expect.contains(&answer), "{line}");
        }
    }
}
