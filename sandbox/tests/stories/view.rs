//! Tests what a command finds: its user and host, and the files, processes and descriptors that
//! exist.

use std::os::fd::AsRawFd;

use rustix::fs::{Mode, OFlags, open};
use sandbox::{MountSource, Spec, Status, View};

use crate::harness::{Lab, With, spec, start, text};

crate::tests![
    who_and_where,
    somebody_else_somewhere_else,
    environment_is_exactly_as_declared,
    nothing_but_the_view,
    the_host_is_not_there,
    only_own_processes,
    process_one_is_closed,
    privileges_and_signals,
    descriptors,
    limits_are_fixed,
    cpus,
    names_resolve,
];

fn who_and_where(lab: &Lab) {
    let script = "id; umask; hostname; pwd; echo $$; cat /proc/sys/kernel/domainname";
    let spec = Spec { cwd: "/usr/bin".into(), ..lab.sh(script) };
    let identity = "uid=1000(run) gid=1000(run) groups=1000(run)";
    assert_eq!(lab.stdout(&spec), format!("{identity}\n0022\nrun\n/usr/bin\n2\n(none)\n"));
}

fn somebody_else_somewhere_else(lab: &Lab) {
    let view = View { user: 1234, host: "elsewhere".into(), umask: 0o077, first_process: 700 };
    let script =
        "id; umask; hostname; echo $$; getent hosts elsewhere; touch /out/f; stat -c %a:%u /out/f";
    let spec =
        Spec { view, ..lab.sh(script) }.with("/out", MountSource::Writable(lab.folder("out")));
    let identity = "uid=1234(run) gid=1234(run) groups=1234(run)";
    let found = lab.stdout(&spec);
    let expect = format!("{identity}\n0077\nelsewhere\n700\n");
    assert!(found.starts_with(&expect) && found.ends_with("600:1234\n"), "{found}");
}

fn environment_is_exactly_as_declared(lab: &Lab) {
    let declared = vec![("B".into(), "two\nlines".into()), ("A".into(), "".into())];
    let program = spec(&["/usr/bin/env", "-0"]);
    assert_eq!(lab.stdout(&Spec { env: declared, ..program.clone() }), "B=two\nlines\0A=\0");
    assert_eq!(lab.stdout(&Spec { env: vec![], ..program }), "");
}

fn nothing_but_the_view(lab: &Lab) {
    let mounted = ["usr", "bin", "lib", "lib64", "sbin", "etc", "dev", "proc", "tmp"];
    let list = |folder: &str| lab.lines(&format!("ls -A {folder}"));
    assert!(list("/").iter().all(|name| mounted.contains(&name.as_str())), "{:?}", list("/"));
    assert_eq!(list("/etc"), ["group", "hosts", "nsswitch.conf", "passwd", "resolv.conf"]);
    let devices =
        ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"];
    assert_eq!(list("/dev"), devices);
    assert!(list("/tmp").is_empty());
    assert!(list("/dev/shm").is_empty());
    let script = "touch /tmp/a /dev/shm/b && echo x > /dev/null && head -c 3 /dev/urandom | wc -c; stat -c %a /tmp";
    assert_eq!(lab.lines(script), ["3", "1777"]);
}

fn the_host_is_not_there(lab: &Lab) {
    let secret = lab.file("secret", "secret");
    let inputs = lab.folder("inputs");
    std::os::unix::fs::symlink(&secret, inputs.join("link")).unwrap();
    let paths = [
        secret.to_str().unwrap(),
        "/inputs/link",
        "/inputs/../secret",
        "/../../../etc/shadow",
        "/sys",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/fuse",
        "/dev/tty",
        "/root",
        "/home",
        "/var",
        "/boot",
    ];
    let words: Vec<&str> = ["reads"].into_iter().chain(paths).collect();
    let spec = lab.probe(&words).with("/inputs", MountSource::ReadOnly(inputs));
    let expect: String = paths.iter().map(|path| format!("{path} ENOENT\n")).collect();
    assert_eq!(lab.stdout(&spec), expect);
}

fn only_own_processes(lab: &Lab) {
    let lines = lab.lines("cd /proc; echo [0-9]*; cat /proc/1/comm");
    assert_eq!(lines, ["1 2", "run-spawner"]);
}

fn process_one_is_closed(lab: &Lab) {
    let paths = [
        "/proc/1/root/etc/passwd",
        "/proc/1/cwd/etc/passwd",
        "/proc/1/environ",
        "/proc/1/mem",
        "/proc/1/maps",
    ];
    let words: Vec<&str> = ["reads"].into_iter().chain(paths).collect();
    let expect: String = paths.iter().map(|path| format!("{path} EACCES\n")).collect();
    assert_eq!(lab.stdout(&lab.probe(&words)), expect);
    assert_eq!(lab.lines("tr '\\0' ' ' < /proc/1/cmdline"), ["run-spawner "]);
}

fn privileges_and_signals(lab: &Lab) {
    let lines =
        lab.lines("grep -E '^(Cap|NoNewPrivs|Seccomp:|SigIgn|SigBlk|SigPnd)' /proc/self/status");
    let none = "0000000000000000";
    let sets = ["SigPnd", "SigBlk", "SigIgn", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    for set in sets {
        assert!(lines.contains(&format!("{set}:\t{none}")), "{set}: {lines:?}");
    }
    assert!(lines.contains(&"NoNewPrivs:\t1".into()) && lines.contains(&"Seccomp:\t2".into()));
}

fn descriptors(lab: &Lab) {
    // Every program that is started from here would inherit this descriptor.
    let leak = open("/", OFlags::RDONLY, Mode::empty()).unwrap();
    assert!(leak.as_raw_fd() > 2);
    let sandbox = start(lab.sandbox.isolation(), &lab.root);
    let lab = Lab { sandbox, root: lab.root.clone(), probe: lab.probe.clone() };
    let lines = lab.lines("ls /proc/self/fd; readlink /proc/self/fd/0");
    assert_eq!(lines, ["0", "1", "2", "3", "/dev/null"], "the last number is `ls` itself");
}

fn limits_are_fixed(lab: &Lab) {
    let spec = lab
        .sh("ulimit -n; ulimit -s; ulimit -Hs; \
             prlimit --raw --noheadings --output SOFT,HARD --core --sigpending --msgqueue --nice --rtprio")
        .limited(|limits| limits.open_files = 77);
    // At a core limit of 1, the kernel starts no program that takes the core file.
    let raw = "1 1\n4096 4096\n819200 819200\n0 0\n0 0\n";
    assert_eq!(lab.stdout(&spec), format!("77\n8192\n8192\n{raw}"));
}

fn cpus(lab: &Lab) {
    let spec = lab.sh("nproc").limited(|limits| limits.cpus = Some(1));
    assert_eq!(lab.stdout(&spec), "1\n");
    let more = lab.sh("nproc").limited(|limits| limits.cpus = Some(100_000));
    assert_eq!(lab.stdout(&more), lab.stdout(&lab.sh("nproc")));
}

fn names_resolve(lab: &Lab) {
    let script =
        "getent hosts localhost >/dev/null && getent passwd run && getent hosts example.com";
    let outcome = lab.run(&lab.sh(script));
    assert_eq!(outcome.status, Status::Exited(2), "{}", text(&outcome.stderr));
    assert_eq!(text(&outcome.stdout), "run:x:1000:1000:run:/tmp:/bin/sh\n");
}
