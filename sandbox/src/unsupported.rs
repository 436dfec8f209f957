//! Says why this machine can't isolate a command, and what the user can do about it.

use std::io;

use thiserror::Error;

/// Says that this machine can't isolate commands. [`Unsupported::remedy`] says how to change that.
#[derive(Debug, Error)]
#[error("commands can't be isolated on this machine")]
pub struct Unsupported {
    /// The reason why this machine can't isolate commands.
    #[source]
    pub cause: Cause,
}

/// Says what is missing for isolation.
#[derive(Debug, Error)]
pub enum Cause {
    /// The system is not Linux.
    #[error("{0} has no namespaces")]
    OperatingSystem(&'static str),
    /// A kernel setting forbids user namespaces to ordinary users, or to everybody.
    #[error("the kernel setting {setting} is {value}, which forbids user namespaces")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// The value that it has now.
        value: &'static str,
    },
    /// AppArmor takes the rights away that ordinary users have in their namespaces, as on Ubuntu.
    #[error(
        "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)"
    )]
    AppArmor,
    /// The system call filter of a container forbids namespaces.
    #[error("the container's system call filter forbids namespaces ({step} failed)")]
    Container {
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
    /// Parts of `/proc` are hidden. The kernel then refuses to mount a new one.
    #[error("parts of /proc are hidden, as in a container, so that no new one can be mounted")]
    MaskedProc(#[source] io::Error),
    /// The kernel is emulated by gVisor.
    #[error("this is gVisor, which lacks what a sandbox needs ({step} failed)")]
    Emulated {
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
    /// The caller is root, and there are no other users that commands could run as.
    #[error("this process is root, and may not start a process as anyone else")]
    RootWithoutUsers,
    /// The caller is root, and asked for [`Isolation::Weak`](crate::Isolation::Weak).
    #[error("this process is root, whom Landlock leaves rights that change the machine")]
    WeakForRoot,
    /// The kernel has no Landlock, or a version that is too old.
    #[error("the kernel has no Landlock, or one that is too old")]
    Landlock,
    /// The kernel lacks a system call.
    #[error("the kernel is too old: {step} failed")]
    Kernel {
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
    /// The spawner process could not be started.
    #[error("the spawner process could not be started")]
    Spawner(#[source] io::Error),
    /// Another step failed.
    #[error("{step} failed")]
    Step {
        /// The step that failed.
        step: &'static str,
        /// The error of that step.
        source: io::Error,
    },
}

impl Unsupported {
    /// Returns what the user can do, in one line.
    pub fn remedy(&self) -> String {
        match &self.cause {
            Cause::OperatingSystem("windows") => "run it in WSL2, or in a Linux virtual machine",
            Cause::OperatingSystem(_) => "run it in a Linux virtual machine",
            Cause::Setting { setting, .. } => {
                let value = if setting.ends_with("_clone") { "1" } else { "65536" };
                let command = format!("sysctl -w {setting}={value}");
                return format!("as root: `{command}`, and put it into /etc/sysctl.d to keep it");
            }
            Cause::AppArmor => {
                "as root: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, \
                 or give this program an AppArmor profile with the rule `userns,`"
            }
            Cause::Container { .. } | Cause::MaskedProc(_) => {
                "start the container with `--security-opt seccomp=unconfined \
                 --security-opt systempaths=unconfined` (Docker, Podman)"
            }
            Cause::Emulated { .. } => "use another container runtime, such as runc",
            Cause::RootWithoutUsers => {
                "run it as an ordinary user, or start the container with `--cap-add SETUID \
                 --cap-add SETGID --cap-add SETFCAP --cap-add CHOWN`"
            }
            Cause::WeakForRoot => {
                "run it as an ordinary user, or with namespaces, which root can have in most places"
            }
            Cause::Landlock => {
                "use Linux 5.19 or later, with `landlock` in the list of the kernel parameter `lsm`"
            }
            Cause::Kernel { .. } => "use Linux 5.15 or later",
            Cause::Spawner(_) => "check that /proc is mounted and that processes can be started",
            Cause::Step { .. } => {
                "check that the kernel was built with user, mount, pid, net, ipc, uts and cgroup \
                 namespaces"
            }
        }
        .into()
    }
}
