//! Tests how commands end: by themselves, at a limit, or at their timeout; and what is kept of
//! their output.

use std::time::{Duration, Instant};

use sandbox::{MountSource, Outcome, Spec, Status};

use crate::harness::{Lab, With, spec, text};

crate::tests![
    exit_codes_and_signals,
    timeouts,
    stubborn_commands_are_killed_too,
    the_clock_does_not_run_for_the_quick,
    grandchildren_die,
    a_held_pipe_does_not_hang,
    processes_are_limited,
    memory_is_limited,
    a_control_group_limits_at_once,
    commands_are_the_first_to_go_when_the_machine_is_short,
    files_in_tmp_count_as_memory,
    shared_memory_counts_once,
    all_memory_counts,
    tmp_is_limited,
    file_size_is_limited,
    output_is_capped,
    usage_is_measured,
];

fn exit_codes_and_signals(lab: &Lab) {
    let check =
        |script: &str, expect| assert_eq!(lab.run(&lab.sh(script)).status, expect, "{script}");
    check("exit 0", Status::Exited(0));
    check("exit 3", Status::Exited(3));
    check("exit 255", Status::Exited(255));
    check("kill -SEGV $$", Status::Signalled(libc::SIGSEGV));
    check("kill -TERM $$", Status::Signalled(libc::SIGTERM));
    check("kill -KILL $$", Status::Signalled(libc::SIGKILL));
    check("kill -PIPE $$", Status::Signalled(libc::SIGPIPE));
    // Process 1 of a namespace ignores signals from inside.
    check("kill -KILL 1; kill -TERM 1; exit 4", Status::Exited(4));
}

/// Runs a script with a timeout of 300 ms, and expects its end within a second after that.
fn timed_out(lab: &Lab, script: &str) -> Outcome {
    let spec = lab.sh(script).limited(|limits| limits.timeout = Some(Duration::from_millis(300)));
    let begin = Instant::now();
    let outcome = lab.run(&spec);
    let took = begin.elapsed();
    assert_eq!(outcome.status, Status::TimedOut, "{script}");
    assert!(
        took >= Duration::from_millis(300) && took < Duration::from_millis(1300),
        "{script}: {took:?}"
    );
    outcome
}

fn timeouts(lab: &Lab) {
    let outcome = timed_out(lab, "echo before; sleep 100; echo after");
    assert_eq!(text(&outcome.stdout), "before\n");
}

fn stubborn_commands_are_killed_too(lab: &Lab) {
    timed_out(lab, "trap '' TERM INT HUP; while :; do :; done");
    timed_out(lab, "kill -STOP $$");
    timed_out(lab, "yes");
    timed_out(lab, "for i in 1 2 3 4 5; do (trap '' TERM; setsid sleep 100) & done; wait");
}

fn the_clock_does_not_run_for_the_quick(lab: &Lab) {
    let quick = lab.sh("true").limited(|limits| limits.timeout = Some(Duration::from_secs(30)));
    assert_eq!(lab.run(&quick).status, Status::Exited(0));
    let never = lab.sh("true").limited(|limits| limits.timeout = Some(Duration::MAX));
    assert_eq!(lab.run(&never).status, Status::Exited(0));
    let none = lab.sh("sleep 5").limited(|limits| limits.timeout = Some(Duration::ZERO));
    assert_eq!(lab.run(&none).status, Status::TimedOut);
}

fn grandchildren_die(lab: &Lab) {
    let out = lab.folder("out");
    let script = "(setsid sh -c 'trap \"\" HUP TERM; while :; do echo >> /out/alive; sleep 0.01; done' >/dev/null 2>&1 &) ; \
                  until test -s /out/alive; do sleep 0.01; done";
    let spec = lab.sh(script).with("/out", MountSource::Writable(out.clone()));
    assert_eq!(lab.run(&spec).status, Status::Exited(0));
    let size = || std::fs::metadata(out.join("alive")).unwrap().len();
    let at_return = size();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(size(), at_return);
}

