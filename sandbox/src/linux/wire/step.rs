//! Numbers the steps that lead to a running command, so that a process that can't allocate memory
//! can report which of them failed.

use std::io;

use rustix::io::Errno;

/// Declares [`Step`] with a text for each variant.
macro_rules! steps {
    ($($step:ident: $text:literal,)*) => {
        /// Names one step of the set-up. Its number is part of a report.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(in crate::linux) enum Step { $($step,)* }

        impl Step {
            const ALL: &[Self] = &[$(Self::$step,)*];

            /// Returns what the step does, in words that "failed" can follow.
            pub(in crate::linux) fn text(self) -> &'static str {
                match self { $(Self::$step => $text,)* }
            }
        }
    };
}

steps! {
    Request: "reading the request",
    UserNamespace: "creating a user namespace",
    IdMap: "mapping the user and the group",
    MountNamespace: "creating a mount namespace",
    HostTree: "entering the host's file tree",
    Stage: "building the empty file tree that sandboxes start from",
    StageProc: "showing /proc in it",
    StageDevice: "showing the devices in it",
    Open: "opening the source",
    MakeReadOnly: "making it read-only",
    MapOwner: "mapping its owner",
    Clone: "creating the namespaces",
    Identity: "becoming the sandbox's user",
    ParentDeath: "binding its life to the spawner's",
    HostName: "setting the host name",
    Loopback: "raising the loopback interface",
    Root: "mounting the root",
    PivotRoot: "changing the root",
    SystemFiles: "writing /etc",
    Devices: "mounting /dev",
    Proc: "mounting /proc",
    HideMachine: "hiding what differs from machine to machine",
    Tmp: "mounting /tmp",
    MountPoint: "making the mount point",
    Attach: "attaching the mount",
    Overlay: "mounting the overlay",
    Symlink: "making the symbolic link",
    DetachHost: "detaching the host's file tree",
    ForbidNamespaces: "forbidding further namespaces",
    Seal: "making the root read-only",
    Limits: "setting the resource limits",
    Cpus: "choosing the CPUs",
    WorkingDirectory: "changing to the working directory",
    Privileges: "dropping privileges",
    Fork: "starting the command's process",
    Trace: "having the command traced",
    Stdio: "connecting standard input and output",
    Guard: "restricting what it may open",
    Filter: "installing the system call filter",
    Execute: "executing the program",
    Memory: "finding out how much memory is in use",
}

impl TryFrom<u8> for Step {
    type Error = ();

    fn try_from(number: u8) -> Result<Self, ()> {
        Self::ALL.get(usize::from(number)).copied().ok_or(())
    }
}

/// Describes a step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Failure {
    pub step: Step,
    /// The position of the mount in the plan; 0 if the step is not about a mount.
    pub index: u32,
    pub errno: i32,
}

impl Failure {
    pub(in crate::linux) fn new(step: Step, errno: Errno) -> Self {
        Self { step, index: 0, errno: errno.raw_os_error() }
    }

    pub(in crate::linux) fn from_io(step: Step, error: &io::Error) -> Self {
        Self { step, index: 0, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }

    /// Adds the position of the mount.
    pub(in crate::linux) fn of_mount(self, index: usize) -> Self {
        Self { index: index as u32, ..self }
    }

    pub(in crate::linux) fn source(self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// Adds the step to the error of a system call.
pub(in crate::linux) trait AtStep<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> AtStep<T> for rustix::io::Result<T> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure::new(step, errno))
    }
}
