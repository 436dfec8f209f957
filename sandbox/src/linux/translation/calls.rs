//! The system calls that have to do with paths, and with other processes: what their arguments mean.

use libc::c_long;
use rustix::io::Errno;

use super::tree::Place;

/// What has to be done about a call.
pub(super) enum Kind {
    /// It has paths.
    Paths(&'static [PathArgument]),
    /// It becomes another program: where the folder, the path, the arguments and the flags stand.
    Execute { folder: Option<usize>, path: usize, arguments: usize, flags: Option<usize> },
    /// It reads a link: where the folder and the path stand, and after that the place for the text and
    /// its size.
    ReadLink { folder: Option<usize>, path: usize },
    /// It asks for the working directory.
    WorkingDirectory,
    /// It changes what is known of the file whose descriptor stands there.
    Change(usize),
    /// It has to do with the process whose number stands there.
    Process(usize),
    /// It sets how much of the machine a process gets, or with these numbers in the first argument all of a
    /// user or of a group; who it is stands in the second.
    Priority { user: i32, group: i32 },
    /// It is one that programs do without, as older kernels do.
    Refused(Errno),
}

/// A path among the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathArgument {
    /// The argument with the folder that it begins at.
    pub folder: Option<usize>,
    pub at: usize,
    last: When,
    change: Change,
    /// Whether the determinism layer answers the call.
    pub is_answered: bool,
    /// Whether a null in the place of the path means the descriptor.
    pub may_be_null: bool,
}

/// Whether a link at the very end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Last {
    Followed,
    Kept,
}

#[derive(Clone, Copy, Debug)]
enum When {
    Followed,
    Kept,
    /// Unless the argument has the flag.
    Unless(usize, i32),
    /// If the argument has the flag.
    If(usize, i32),
    /// As the flags of `open` say, which stand there.
    Open(usize),
}

/// What is done to what the path names.
#[derive(Clone, Copy, Debug)]
enum Change {
    None,
    /// It is made, and must not be there.
    New,
    /// It, or the folder that it is in, is changed.
    Any,
    /// It gets a second name.
    Link,
    /// As the flags of `open` say, which stand there.
    Open(usize),
    /// As the mode of `access` says, which stands there.
    Access(usize),
}

impl PathArgument {
    const fn new(folder: Option<usize>, at: usize, last: When, change: Change) -> Self {
        Self { folder, at, last, change, is_answered: false, may_be_null: false }
    }

    const fn answered(self) -> Self {
        Self { is_answered: true, ..self }
    }

    const fn or_null(self) -> Self {
        Self { may_be_null: true, ..self }
    }

    /// The path of a program.
    pub(super) const fn executed(folder: Option<usize>, at: usize) -> Self {
        Self::new(folder, at, When::Followed, Change::None)
    }

    /// The path of a link that is read.
    pub(super) const fn link(folder: Option<usize>, at: usize) -> Self {
        Self::new(folder, at, When::Kept, Change::None)
    }

    pub(super) fn last(&self, arguments: [u64; 6]) -> Last {
        let has = |at: usize, flag: i32| arguments[at] as i32 & flag != 0;
        let is_followed = match self.last {
            When::Followed => true,
            When::Kept => false,
            When::Unless(at, flag) => !has(at, flag),
            When::If(at, flag) => has(at, flag),
            When::Open(at) => {
                let is_new = has(at, libc::O_CREAT) && has(at, libc::O_EXCL);
                !is_new && !has(at, libc::O_NOFOLLOW)
            }
        };
        if is_followed { Last::Followed } else { Last::Kept }
    }

    /// Whether something at `place`, or the folder that it is in, would change.
    pub(super) fn writes(&self, arguments: [u64; 6], place: &Place) -> bool {
        match self.change {
            Change::None => false,
            Change::New | Change::Any | Change::Link => true,
            Change::Access(at) => arguments[at] as i32 & libc::W_OK != 0 && place.exists(),
            Change::Open(at) => {
                let flags = arguments[at] as i32;
                flags & libc::O_ACCMODE != libc::O_RDONLY
                    || flags & libc::O_TRUNC != 0
                    || flags & libc::O_TMPFILE == libc::O_TMPFILE
                    || flags & libc::O_CREAT != 0 && !place.exists()
            }
        }
    }

    /// Whether the file that it means is changed whatever the other arguments are, so that it matters if the
    /// path is empty and stands for a descriptor.
    pub(super) fn is_changed(&self) -> bool {
        matches!(self.change, Change::Any | Change::Link)
    }

