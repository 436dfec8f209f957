//! Tests that a command can't leave the sandbox, gain privileges or change its inputs.

use std::path::Path;

use sandbox::MountSource;

use crate::harness::{Lab, With};

crate::tests![system_calls_are_refused, nothing_can_be_written, kernel_settings_are_read_only];

fn system_calls_are_refused(lab: &Lab) {
    // A command without its own network has no sockets.
    let foreign = if lab.has_namespaces() { &["EAFNOSUPPORT"] } else { &["EACCES"] };
    // If several errors are possible, the order of the kernel's checks decides.
    let expect: &[(&str, &[&str])] = &[
        ("mount", &["EPERM"]),
        ("remount", &["EPERM"]),
        ("umount", &["EPERM"]),
        ("pivot_root", &["EPERM"]),
        ("chroot", &["EPERM"]),
        ("open_tree", &["EPERM"]),
        ("mknod", &["EPERM"]),
        ("setns", &["EPERM"]),
        ("open_by_handle_at", &["EPERM"]),
        ("unshare user", &["ENOSPC", "EPERM"]),
        ("unshare mounts", &["EPERM"]),
        ("unshare network", &["EPERM"]),
        ("setuid", &["EINVAL", "EPERM"]),
        ("setgid", &["EINVAL", "EPERM"]),
        ("setgroups", &["EPERM"]),
        ("kill host", &["ESRCH"]),
        ("ptrace init", &["EPERM"]),
        // If there is nothing to read, the kernel doesn't look at the process at all.
        ("read init", &["EPERM", "ok"]),
        // Debuggers and sanitizers must work, unless process 1 traces the command itself.
        ("ptrace me", if lab.has_namespaces() { &["ok"] } else { &["EPERM"] }),
        ("keyctl", &["EPERM"]),
        ("bpf", &["EPERM"]),
        ("perf_event_open", &["EPERM"]),
        ("userfaultfd", &["EPERM"]),
        ("io_uring_setup", &["ENOSYS"]),
        ("kexec_load", &["EPERM"]),
        ("init_module", &["EPERM"]),
        ("reboot", &["EPERM"]),
        ("clock_settime", &["EPERM"]),
        ("sethostname", &["EPERM"]),
        ("syslog", &["EPERM"]),
        ("raise limit", &["EPERM"]),
        ("netlink", foreign),
        ("vsock", foreign),
        ("alg", foreign),
        ("packet", foreign),
        ("raw", if lab.has_namespaces() { &["EPERM"] } else { foreign }),
        ("unix", if lab.has_namespaces() { &["ok"] } else { foreign }),
    ];
    let host = std::process::id().to_string();
    let output = lab.stdout(&lab.probe(&["system-calls", &host]));
    assert_eq!(output.lines().count(), expect.len(), "{output}");
    for (line, (name, answers)) in output.lines().zip(expect) {
        let answer = line.strip_prefix(name).expect(line).trim();
        assert!(answers.contains(&answer), "{name}: {answer}, expected {answers:?}");
    }
}

fn nothing_can_be_written(lab: &Lab) {
    lab.file("inputs/folder/file", "content");
    let inputs = MountSource::ReadOnly(lab.root.join("inputs"));
    let paths = [
        "/inputs",
        "/inputs/folder",
        "/inputs/folder/file",
        "/",
        "/etc",
        "/etc/passwd",
        "/dev",
        "/proc",
    ];
    let words: Vec<&str> = ["writes"].into_iter().chain(paths).collect();
    let output = lab.stdout(&lab.probe(&words).with("/inputs", inputs));
    let (inputs, others) = output.split_at(output.match_indices('\n').nth(16).unwrap().0 + 1);
    // A file of somebody else can be refused for that reason first.
    let is_read_only = |line: &str| line.ends_with(" EROFS") || line == "write EACCES";
    assert!(inputs.lines().all(is_read_only), "{inputs}");
    // In /proc, a new file can't be created at all.
    let refusals = ["EROFS", "EPERM", "EACCES", "ENOENT"];
    let is_refused = |line: &str| refusals.iter().any(|refusal| line.ends_with(refusal));
    assert!(others.lines().count() > 20 && others.lines().all(is_refused), "{others}");
    assert_eq!(std::fs::read_to_string(lab.root.join("inputs/folder/file")).unwrap(), "content");
}

fn kernel_settings_are_read_only(lab: &Lab) {
    let files = [
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/sys/user/max_user_namespaces",
        "/proc/self/oom_score_adj",
    ];
    // Not every kernel has all of these files.
    for file in files.into_iter().filter(|file| Path::new(file).exists()) {
        let output = lab.stdout(&lab.probe(&["writes", file]));
        let write = output.lines().next().unwrap();
        assert!(["write EROFS", "write EACCES"].contains(&write), "{file}: {write}");
    }
    assert_eq!(lab.lines("cat /proc/sys/user/max_user_namespaces"), ["0"]);
}
