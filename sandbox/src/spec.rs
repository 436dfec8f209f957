//! What to run: command, environment, mounts and limits.
//!
//! A specification is complete: nothing is inherited from the caller. [`Spec::validate`] refuses
//! what could never work before any process is started; whether the folders exist is found out when
//! they are mounted.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::{Determinism, View};

/// One command and everything it may see and use.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Program and arguments. A program without `/` is looked up in the `PATH` of [`Spec::env`].
    pub argv: Vec<OsString>,
    /// The whole environment; nothing is added to it.
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, an absolute path inside the sandbox that must exist there.
    pub cwd: PathBuf,
    /// What is mounted where, in any order: outer folders are mounted before those inside them.
    pub mounts: Vec<Mount>,
    /// What the command may use.
    pub limits: Limits,
    /// Who and where the command is told that it is.
    pub view: View,
    /// Whether what differs from run to run is hidden from the command, and how.
    pub determinism: Option<Determinism>,
    /// How many bytes of standard output, and as many of standard error, are kept. Beyond that the
    /// middle is dropped.
    pub output_cap: usize,
}

/// One entry of the file tree that the command sees.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Absolute path inside the sandbox. Parents are created; inside a [`MountSource::Writable`]
    /// folder they stay there after the run. Only a read-only folder can be mounted at `/etc`.
    pub target: PathBuf,
    /// What appears there.
    pub source: MountSource,
}

/// Where the content of a [`Mount`] comes from. Paths are absolute paths of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// A folder or a single file, with everything below it, that cannot be written to.
    ///
    /// When the caller is root, the command's user is another one: the tree must be readable for
    /// everyone.
    ReadOnly(PathBuf),
    /// A folder that the command may write to. Its content is given to the command's user before
    /// the run.
    Writable(PathBuf),
    /// A folder that appears with the content of `lower` and can be written to, while `lower` stays
    /// unchanged.
    ///
    /// Permission bits count as they are in `lower`: a file of mode 0444 can be replaced but not
    /// written in place.
    Scratch {
        /// The tree that is seen at first.
        lower: PathBuf,
        /// An empty folder that takes what is written; it can be deleted after the run.
        upper: PathBuf,
    },
    /// A symbolic link with this text.
    Symlink(OsString),
}

/// What a command may use. Start from [`Limits::STANDARD`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After this time every process of the command is killed.
    pub timeout: Option<Duration>,
    /// Bytes of memory that all processes together may use, files in `/tmp` and `/dev/shm` included.
    /// The kernel enforces it where control groups can be had; elsewhere use is sampled 20 times a
    /// second, so a short excess is possible, and files are left out where they lie on a disk
    /// ([`Isolation::Weak`](crate::Isolation::Weak)).
    pub memory: Option<u64>,
    /// Processes and threads at one time. One more is used by the sandbox itself.
    pub processes: u32,
    /// Bytes of files in `/tmp` and `/dev/shm` together.
    pub tmp_bytes: u64,
    /// Size of the largest file that may be written.
    pub file_size: Option<u64>,
    /// Descriptors that one process may have open.
    pub open_files: u32,
    /// CPUs that the command may run on, and sees, at most.
    pub cpus: Option<u32>,
}

impl Limits {
    /// Room for any compiler: 4096 processes, 4 GiB of `/tmp`, 4096 open files; no limit on time,
    /// memory, file size and CPUs.
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

/// Why a [`Spec`] can't be run anywhere.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum InvalidSpec {
    /// `argv` is empty, or its first element is.
    #[error("the command is empty")]
    EmptyCommand,
    /// An argument, a variable or a path holds a NUL byte, which the system has no way to pass on.
    #[error("{0:?} contains a NUL byte")]
    Nul(OsString),
    /// An environment variable's name is empty or holds `=`.
    #[error("{0:?} is not a name for an environment variable")]
    VariableName(OsString),
    /// A path that must be absolute and plain isn't.
    #[error("`{}` is not an absolute path without `.` and `..`", .0.display())]
    Path(PathBuf),
    /// Two mounts have the same target.
    #[error("two mounts have the target `{}`", .0.display())]
    DuplicateTarget(PathBuf),
    /// User, host, umask or number of the first process can't be had.
    #[error("a command can't be told that it is {0:?}")]
    View(View),
    /// The target belongs to the fixed view.
    #[error("`{}` is part of the sandbox itself and can't be mounted over", .0.display())]
    ReservedTarget(PathBuf),
}

impl Spec {
    /// Checks what can be checked without looking at the machine.
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

/// The files that the sandbox itself puts into `/etc`. A tree mounted at `/etc` is merged with
/// them.
pub(crate) const FIXED_FILES: [&str; 5] =
    ["/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd", "/etc/resolv.conf"];

/// Whether `source` at `target` would hide what the sandbox itself puts there.
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
