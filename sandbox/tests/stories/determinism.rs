//! Tests what a command sees of time, random numbers and the machine under the determinism layer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox::MountSource::{ReadOnly, Writable};
use sandbox::{Determinism, Spec, Status};

use crate::harness::{Lab, With, start, text};

crate::tests![
    every_run_sees_the_same,
    the_seed_and_the_epoch_decide,
    static_programs_and_scripts,
    waiting_comes_to_an_end,
    failures_are_those_of_the_program,
    limits_hold,
    what_is_missed_is_known,
    the_machine_does_not_show,
];

/// Compares a probe that is an ordinary command of this test with one on another disk and processor
/// that was started with `nice`.
fn the_machine_does_not_show(lab: &Lab) {
    let elsewhere = format!("/dev/shm/sandbox-test-{}-{}", std::process::id(), lab.user());
    let elsewhere = std::path::Path::new(&elsewhere);
    std::fs::create_dir(elsewhere).unwrap();
    let spec = |out: &std::path::Path, what: &[&str]| {
        let spec = lab.probe(&[&["machine"], what].concat());
        let spec = spec.with("/out", Writable(out.into()));
        spec.limited(|limits| limits.timeout = Some(Duration::from_secs(60)))
    };
    let out = lab.folder("out");
    let both = |what: &[&str]| (spec(&out, what), spec(elsewhere, what));
    let nicely = |spec: &Spec| {
        std::thread::scope(|scope| {
            let run = || {
                let nice = rustix::process::setpriority_process(None, 7);
                nice.unwrap();
                let sandbox = start(lab.sandbox.isolation(), elsewhere);
                let lab = Lab { sandbox, root: lab.root.clone(), probe: lab.probe.clone() };
                lab.stdout(spec)
            };
            scope.spawn(run).join().unwrap()
        })
    };
    let (here, there) = both(&["files"]);
    let (one, two) = (lab.stdout(&deterministic(here)), nicely(&deterministic(there)));
    let (here, there) = both(&[]);
    let (plain, other) = (lab.stdout(&here), nicely(&there));
    std::fs::remove_dir_all(elsewhere).unwrap();
    let (one, two) = (lines(&one), lines(&two));
    // Without namespaces, process numbers, the user's other processes and folders of the host are
    // visible, and ports that others use are passed over.
    let shows = |name: &str| {
        const SHOWN: &[&str] =
            &["child", "limits", "file:/proc/self/limits", "file:/proc/self/maps"];
        const OF_PROCESSES: &[&str] = &["file:/proc/self/stat", "file:/proc/self/status"];
        const PORTS: &[&str] = &["udp-port", "tcp-port", "own-port"];
        !lab.has_namespaces()
            && [SHOWN, OF_PROCESSES, PORTS].iter().any(|names| names.contains(&name))
    };
    assert!(one.keys().eq(two.keys()), "{:?}\n{:?}", one.keys(), two.keys());
    let differ = one.iter().filter(|(name, value)| two[*name] != **value && !shows(name));
    let differ: Vec<_> = differ.map(|(name, value)| (name, value, two[name])).collect();
    assert!(differ.is_empty(), "{differ:#?}");
    // Each of these must show something without the layer, or the test would prove nothing.
    let (plain, other) = (lines(&plain), lines(&other));
    let mut telling = vec![
        "getitimer",
        "timerfd",
        "timer",
        "ppoll",
        "wait4",
        "waitid",
        "statfs-/out",
        "fstatfs",
        "pipe",
    ];
    telling.extend(["nice", "statx", "stat-/proc/self/fd"]);
    for name in telling {
        assert_ne!(plain[name], other[name], "{name}");
    }
    let expect = [
        ("getitimer", "[0, 0, 1000, 5]"),
        ("timerfd-off", "[0, 0, 0, 0]"),
        ("ppoll", "[9, 0]"),
        ("nice", "Ok(20)"),
        ("rseq", "\"ENOSYS\""),
        ("pipe-inode", "true"),
        ("relative-pipe", "true"),
        ("statfs-missing", "\"ENOENT\""),
        ("seek-3", "Err(22)"),
        ("signal", "[0, 0]"),
    ];
    for (name, value) in expect {
        assert_eq!(one[name], value, "{name}");
    }
    for file in ["cmdline", "diskstats", "interrupts", "modules", "partitions"] {
        let said = one.get(format!("file:/proc/{file}").as_str());
        assert!(said.is_none_or(|said| *said == "\"\""), "{file}: {said:?}");
    }
    check_ports(lab, &one);
}