    /// Why nothing can be written at `place`, where this would write.
    pub(super) fn refusal(&self, arguments: [u64; 6], place: &Place) -> Errno {
        match self.change {
            Change::New if place.exists() => Errno::EXIST,
            Change::Open(at) if arguments[at] as i32 & libc::O_EXCL != 0 && place.exists() => {
                Errno::EXIST
            }
            // As between file systems.
            Change::Link => Errno::XDEV,
            _ => Errno::ROFS,
        }
    }
}

/// The numbers of calls; of late, they are the same on all architectures, and `libc` lacks some.
#[expect(non_upper_case_globals, reason = "as in `libc`")]
mod call {
    pub(super) use libc::*;

    pub(super) const SYS_fchmodat2: c_long = 452;
    pub(super) const SYS_setxattrat: c_long = 463;
    pub(super) const SYS_getxattrat: c_long = 464;
    pub(super) const SYS_listxattrat: c_long = 465;
    pub(super) const SYS_removexattrat: c_long = 466;
    pub(super) const SYS_open_tree_attr: c_long = 467;
}

/// Declares [`kind`] and [`TRANSLATED`].
macro_rules! calls {
    ($($(#[$condition:meta])? $call:ident: $kind:expr,)*) => {
        /// The calls that the system call filter stops at.
        pub(in crate::linux) const TRANSLATED: &[c_long] = &[$($(#[$condition])? call::$call,)*];

        /// What has to be done about a call, if anything.
        pub(super) fn kind(call: c_long) -> Option<Kind> {
            Some(match call {
                $($(#[$condition])? call::$call => $kind,)*
                _ => return None,
            })
        }
    };
}

/// `Kind::Paths` of arguments that are known beforehand.
macro_rules! paths {
    ($($path:expr),*) => {{
        const PATHS: &[PathArgument] = &[$($path),*];
        Kind::Paths(PATHS)
    }};
}

use Change as C;
use When as W;

const NOFOLLOW: i32 = libc::AT_SYMLINK_NOFOLLOW;
const FOLLOW: i32 = libc::AT_SYMLINK_FOLLOW;

/// A path in the first argument.
const fn path(last: When, change: Change) -> PathArgument {
    PathArgument::new(None, 0, last, change)
}

/// A folder in the first argument and a path in the second.
const fn path_at(last: When, change: Change) -> PathArgument {
    PathArgument::new(Some(0), 1, last, change)
}

calls! {
    SYS_chdir: paths![path(W::Followed, C::None)],
    SYS_execve: Kind::Execute { folder: None, path: 0, arguments: 1, flags: None },
    SYS_execveat: Kind::Execute { folder: Some(0), path: 1, arguments: 2, flags: Some(4) },
    SYS_faccessat: paths![path_at(W::Followed, C::Access(2)).answered()],
    SYS_faccessat2: paths![path_at(W::Unless(3, NOFOLLOW), C::Access(2)).answered()],
    SYS_fchmod: Kind::Change(0),
    SYS_fchmodat: paths![path_at(W::Followed, C::Any)],
    SYS_fchmodat2: paths![path_at(W::Unless(3, NOFOLLOW), C::Any)],
    SYS_fchown: Kind::Change(0),
    SYS_fchownat: paths![path_at(W::Unless(4, NOFOLLOW), C::Any)],
    SYS_fremovexattr: Kind::Change(0),
    SYS_fsetxattr: Kind::Change(0),
    SYS_getcwd: Kind::WorkingDirectory,
    SYS_getxattr: paths![path(W::Followed, C::None)],
    SYS_getxattrat: Kind::Refused(Errno::NOSYS),
    SYS_inotify_add_watch:
        paths![PathArgument::new(None, 1, W::Unless(2, libc::IN_DONT_FOLLOW as i32), C::None)],
    SYS_ioprio_set: Kind::Priority { user: 3, group: 2 },
    SYS_kill: Kind::Process(0),
    SYS_lgetxattr: paths![path(W::Kept, C::None)],
    SYS_linkat: paths![
        path_at(W::If(4, FOLLOW), C::Link),
        PathArgument::new(Some(2), 3, W::Kept, C::New)
    ],
    SYS_listxattrat: Kind::Refused(Errno::NOSYS),
    SYS_listxattr: paths![path(W::Followed, C::None)],
    SYS_llistxattr: paths![path(W::Kept, C::None)],
    SYS_lremovexattr: paths![path(W::Kept, C::Any)],
    SYS_lsetxattr: paths![path(W::Kept, C::Any)],
    SYS_mkdirat: paths![path_at(W::Kept, C::New)],
    SYS_mknodat: paths![path_at(W::Kept, C::New)],
    SYS_name_to_handle_at: Kind::Refused(Errno::OPNOTSUPP),
    SYS_newfstatat: paths![path_at(W::Unless(3, NOFOLLOW), C::None).answered().or_null()],
    SYS_open_tree_attr: Kind::Refused(Errno::NOSYS),
    SYS_openat: paths![path_at(W::Open(2), C::Open(2)).answered()],
    SYS_pidfd_open: Kind::Process(0),
    SYS_prlimit64: Kind::Process(0),
    SYS_readlinkat: Kind::ReadLink { folder: Some(0), path: 1 },
    SYS_removexattrat: Kind::Refused(Errno::NOSYS),
    SYS_removexattr: paths![path(W::Followed, C::Any)],
    SYS_renameat: paths![
        path_at(W::Kept, C::Any),
        PathArgument::new(Some(2), 3, W::Kept, C::Any)
    ],
    SYS_renameat2: paths![
        path_at(W::Kept, C::Any),
        PathArgument::new(Some(2), 3, W::Kept, C::Any)
    ],
    SYS_rt_sigqueueinfo: Kind::Process(0),
    SYS_rt_tgsigqueueinfo: Kind::Process(0),
    SYS_sched_setaffinity: Kind::Process(0),
    SYS_sched_setattr: Kind::Process(0),
    SYS_sched_setparam: Kind::Process(0),
    SYS_sched_setscheduler: Kind::Process(0),
    SYS_setpriority: Kind::Priority { user: 2, group: 1 },
    SYS_setxattrat: Kind::Refused(Errno::NOSYS),
    SYS_setxattr: paths![path(W::Followed, C::Any)],
    SYS_statfs: paths![path(W::Followed, C::None).answered()],
    SYS_statx: paths![path_at(W::Unless(2, NOFOLLOW), C::None).answered().or_null()],
    SYS_symlinkat: paths![PathArgument::new(Some(1), 2, W::Kept, C::New)],
    SYS_tgkill: Kind::Process(0),
    SYS_tkill: Kind::Process(0),
    SYS_truncate: paths![path(W::Followed, C::Any)],
    SYS_unlinkat: paths![path_at(W::Kept, C::Any)],
    SYS_utimensat: paths![path_at(W::Unless(3, NOFOLLOW), C::Any).or_null()],
    #[cfg(target_arch = "x86_64")]
    SYS_access: paths![path(W::Followed, C::Access(1)).answered()],
    #[cfg(target_arch = "x86_64")]
    SYS_chmod: paths![path(W::Followed, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_chown: paths![path(W::Followed, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_creat: paths![path(W::Followed, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_futimesat: paths![path_at(W::Followed, C::Any).or_null()],
    #[cfg(target_arch = "x86_64")]
    SYS_lchown: paths![path(W::Kept, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_link: paths![path(W::Kept, C::Link), PathArgument::new(None, 1, W::Kept, C::New)],
    #[cfg(target_arch = "x86_64")]
    SYS_lstat: paths![path(W::Kept, C::None).answered()],
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir: paths![path(W::Kept, C::New)],
    #[cfg(target_arch = "x86_64")]
    SYS_mknod: paths![path(W::Kept, C::New)],
    #[cfg(target_arch = "x86_64")]
    SYS_open: paths![path(W::Open(1), C::Open(1)).answered()],
    #[cfg(target_arch = "x86_64")]
    SYS_readlink: Kind::ReadLink { folder: None, path: 0 },
    #[cfg(target_arch = "x86_64")]
    SYS_rename: paths![path(W::Kept, C::Any), PathArgument::new(None, 1, W::Kept, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir: paths![path(W::Kept, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_stat: paths![path(W::Followed, C::None).answered()],
    #[cfg(target_arch = "x86_64")]
    SYS_symlink: paths![PathArgument::new(None, 1, W::Kept, C::New)],
    #[cfg(target_arch = "x86_64")]
    SYS_unlink: paths![path(W::Kept, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_utime: paths![path(W::Followed, C::Any)],
    #[cfg(target_arch = "x86_64")]
    SYS_utimes: paths![path(W::Followed, C::Any)],
}
