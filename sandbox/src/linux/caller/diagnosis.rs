//! Finds the cause of a failed step on this machine.

use std::fs;
use std::io;

use rustix::process::geteuid;

use crate::Cause;
use crate::linux::wire::step::{Failure, Step};

/// Holds what a diagnosis looks at.
#[derive(Debug, Default)]
struct MachineSettings {
    is_root: bool,
    /// The value of `kernel.unprivileged_userns_clone`, a setting of Debian's kernels.
    userns_clone: Option<String>,
    max_user_namespaces: Option<String>,
    apparmor_restricts: Option<String>,
    /// True if this process is under a system call filter.
    is_filtered: bool,
    is_gvisor: bool,
}

impl MachineSettings {
    fn look() -> Self {
        let read = |file: &str| fs::read_to_string(file).ok();
        let setting =
            |name: &str| read(&format!("/proc/sys/{name}")).map(|text| text.trim().to_owned());
        let has = |file: &str, text: &str| read(file).is_some_and(|content| content.contains(text));
        Self {
            is_root: geteuid().is_root(),
            userns_clone: setting("kernel/unprivileged_userns_clone"),
            max_user_namespaces: setting("user/max_user_namespaces"),
            apparmor_restricts: setting("kernel/apparmor_restrict_unprivileged_userns"),
            is_filtered: has("/proc/self/status", "Seccomp:\t2"),
            is_gvisor: has("/proc/version", "gVisor") || has("/proc/sys/kernel/version", "gVisor"),
        }
    }
}

/// Returns why a step failed here that works elsewhere.
pub(super) fn diagnose(failure: Failure) -> Cause {
    cause(failure, &MachineSettings::look())
}

/// Returns the cause for a spawner that could not be started or asked.
pub(super) fn not_started(error: io::Error) -> Cause {
    Cause::Spawner(error)
}

fn cause(failure: Failure, around: &MachineSettings) -> Cause {
    let (step, source) = (failure.step.text(), failure.source());
    let is = |setting: &Option<String>, value| setting.as_deref() == Some(value);
    let is_refusal = matches!(failure.errno, libc::EPERM | libc::EACCES);
    if around.is_gvisor {
        return Cause::Emulated { step, source };
    }
    if is(&around.max_user_namespaces, "0") && failure.errno == libc::ENOSPC {
        return Cause::Setting { setting: "user.max_user_namespaces", value: "0" };
    }
    if is_refusal && !around.is_root && is(&around.userns_clone, "0") {
        return Cause::Setting { setting: "kernel.unprivileged_userns_clone", value: "0" };
    }
    if is_refusal && !around.is_root && is(&around.apparmor_restricts, "1") {
        return Cause::AppArmor;
    }
    if failure.step == Step::Guard {
        return Cause::Landlock;
    }
    if is_refusal && failure.step == Step::Proc {
        return Cause::MaskedProc(source);
    }
    // Docker answers ENOSYS to calls that its filter doesn't know.
    if around.is_filtered && (is_refusal || failure.errno == libc::ENOSYS) {
        return Cause::Container { step, source };
    }
    match failure.errno {
        libc::ENOSYS => Cause::Kernel { step, source },
        _ => Cause::Step { step, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(step: Step, errno: i32, around: MachineSettings, expect: &str) {
        let cause = cause(Failure { step, index: 0, errno }, &around);
        let text = cause.to_string();
        assert!(text.contains(expect), "{step:?} {errno} {around:?}: {text}");
        let remedy = crate::Unsupported { cause }.remedy();
        assert!(!remedy.is_empty() && !remedy.contains('\n'), "{remedy}");
    }

    #[test]
    fn causes() {
        let around = MachineSettings::default;
        let on = |value: &str| Some(value.to_owned());
        check(
            Step::UserNamespace,
            libc::EPERM,
            MachineSettings { userns_clone: on("0"), ..around() },
            "unprivileged_userns_clone is 0",
        );
        check(
            Step::UserNamespace,
            libc::ENOSPC,
            MachineSettings { max_user_namespaces: on("0"), ..around() },
            "max_user_namespaces is 0",
        );
        check(
            Step::Clone,
            libc::ENOSPC,
            MachineSettings { max_user_namespaces: on("9"), ..around() },
            "creating the namespaces failed",
        );
        check(
            Step::MountNamespace,
            libc::EACCES,
            MachineSettings { apparmor_restricts: on("1"), ..around() },
            "AppArmor",
        );
        check(
            Step::UserNamespace,
            libc::EPERM,
            MachineSettings { is_filtered: true, ..around() },
            "container's system call filter",
        );
        check(
            Step::Clone,
            libc::ENOSYS,
            MachineSettings { is_filtered: true, is_root: true, ..around() },
            "container's system call filter",
        );
        check(
            Step::Proc,
            libc::EPERM,
            MachineSettings { is_filtered: true, ..around() },
            "parts of /proc are hidden",
        );
        check(Step::Clone, libc::EINVAL, MachineSettings { is_gvisor: true, ..around() }, "gVisor");
        check(Step::MakeReadOnly, libc::ENOSYS, around(), "too old");
        check(Step::Clone, libc::ENOMEM, around(), "creating the namespaces failed");
    }
}