/// Checks the ports that sockets got. Without a network of its own, a command passes over those that others use.
fn check_ports(lab: &Lab, one: &BTreeMap<&str, &str>) {
    if let Some(port) = one.get("udp-port") {
        if lab.has_namespaces() {
            assert_eq!(*port, "127.0.0.1:32768");
            assert_eq!((one["tcp-port"], one["own-port"]), ("127.0.0.1:32769", "127.0.0.1:32770"));
        }
        assert_eq!((one["chosen-port"], one["timestamp-35"]), ("127.0.0.1:8080", "\"92\""));
    }
}

fn what_is_missed_is_known(lab: &Lab) {
    lab.file("inputs/there", "");
    let script = "cat /inputs/no-file /inputs/there; test -e no-relative; cd /usr && test -r ./no-access; \
                  exec 3< /tmp; echo x > /tmp/made; cat /proc/no-process; ls /usr/no-folder; true";
    let spec = Spec { cwd: "/inputs".into(), ..lab.sh(script) };
    let spec = spec.with("/inputs", ReadOnly(lab.root.join("inputs")));
    let missed = |spec: &Spec| {
        let paths = lab.run(spec).missing.into_iter();
        paths
            .map(|path| path.to_str().unwrap().to_owned())
            .filter(|path| path.contains("/no-"))
            .collect::<Vec<_>>()
    };
    let untidied = if lab.has_namespaces() { "/usr/./no-access" } else { "/usr/no-access" };
    assert_eq!(
        missed(&deterministic(spec.clone())),
        ["/inputs/no-file", "/inputs/no-relative", untidied, "/usr/no-folder"]
    );
    assert_eq!(missed(&spec), Vec::<String>::new(), "nobody looks");
}

/// The moment at which clocks begin, which is on 2001-09-09.
const EPOCH: u64 = 1_000_000_000;

fn deterministic(spec: Spec) -> Spec {
    Spec { determinism: Some(Determinism::at(EPOCH)), ..spec }
}

/// Specifies a probe that prints what it sees, with a folder whose files were created in this
/// order.
fn facts(lab: &Lab, order: &[&str]) -> Spec {
    let folder = format!("files-{}", order[0]);
    for name in order {
        lab.file(&format!("{folder}/{name}"), name);
    }
    lab.probe(&["facts", "/files"]).with("/files", ReadOnly(lab.root.join(folder)))
}

