//! Tests that commands end with their caller, leave nothing behind, and don't disturb each other.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sandbox::MountSource::{ReadOnly, Scratch, Writable};
use sandbox::{Cancel, Isolation, Sandbox, Spec, Status};

use crate::harness::{Lab, With, chain, spec, start, text};

crate::tests![
    cancel_is_quick,
    cancelled_before_the_start,
    cancel_reaches_all,
    a_killed_caller_leaves_nothing,
    a_killed_spawner_leaves_nothing,
    a_dropped_sandbox_leaves_nothing,
    many_in_a_row_leak_nothing,
    many_at_once,
    large_specifications,
    the_name_alone_makes_no_spawner,
];

/// Specifies a command that creates a file in `/out` when it runs, and then waits.
fn waiting(lab: &Lab) -> Spec {
    let script = "(setsid sleep 100 &); touch /out/started; sleep 100";
    lab.sh(script).with("/out", Writable(lab.folder("out")))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(5), "waited in vain until {what}");
        sleep(Duration::from_millis(1));
    }
}

fn cancel_is_quick(lab: &Lab) {
    let cancel = Cancel::new();
    let took = thread::scope(|scope| {
        let run = scope.spawn(|| lab.sandbox.run(&waiting(lab), &cancel).unwrap().status);
        wait_until("the command runs", || lab.root.join("out/started").exists());
        let begin = Instant::now();
        cancel.cancel();
        assert_eq!(run.join().unwrap(), Status::Cancelled);
        begin.elapsed()
    });
    assert!(took < Duration::from_millis(150), "{took:?}");
}

fn cancelled_before_the_start(lab: &Lab) {
    let cancel = Cancel::new();
    cancel.clone().cancel();
    assert_eq!(lab.sandbox.run(&waiting(lab), &cancel).unwrap().status, Status::Cancelled);
    assert!(cancel.is_cancelled());
}

fn cancel_reaches_all(lab: &Lab) {
    let cancel = Cancel::new();
    thread::scope(|scope| {
        let run = || lab.sandbox.run(&spec(&["sleep", "100"]), &cancel).unwrap().status;
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(run)).collect();
        sleep(Duration::from_millis(50));
        cancel.cancel();
        for run in runs {
            assert_eq!(run.join().unwrap(), Status::Cancelled);
        }
    });
}

/// Plays the caller in the next test: runs a command that never ends.
pub(crate) fn be_a_caller(folder: &Path, isolation: &str) {
    let isolation = Isolation::named(isolation).unwrap();
    let lab = Lab { sandbox: start(isolation, folder), root: folder.into(), probe: "/".into() };
    fs::create_dir_all(folder.join("lower")).unwrap();
    let scratch = Scratch { lower: folder.join("lower"), upper: lab.folder("upper") };
    lab.run(&waiting(&lab).with("/scratch", scratch));
}

fn a_killed_caller_leaves_nothing(lab: &Lab) {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let name = lab.sandbox.isolation().name();
    let mut caller = Command::new(&lab.probe)
        .args(["caller", name])
        .arg(&lab.root)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the command runs", || lab.root.join("out/started").exists());
    let family = descendants(caller.id());
    assert!(family.len() >= 4, "spawner, process 1 and two sleepers: {family:?}");
    caller.kill().unwrap();
    caller.wait().unwrap();
    wait_until("all processes are gone", || family.iter().all(|pid| !is_alive(*pid)));
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    for folder in ["out", "upper"] {
        sandbox::reclaim(&lab.root.join(folder)).unwrap();
        fs::remove_dir_all(lab.root.join(folder)).unwrap();
    }
}

fn a_killed_spawner_leaves_nothing(lab: &Lab) {
    let (sandbox, spawner) = another(lab);
    thread::scope(|scope| {
        let run = scope.spawn(|| sandbox.run(&waiting(lab), &Cancel::new()));
        wait_until("the command runs", || lab.root.join("out/started").exists());
        let family = descendants(spawner);
        kill_process(Pid::from_raw(spawner as i32).unwrap(), Signal::KILL).unwrap();
        let error = chain(&run.join().unwrap().unwrap_err());
        assert_eq!(error, "the spawner process died");
        wait_until("all processes are gone", || family.iter().all(|pid| !is_alive(*pid)));
    });
    let again = sandbox.run(&spec(&["true"]), &Cancel::new());
    assert_eq!(chain(&again.unwrap_err()), "the spawner process died");
}

