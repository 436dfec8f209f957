//! Describes what to run: the command, its environment, its mounts and its limits.
//!
//! A specification is complete: the command inherits nothing from the caller. [`Spec::validate`]
//! refuses, before any process is started, what could not work on any machine. Whether the mounted
//! folders exist is checked when they are mounted.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::{Determinism, View};

/// A command, and everything that it may see and use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The program and its arguments. A program without `/` is looked up in the `PATH` of
    /// [`Spec::env`].
    pub argv: Vec<OsString>,
    /// The whole environment; the sandbox adds nothing to it.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory, an absolute path inside the sandbox that must exist there.
    pub cwd: PathBuf,
    /// The mounts, in any order: outer folders are mounted before those inside them.
    pub mounts: Vec<Mount>,
    /// The limits of the command.
    pub limits: Limits,
    /// The user, the host and the process number that the command sees as its own.
    pub view: View,
    /// The settings of the determinism layer, which hides from the command what differs from run to
    /// run. `None` turns the layer off.
    pub determinism: Option<Determinism>,
    /// The number of bytes of standard output that are kept, and also of standard error. If there
    /// are more, the middle is dropped.
    pub output_cap: usize,
}

/// An entry of the file tree that the command sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The place where the entry appears: an absolute path inside the sandbox. Missing parent
    /// folders are created; those inside a [`MountSource::Writable`] folder stay there after the
    /// run. At `/etc`, only a read-only folder can be mounted.
    pub target: PathBuf,
    /// The content that appears there.
    pub source: MountSource,
}

/// The source of the content of a [`Mount`]. All paths are absolute paths of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A folder with everything below it, or a single file. The command can't write to it.
    ///
    /// If the caller is root, the command runs as another user, so everyone must be allowed to read
    /// the tree.
    ReadOnly(PathBuf),
    /// A folder that the command may write to. Before the run, its content is given to the
    /// command's user.
    Writable(PathBuf),
    /// A folder that begins with the content of `lower` and can be written to, while `lower` stays
    /// unchanged.
    ///
    /// The permissions of `lower` hold: a file of mode 0444 can be replaced, but its content can't
    /// be changed in place.
    Scratch {
        /// The folder whose content the command sees at first.
        lower: PathBuf,
        /// An empty folder that takes everything that the command writes. The caller may delete it
        /// after the run.
        upper: PathBuf,
    },
    /// A new symbolic link with this text.
    Symlink(OsString),
}

/// The limits of what a command may use. [`Limits::STANDARD`] is the usual starting point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The time after which every process of the command is killed.
    pub timeout: Option<Duration>,
    /// The number of bytes of memory that all processes may use together, including files in `/tmp`
    /// and `/dev/shm`. The kernel enforces this where the caller may create control groups.
    /// Elsewhere the use is measured 20 times a second, so the command can exceed the limit for a
    /// moment; files that lie on a disk ([`Isolation::Weak`](crate::Isolation::Weak)) are not
    /// counted there.
    pub memory: Option<u64>,
    /// The number of processes and threads that there may be at one time, not counting one that
    /// belongs to the sandbox itself.
    pub processes: u32,
    /// The number of bytes that the files in `/tmp` and `/dev/shm` may have together.
    pub tmp_bytes: u64,
    /// The size of the largest file that the command may write.
    pub file_size: Option<u64>,
    /// The number of descriptors that one process may have open.
    pub open_files: u32,
    /// The number of CPUs that the command may run on. It sees no more than these.
    pub cpus: Option<u32>,
}

impl Limits {
    /// Limits that suit any compiler: 4096 processes, 4 GiB of `/tmp` and 4096 open files. Time,
    /// memory, file size and CPUs are not limited.
    pub const STANDARD: Self = Self {
        timeout: None,
        memory: None,
        processes: 4096,
        tmp_bytes: 4 << 30,
        file_size: None,
        open_files: 4096,
        cpus: None,
    };
}

/// Says why a [`Spec`] can't be run on any machine.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidSpec {
    /// The list `argv` is empty, or its first element is.
    #[error("the command is empty")]
    EmptyCommand,
    /// An argument, a variable or a path holds a NUL byte, which no system call can pass on.
    #[error("{0:?} contains a NUL byte")]
    Nul(OsString),
    /// The name of an environment variable is empty or holds `=`.
    #[error("{0:?} is not a name for an environment variable")]
    VariableName(OsString),
    /// A path is relative, or has `.` or `..` in it.
    #[error("`{}` is not an absolute path without `.` and `..`", .0.display())]
    Path(PathBuf),
    /// Two mounts have the same target.
    #[error("two mounts have the target `{}`", .0.display())]
    DuplicateTarget(PathBuf),
    /// The user, host name, umask or first process number of the view is impossible.
    #[error("a command can't have the view {0:?}")]
    View(View),
    /// The target of a mount is a file or folder that the sandbox itself provides.
    #[error("`{}` is part of the sandbox itself and can't be mounted over", .0.display())]
    ReservedTarget(PathBuf),
}

