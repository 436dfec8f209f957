//! The steps that lead to a running command, so that a failure can be named by a process that can't
//! allocate.

use std::io;

use rustix::io::Errno;

/// Declares [`Step`] with a text for each variant.
macro_rules! steps {
    ($($step:ident: $text:literal,)*) => {
        /// One step of the set-up. Its number goes over the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Step { $($step,)* }

        impl Step {
            const ALL: &[Self] = &[$(Self::$step,)*];

            /// What was being done, to be followed by "failed".
            pub(super) fn text(self) -> &'static str {
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

/// A step that failed, at which mount if it was about one, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub step: Step,
    /// Index into the mounts of the plan; 0 for steps that are not about a mount.
    pub index: u32,
    pub errno: i32,
}

impl Failure {
    pub(super) fn new(step: Step, errno: Errno) -> Self {
        Self { step, index: 0, errno: errno.raw_os_error() }
    }

    pub(super) fn from_io(step: Step, error: &io::Error) -> Self {
        Self { step, index: 0, errno: error.raw_os_error().unwrap_or(libc::EIO) }
    }

    /// The same, at the mount with this index.
    pub(super) fn of_mount(self, index: usize) -> Self {
        Self { index: index as u32, ..self }
    }

    pub(super) fn source(self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// Names the step that a system call belongs to.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for rustix::io::Result<T> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure::new(step, errno))
    }
}