fn lines(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

fn every_run_sees_the_same(lab: &Lab) {
    let first = facts(lab, &["a", "b", "c", "d"]);
    // This is longer than a tick of the kernel's clock, so the files get different times.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let specs = [first, facts(lab, &["d", "b", "a", "c"])];
    let [one, two] = specs.clone().map(|spec| lab.stdout(&deterministic(spec)));
    for (name, value) in lines(&one) {
        assert_eq!(lines(&two)[name], value, "{name}");
    }
    // Without the layer, everything differs that can differ, and the rest describes the machine.
    let [one, two] = specs.map(|spec| lab.stdout(&spec));
    let (one, two) = (lines(&one), lines(&two));
    // Without a mount namespace, there is one list for all commands.
    let mounts = ["self/mountinfo", "relative"].into_iter().filter(|_| lab.has_namespaces());
    for name in [
        "random",
        "hash",
        "/dev/random",
        "/dev/urandom",
        "clock",
        "raw-clock",
        "slept",
        "new-times",
        "new-change",
        "input-change",
        "addresses",
        "uptime",
        "sys/kernel/random/uuid",
        "threads",
        "children",
    ]
    .into_iter()
    .chain(mounts)
    {
        assert_ne!(one[name], two[name], "{name}");
    }
}

fn the_seed_and_the_epoch_decide(lab: &Lab) {
    let spec = facts(lab, &["a", "b"]);
    let run = |epoch, seed| {
        let determinism = Determinism { seed, ..Determinism::at(epoch) };
        lab.stdout(&Spec { determinism: Some(determinism), ..spec.clone() })
    };
    let (first, seed, epoch) = (run(EPOCH, 1), run(EPOCH, 2), run(EPOCH + 1, 1));
    let (first, seed, epoch) = (lines(&first), lines(&seed), lines(&epoch));
    for name in ["random", "hash", "/dev/urandom", "sys/kernel/random/uuid"] {
        assert_ne!(first[name], seed[name], "{name}");
        assert_eq!(first[name], epoch[name], "{name}");
    }
    assert!(first["clock"].starts_with("1000000000") && epoch["clock"].starts_with("1000000001"));
    let files = "[Some(1000000000000000000), Some(1000000000000000000), Some(1000000000000000000)]";
    assert_eq!(first["new-times"], files);
    assert_eq!(first["input-times"], files, "it was made just now");
    assert_eq!(first["cpus"], Determinism::at(EPOCH).cpus.to_string());
    let one = lab.stdout(&deterministic(spec.clone().limited(|limits| limits.cpus = Some(1))));
    assert_eq!(lines(&one)["cpus"], "1");
}

/// The layer needs no help from the program, and it covers children of children.
fn static_programs_and_scripts(lab: &Lab) {
    let script = "
        for i in 1 2 3; do mktemp -u; done
        (date +%s%N; sh -c 'date +%s%N; cat /proc/sys/kernel/random/boot_id') | sort
        stat -c '%X %Y %Z %W' /tmp /bin/sh
        touch -d 1990-01-01T00:00:00Z /tmp/old; stat -c %Y /tmp/old
        uname -a; nproc
        ls -U /tmp";
    let run = || lab.stdout(&deterministic(lab.sh(script)));
    let said = run();
    assert_eq!(said, run());
    assert!(said.contains("\n631152000\n"), "a time before the epoch is that of the file: {said}");
    assert!(said.contains(" 6.1.0 #1 "), "{said}");
}

fn waiting_comes_to_an_end(lab: &Lab) {
    let begin = Instant::now();
    assert_eq!(lab.stdout(&deterministic(lab.probe(&["waits"]))), "done\n");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

fn failures_are_those_of_the_program(lab: &Lab) {
    let run = |script: &str| lab.run(&deterministic(lab.sh(script)));
    assert_eq!(run("exit 7").status, Status::Exited(7));
    assert_eq!(run("kill -TERM $$").status, Status::Signalled(libc::SIGTERM));
    assert_eq!(run("kill -SEGV $$").status, Status::Signalled(libc::SIGSEGV));
    let outcome = run("(sleep 600 &) ; (trap '' TERM; sleep 600) & kill -STOP $! ; echo left");
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (Status::Exited(0), "left\n"));
    let missing = deterministic(Spec { argv: vec!["/nowhere".into()], ..lab.sh("") });
    let plain = Spec { determinism: None, ..missing.clone() };
    assert_eq!(lab.error(&missing), lab.error(&plain));
    let script = deterministic(lab.sh("no-such-program; echo $?"));
    assert_eq!(lab.stdout(&script), "127\n");
}

fn limits_hold(lab: &Lab) {
    let busy = "while :; do date > /dev/null; done";
    let spec = deterministic(lab.sh(busy)).limited(|limits| {
        limits.timeout = Some(Duration::from_millis(500));
        limits.memory = Some(1 << 30);
    });
    let begin = Instant::now();
    assert_eq!(lab.run(&spec).status, Status::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let eat = lab.probe(&["eat", "400", "1"]);
    let spec = deterministic(eat).limited(|limits| limits.memory = Some(100 << 20));
    assert_eq!(lab.run(&spec).status, Status::OutOfMemory);
}