fn a_held_pipe_does_not_hang(lab: &Lab) {
    let begin = Instant::now();
    let outcome = lab.run(&lab.sh("setsid sleep 100 & echo done"));
    assert_eq!((outcome.status, text(&outcome.stdout).as_str()), (Status::Exited(0), "done\n"));
    assert!(begin.elapsed() < Duration::from_secs(2));
}

fn processes_are_limited(lab: &Lab) {
    let spec = lab.probe(&["spawn", "200"]).limited(|limits| limits.processes = 20);
    assert_eq!(lab.stdout(&spec), "19 EAGAIN\n");
    // A fork bomb hurts nobody, and ends at its timeout. The shell that waits starts one process, which
    // sets off the bomb: a shell that cannot start a process ends.
    timed_out(lab, "bomb() { bomb | bomb & }; bomb 2>/dev/null & while :; do :; done");
    assert_eq!(lab.stdout(&lab.sh("echo fine")), "fine\n");
}

fn memory_is_limited(lab: &Lab) {
    let eat = |mebibytes: &str, processes: &str| {
        let spec = lab.probe(&["eat", mebibytes, processes]);
        let limit = |limits: &mut sandbox::Limits| {
            limits.memory = Some(100 << 20);
            limits.timeout = Some(Duration::from_secs(2));
        };
        lab.run(&spec.limited(limit)).status
    };
    assert_eq!(eat("300", "1"), Status::OutOfMemory);
    assert_eq!(eat("40", "4"), Status::OutOfMemory);
    assert_eq!(eat("40", "2"), Status::TimedOut);
    let quick = lab.sh("exit 7").limited(|limits| limits.memory = Some(100 << 20));
    assert_eq!(lab.run(&quick).status, Status::Exited(7));
}

fn commands_are_the_first_to_go_when_the_machine_is_short(lab: &Lab) {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let own: i32 = own.trim().parse().unwrap();
    let adjusted = lab.stdout(&lab.sh("cat /proc/self/oom_score_adj"));
    assert_eq!(adjusted.trim().parse(), Ok(own.max(500)));
}

/// The kernel's own limits can't be exceeded even for a moment.
fn a_control_group_limits_at_once(lab: &Lab) {
    if !lab.sandbox.has_groups() {
        return;
    }
    let spec = lab.probe(&["eat", "1000", "1"]).limited(|limits| limits.memory = Some(100 << 20));
    let outcome = lab.run(&spec);
    assert_eq!(outcome.status, Status::OutOfMemory);
    assert!(outcome.max_rss < 110 << 20, "{}", outcome.max_rss);
    let spec = lab.probe(&["spawn", "200"]).limited(|limits| limits.processes = 20);
    assert_eq!(lab.stdout(&spec), "19 EAGAIN\n");
}

fn files_in_tmp_count_as_memory(lab: &Lab) {
    if !lab.has_namespaces() {
        return;
    }
    let script = "head -c 60000000 /dev/zero > /tmp/a; sleep 0.3; echo survived; \
                  head -c 60000000 /dev/zero > /dev/shm/b; sleep 5";
    let spec = lab.sh(script).limited(|limits| {
        limits.memory = Some(100 << 20);
        limits.tmp_bytes = 1 << 30;
    });
    let outcome = lab.run(&spec);
    assert_eq!(outcome.status, Status::OutOfMemory);
    assert_eq!(text(&outcome.stdout), "survived\n");
}

fn shared_memory_counts_once(lab: &Lab) {
    let spec = lab.probe(&["share", "60", "5"]).limited(|limits| limits.memory = Some(100 << 20));
    assert_eq!(lab.stdout(&spec), "survived\n");
}

