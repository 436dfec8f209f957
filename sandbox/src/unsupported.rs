//! Why this machine can't isolate a command, and what to do about it.

use std::io;

use thiserror::Error;

/// This machine can't isolate commands. [`Unsupported::remedy`] says how to enable it.
#[derive(Debug, Error)]
#[error("commands can't be isolated on this machine")]
pub struct Unsupported {
    /// What is missing.
    #[source]
    pub cause: Cause,
}

/// What is missing for isolation.
#[derive(Debug, Error)]
pub enum Cause {
    /// The system is not Linux.
    #[error("{0} has no namespaces")]
    OperatingSystem(&'static str),
    /// A kernel setting forbids user namespaces to ordinary users, or to all.
    #[error("the kernel setting {setting} is {value}, which forbids user namespaces")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What it is now.
        value: &'static str,
    },
    /// AppArmor takes the rights away from ordinary users' namespaces, as on Ubuntu.
    #[error(
        "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)"
    )]
    AppArmor,
    /// A container's system call filter forbids namespaces.
    #[error("the container's system call filter forbids namespaces ({step} failed)")]
    Container {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
    /// Parts of `/proc` are hidden, and then the kernel refuses to mount a new one.
    #[error("parts of /proc are hidden, as in a container, so that no new one can be mounted")]
    MaskedProc(#[source] io::Error),
    /// gVisor, which emulates the kernel.
    #[error("this is gVisor, which lacks what a sandbox needs ({step} failed)")]
    Emulated {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
    /// The caller is root, and there are no other users that commands could run as.
    #[error("this process is root, and may not start a process as anyone else")]
    RootWithoutUsers,
    /// The caller is root, and [`Isolation::Weak`](crate::Isolation::Weak) was asked for.
    #[error("this process is root, whom Landlock leaves rights that change the machine")]
    WeakForRoot,
    /// The kernel has no Landlock, or too old a version of it.
    #[error("the kernel has no Landlock, or one that is too old")]
    Landlock,
    /// The kernel lacks a system call.
    #[error("the kernel is too old: {step} failed")]
    Kernel {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
    /// The spawner process could not be started.
    #[error("the spawner process could not be started")]
    Spawner(#[source] io::Error),
    /// Something else failed.
    #[error("{step} failed")]
    Step {
        /// What was being done.
        step: &'static str,
        /// Why that failed.
        source: io::Error,
    },
}

impl Unsupported {
    /// What the user can do, in one line.
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
