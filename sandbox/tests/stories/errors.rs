//! Tests that the error for a command that can't be run names what is wrong.

use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sandbox::MountSource::{ReadOnly, Scratch, Symlink, Writable};
use sandbox::{Cause, Isolation, Sandbox, Spec};

use crate::harness::{Lab, With, has_right_to_mount, is_root, spec, text};

crate::tests![
    programs,
    working_directories,
    root_has_nothing_weak,
    mounts,
    a_failure_is_not_the_end,
    a_failure_leaves_folders_removable,
    a_sandbox_in_a_sandbox,
    a_machine_that_hides_proc,
    no_thread_to_be_had,
];

/// A sandbox first needs the thread that keeps the spawner. The kernel does not limit root.
fn no_thread_to_be_had(lab: &Lab) {
    if is_root() {
        return;
    }
    let before = getrlimit(Resource::Nproc);
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), ..before }).unwrap();
    let started = Sandbox::start_with(lab.sandbox.isolation(), &lab.root);
    setrlimit(Resource::Nproc, before).unwrap();
    let error = started.expect_err("there is no thread to be had");
    assert!(matches!(error.cause, Cause::Spawner(_)), "{error:?}");
    assert!(error.remedy().contains("processes can be started"));
}

const MISSING: &str = "No such file or directory (os error 2)";
const DENIED: &str = "Permission denied (os error 13)";

fn programs(lab: &Lab) {
    let check = |program: &str, spec: Spec, reason| {
        assert_eq!(lab.error(&spec), format!("can't run `{program}` in the sandbox: {reason}"));
    };
    check("nonsense", spec(&["nonsense"]), MISSING);
    check("/usr/bin/nonsense", spec(&["/usr/bin/nonsense"]), MISSING);
    check("/usr", spec(&["/usr"]), DENIED);
    let script = lab.file("script", "#!/nowhere/sh\n");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    check("/script", spec(&["/script"]).with("/script", ReadOnly(script)), MISSING);
    let text = lab.file("text", "text");
    check("/text", spec(&["/text"]).with("/text", ReadOnly(text)), DENIED);
    // This program lacks the loader that it names.
    let alone = Spec { mounts: Vec::new(), ..lab.probe(&[]) };
    check("/probe", alone.with("/probe", ReadOnly(lab.probe.clone())), MISSING);
    // A program is found in the folders of `PATH`, and only there.
    let no_path = Spec { env: vec![("PATH".into(), "/nowhere".into())], ..spec(&["true"]) };
    check("true", no_path, MISSING);
}

fn working_directories(lab: &Lab) {
    let missing = Spec { cwd: "/src".into(), ..spec(&["true"]) };
    assert_eq!(
        lab.error(&missing),
        format!("can't use `/src` as working directory in the sandbox: {MISSING}")
    );
    let file = Spec { cwd: "/etc/passwd".into(), ..spec(&["true"]) };
    assert!(lab.error(&file).ends_with("Not a directory (os error 20)"));
}

/// The weaker means don't hold root back.
fn root_has_nothing_weak(lab: &Lab) {
    match Sandbox::start_with(Isolation::Weak, &lab.root) {
        Err(error) if is_root() => {
            assert!(matches!(error.cause, Cause::WeakForRoot), "{error:?}");
            assert!(error.remedy().contains("ordinary user"), "{}", error.remedy());
        }
        other => assert!(other.is_ok() && !is_root(), "{other:?}"),
    }
}

fn mounts(lab: &Lab) {
    let there = lab.folder("there");
    let missing = lab.root.join("missing");
    let check = |spec: Spec, expect: String| assert_eq!(lab.error(&spec), expect);
    check(
        spec(&["true"]).with("/in", ReadOnly(missing.clone())),
        format!(
            "can't mount `/in` from `{}`: opening the source failed: {MISSING}",
            missing.display()
        ),
    );
    check(
        spec(&["true"]).with("/out", Writable(missing.clone())),
        format!("can't prepare the writable folder `{}`: {MISSING}", missing.display()),
    );
    let through_link =
        spec(&["true"]).with("/a", Symlink("nowhere".into())).with("/a/b", ReadOnly(there.clone()));
    let expect =
        format!("can't mount `/a/b` from `{}`: making the mount point failed: ", there.display());
    assert!(lab.error(&through_link).starts_with(&expect), "{}", lab.error(&through_link));
    let relative = spec(&["true"]).with("src", ReadOnly(there));
    check(
        relative,
        "the sandbox specification is wrong: `src` is not an absolute path without `.` and `..`"
            .into(),
    );
}

fn a_failure_is_not_the_end(lab: &Lab) {
    for _ in 0..20 {
        lab.error(&spec(&["nonsense"]));
        lab.error(&spec(&["true"]).with("/in", ReadOnly("/nowhere".into())));
    }
    assert_eq!(lab.stdout(&lab.sh("echo fine")), "fine\n");
}

/// After a command that was never started, the caller can still remove its folders.
fn a_failure_leaves_folders_removable(lab: &Lab) {
    let (lower, upper) = (lab.folder("lower"), lab.folder("upper"));
    let scratch = Scratch { lower, upper: upper.clone() };
    lab.error(&spec(&["nonsense"]).with("/scratch", scratch));
    std::fs::remove_dir_all(upper).unwrap();
}

fn a_sandbox_in_a_sandbox(lab: &Lab) {
    let output = lab.stdout(&lab.probe(&["start"]));
    let expect = "commands can't be isolated on this machine: \
                  the kernel setting user.max_user_namespaces is 0, which forbids user namespaces\n\
                  as root: `sysctl -w user.max_user_namespaces=";
    assert!(output.starts_with(expect), "{output}");
}

/// In some containers, something is mounted over parts of `/proc`.
fn a_machine_that_hides_proc(lab: &Lab) {
    let script = "mount -t tmpfs none /proc/fs && exec \"$0\" probe start";
    let namespaces: &[&str] = match (is_root(), has_right_to_mount()) {
        (true, true) => &["--mount"],
        // The user namespace holds only this user, so there are no users for commands.
        _ => &["--mount", "--user", "--map-root-user"],
    };
    let mut unshare = Command::new("unshare");
    let output =
        unshare.args(namespaces).args(["sh", "-c", script]).arg(&lab.probe).output().unwrap();
    let expect = match (is_root(), has_right_to_mount()) {
        (true, false) => {
            "this process is root, and may not start a process as anyone else\n\
             run it as an ordinary user"
        }
        _ => {
            "parts of /proc are hidden, as in a container, so that no new one can be mounted\n\
              start the container with `--security-opt seccomp=unconfined"
        }
    };
    let stdout = text(&output.stdout);
    assert!(stdout.contains(expect), "{stdout}{}", text(&output.stderr));
}