impl Spec {
    /// Checks everything that can be checked without looking at the machine.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return Err(InvalidSpec::EmptyCommand);
        }
        self.argv.iter().try_for_each(|argument| no_nul(argument))?;
        self.env.iter().try_for_each(|(name, value)| variable(name, value))?;
        plain_absolute(&self.cwd)?;
        if !self.view.is_possible() {
            return Err(InvalidSpec::View(self.view.clone()));
        }
        let mut targets = BTreeSet::new();
        for mount in &self.mounts {
            mount.validate()?;
            if !targets.insert(mount.target.as_path()) {
                return Err(InvalidSpec::DuplicateTarget(mount.target.clone()));
            }
        }
        Ok(())
    }
}

impl Mount {
    fn validate(&self) -> Result<(), InvalidSpec> {
        plain_absolute(&self.target)?;
        if is_reserved(&self.target, &self.source) {
            return Err(InvalidSpec::ReservedTarget(self.target.clone()));
        }
        match &self.source {
            MountSource::ReadOnly(path) | MountSource::Writable(path) => plain_absolute(path),
            MountSource::Scratch { lower, upper } => {
                plain_absolute(lower).and_then(|()| plain_absolute(upper))
            }
            MountSource::Symlink(text) => no_nul(text),
        }
    }
}

/// The files that the sandbox itself puts into `/etc`. A folder that is mounted at `/etc` is merged
/// with them.
pub(crate) const FIXED_FILES: [&str; 5] =
    ["/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd", "/etc/resolv.conf"];

/// Returns whether mounting `source` at `target` would hide what the sandbox itself puts there.
fn is_reserved(target: &Path, source: &MountSource) -> bool {
    let is = |path: &&str| target == Path::new(path);
    let etc = is(&"/etc") && !matches!(source, MountSource::ReadOnly(_));
    let own = ["/", "/tmp"].iter().chain(&FIXED_FILES).any(is);
    etc || own || ["/proc", "/dev"].iter().any(|path| target.starts_with(path))
}

fn variable(name: &OsStr, value: &OsStr) -> Result<(), InvalidSpec> {
    if name.is_empty() || name.as_encoded_bytes().contains(&b'=') {
        return Err(InvalidSpec::VariableName(name.to_owned()));
    }
    no_nul(name).and_then(|()| no_nul(value))
}

fn no_nul(text: &OsStr) -> Result<(), InvalidSpec> {
    match text.as_encoded_bytes().contains(&0) {
        true => Err(InvalidSpec::Nul(text.to_owned())),
        false => Ok(()),
    }
}

fn plain_absolute(path: &Path) -> Result<(), InvalidSpec> {
    no_nul(path.as_os_str())?;
    let plain =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.is_absolute() && plain {
        true => Ok(()),
        false => Err(InvalidSpec::Path(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(mounts: &[&str]) -> Spec {
        let mount = |target: &&str| Mount {
            target: target.into(),
            source: MountSource::ReadOnly("/usr".into()),
        };
        Spec {
            argv: vec!["true".into()],
            env: vec![("PATH".into(), "/usr/bin".into())],
            cwd: "/".into(),
            mounts: mounts.iter().map(mount).collect(),
            limits: Limits::STANDARD,
            view: View::STANDARD,
            determinism: None,
            output_cap: 1024,
        }
    }

    #[test]
    fn targets() {
        let check = |targets: &[&str], expect| assert_eq!(spec(targets).validate(), expect);
        check(&["/usr", "/src", "/src/wit", "/tmp/target", "/etc"], Ok(()));
        check(&["usr"], Err(InvalidSpec::Path("usr".into())));
        check(&["/src/../usr"], Err(InvalidSpec::Path("/src/../usr".into())));
        check(&["/usr", "/usr"], Err(InvalidSpec::DuplicateTarget("/usr".into())));
        check(&["/usr", "/usr/"], Err(InvalidSpec::DuplicateTarget("/usr/".into())));
        for reserved in ["/", "/tmp", "/proc", "/proc/sys", "/dev", "/dev/null", "/etc/passwd"] {
            check(&[reserved], Err(InvalidSpec::ReservedTarget(reserved.into())));
        }
    }

    #[test]
    fn command_and_environment() {
        let empty = Spec { argv: vec![], ..spec(&[]) };
        assert_eq!(empty.validate(), Err(InvalidSpec::EmptyCommand));
        let nul = Spec { argv: vec!["a\0b".into()], ..spec(&[]) };
        assert_eq!(nul.validate(), Err(InvalidSpec::Nul("a\0b".into())));
        let name = Spec { env: vec![("A=B".into(), "".into())], ..spec(&[]) };
        assert_eq!(name.validate(), Err(InvalidSpec::VariableName("A=B".into())));
        let root = View { user: 0, ..View::STANDARD };
        let view = Spec { view: root.clone(), ..spec(&[]) };
        assert_eq!(view.validate(), Err(InvalidSpec::View(root)));
        let relative = Spec { cwd: "src".into(), ..spec(&[]) };
        assert_eq!(relative.validate(), Err(InvalidSpec::Path("src".into())));
    }
}