/// Memory counts if it is not private, is not mapped, or belongs to a process whose first thread
/// has ended.
fn all_memory_counts(lab: &Lab) {
    let hoard = |kind: &str, mebibytes: &str, processes: &str| {
        let spec = lab.probe(&["hoard", kind, mebibytes, processes]).limited(|limits| {
            limits.memory = Some(100 << 20);
            limits.tmp_bytes = 1 << 30;
            limits.timeout = Some(Duration::from_secs(5));
        });
        lab.run(&spec)
    };
    let everywhere = ["shared", "memfd", "written", "thread"];
    // Commands without namespaces have no segments, and their `/tmp` lies on a disk.
    let apart = ["segment", "detached", "file"].into_iter().filter(|_| lab.has_namespaces());
    for kind in everywhere.into_iter().chain(apart) {
        let outcome = hoard(kind, "300", "1");
        assert_eq!(outcome.status, Status::OutOfMemory, "{kind} {}", text(&outcome.stdout));
        if kind != "thread" {
            let outcome = hoard(kind, "60", "5");
            assert_eq!(outcome.status, Status::Exited(0), "{kind} {}", text(&outcome.stderr));
        }
    }
}

fn tmp_is_limited(lab: &Lab) {
    let full = |script: &str| {
        let outcome = lab.run(&lab.sh(script).limited(|limits| limits.tmp_bytes = 1 << 20));
        let errors = text(&outcome.stderr);
        assert!(
            errors.contains("No space left on device"),
            "{script}: {:?} {errors}",
            outcome.status
        );
    };
    full("head -c 2000000 /dev/zero > /tmp/a");
    full("head -c 700000 /dev/zero > /tmp/a && head -c 700000 /dev/zero > /dev/shm/a");
    let none = lab.sh("head -c 10000 /dev/zero > /tmp/a").limited(|limits| limits.tmp_bytes = 0);
    assert!(text(&lab.run(&none).stderr).contains("No space left on device"));
    full("cd /tmp; i=0; while test $i -lt 2000 && : > $i; do i=$((i+1)); done");
}

fn file_size_is_limited(lab: &Lab) {
    let spec = spec(&["head", "-c", "2000", "/dev/zero"]);
    assert_eq!(lab.run(&spec).stdout.len(), 2000, "pipes have no size");
    let spec = lab
        .sh("exec head -c 2000 /dev/zero > /tmp/a")
        .limited(|limits| limits.file_size = Some(1000));
    assert_eq!(lab.run(&spec).status, Status::Signalled(libc::SIGXFSZ));
}

fn output_is_capped(lab: &Lab) {
    let script = "echo start; head -c 10000000 /dev/zero | tr '\\0' x; echo end; echo error >&2";
    let outcome = lab.run(&Spec { output_cap: 1000, ..lab.sh(script) });
    let output = text(&outcome.stdout);
    assert_eq!(outcome.status, Status::Exited(0));
    assert!(output.starts_with("start\nxxx") && output.ends_with("xxxend\n"), "{output}");
    assert!(
        output.contains("\n[... 9999010 bytes left out ...]\n") && output.len() < 1100,
        "{output}"
    );
    assert!(outcome.stdout_truncated && !outcome.stderr_truncated);
    assert_eq!(text(&outcome.stderr), "error\n");
}

fn usage_is_measured(lab: &Lab) {
    let spec = lab.sh("i=0; while test $i -lt 300000; do i=$((i+1)); done; sleep 0.2");
    let outcome = lab.run(&spec);
    assert!(outcome.user > Duration::from_millis(50), "{:?}", outcome.user);
    assert!(outcome.wall > outcome.user + Duration::from_millis(100), "{:?}", outcome.wall);
    let limit = |limits: &mut sandbox::Limits| limits.timeout = Some(Duration::from_millis(500));
    let eater = lab.run(&lab.probe(&["eat", "80", "1"]).limited(limit));
    assert_eq!(eater.status, Status::TimedOut);
    assert!(eater.max_rss > 80 << 20 && eater.max_rss < 200 << 20, "{}", eater.max_rss);
}