fn a_dropped_sandbox_leaves_nothing(lab: &Lab) {
    let (sandbox, spawner) = another(lab);
    assert_eq!(sandbox.run(&lab.sh("true"), &Cancel::new()).unwrap().status, Status::Exited(0));
    let clone = sandbox.clone();
    drop(sandbox);
    assert!(is_alive(spawner));
    drop(clone);
    assert!(!is_alive(spawner));
}

fn many_in_a_row_leak_nothing(lab: &Lab) {
    let spec = lab
        .sh("(setsid sleep 100 &); echo x > /out/x; echo y > /scratch/y")
        .with("/in", ReadOnly(lab.folder("in")))
        .with("/out", Writable(lab.folder("out")))
        .with("/scratch", Scratch { lower: lab.folder("in"), upper: lab.folder("upper") });
    let [spawner] = spawners()[..] else { panic!("the test has one sandbox: {:?}", spawners()) };
    let count = || {
        let open = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let mounts =
            |pid: u32| fs::read_to_string(format!("/proc/{pid}/mounts")).unwrap().lines().count();
        let here = std::process::id();
        (open(here), open(spawner), mounts(here), mounts(spawner), descendants(spawner).len())
    };
    // Things that are made only once are no leaks, and neither is what the spawner still has to
    // clean up.
    lab.stdout(&spec);
    sleep(Duration::from_millis(200));
    let before = count();
    for _ in 0..200 {
        lab.stdout(&spec);
    }
    wait_until("the spawner is idle", || count() == before);
}

fn many_at_once(lab: &Lab) {
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (done, lab) = (&done, lab);
            scope.spawn(move || {
                for turn in 0..10 {
                    let name = format!("{thread}-{turn}");
                    let out = lab.folder(&format!("out-{name}"));
                    let script = format!(
                        "echo {name} > /out/name; ls -A /tmp; touch /tmp/{name}; echo {name}"
                    );
                    let spec = lab.sh(&script).with("/out", Writable(out.clone()));
                    assert_eq!(lab.stdout(&spec), format!("{name}\n"));
                    assert_eq!(fs::read_to_string(out.join("name")).unwrap(), format!("{name}\n"));
                    done.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 80);
}

fn large_specifications(lab: &Lab) {
    let argument = "x".repeat(100_000);
    let mut argv = vec!["-c".to_owned(), "echo $# ${#1}".into(), "sh".into()];
    argv.extend(std::iter::repeat_n(argument, 10));
    let words: Vec<&str> = ["sh"].into_iter().chain(argv.iter().map(String::as_str)).collect();
    assert_eq!(lab.stdout(&spec(&words)), "10 100000\n");
}

/// A program that is started under the spawner's name is still that program.
fn the_name_alone_makes_no_spawner(lab: &Lab) {
    let mut program = Command::new(&lab.probe);
    program.arg0("run-spawner").args(["probe", "reads", "/nowhere"]).stdin(Stdio::null());
    assert_eq!(text(&program.output().unwrap().stdout), "/nowhere ENOENT\n");
}

/// Returns the spawners of this process. It may have other children: root has other users run the
/// tests at the same time.
fn spawners() -> Vec<u32> {
    let ours = |(pid, parent): &(u32, u32)| {
        *parent == std::process::id()
            && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "run-spawner\n")
    };
    processes().into_iter().filter(ours).map(|(pid, _)| pid).collect()
}

/// Starts one sandbox more, and returns it with its spawner.
fn another(lab: &Lab) -> (Sandbox, u32) {
    let before = spawners();
    let sandbox = start(lab.sandbox.isolation(), &lab.root);
    let new = |pid: &u32| !before.contains(pid);
    let new: Vec<u32> = spawners().into_iter().filter(new).collect();
    assert_eq!(new.len(), 1, "tests run one after the other: {before:?}, {new:?}");
    (sandbox, new[0])
}

fn descendants(of: u32) -> Vec<u32> {
    let processes = processes();
    let mut family = vec![of];
    let mut index = 0;
    while index < family.len() {
        let parent = family[index];
        family.extend(processes.iter().filter(|(_, other)| *other == parent).map(|(pid, _)| *pid));
        index += 1;
    }
    family.split_off(1)
}

/// Returns every process with its parent.
fn processes() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?.1))).collect()
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// Returns the state and the parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
