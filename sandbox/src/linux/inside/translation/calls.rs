//! Lists the system calls that name paths or other processes, and says what their arguments mean.
//!
//! Numbers of type `usize` are positions of arguments.

use libc::c_long;
use rustix::io::Errno;

use super::walk::{LastLink, Place};

/// Says how a call is treated.
pub(super) enum Treatment {
    /// The call has these paths.
    Paths(&'static [PathArgument]),
    /// The call starts another program.
    Execute(Execute),
    /// The call reads a link. These are the positions of the folder and of the path. The address
    /// for the text and its size follow the path.
    ReadLink { folder: Option<usize>, path: usize },
    /// The call asks for the working directory.
    WorkingDirectory,
    /// The call changes the metadata of the file whose descriptor is at this position.
    Change(usize),
    /// The call acts on the process whose number is at this position.
    Process(usize),
    /// The call sets the priority of a process. If the first argument is one of these numbers, it
    /// means all processes of a user or of a group. The second argument says which one.
    Priority { user: i32, group: i32 },
    /// The call is refused with this error. Older kernels lack it, so programs do without it.
    Refused(Errno),
}

/// Holds the positions of the arguments by which a call starts another program.
pub(super) struct Execute {
    pub folder: Option<usize>,
    pub path: usize,
    /// The position of the list of the program's arguments.
    pub list: usize,
    pub flags: Option<usize>,
}

/// Describes a path among the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathArgument {
    /// The position of the folder at which the path begins.
    pub folder: Option<usize>,
    pub at: usize,
    last: LinkRule,
    change: ChangeRule,
    /// True if the determinism layer answers the call.
    pub is_answered: bool,
    /// True if a null in the place of the path stands for the descriptor.
    pub may_be_null: bool,
}

#[derive(Clone, Copy, Debug)]
enum LinkRule {
    Followed,
    Kept,
    /// A link is followed unless the argument has this flag.
    Unless(usize, i32),
    /// A link is followed if the argument has this flag.
    If(usize, i32),
    /// The flags of `open`, which are at this position, decide.
    Open(usize),
}

/// Says how the call changes what the path names.
#[derive(Clone, Copy, Debug)]
enum ChangeRule {
    None,
    /// It is created, and must not exist.
    New,
    /// It is changed, or the folder that holds it.
    Any,
    /// It gets another name.
    Link,
    /// The flags of `open`, which are at this position, decide.
    Open(usize),
    /// The mode of `access`, which is at this position, decides.
    Access(usize),
}

impl PathArgument {
    const fn new(folder: Option<usize>, at: usize, last: LinkRule, change: ChangeRule) -> Self {
        Self { folder, at, last, change, is_answered: false, may_be_null: false }
    }

    const fn answered(self) -> Self {
        Self { is_answered: true, ..self }
    }

    const fn or_null(self) -> Self {
        Self { may_be_null: true, ..self }
    }

    /// Describes the path of a program.
    pub(super) const fn executed(folder: Option<usize>, at: usize) -> Self {
        Self::new(folder, at, LinkRule::Followed, ChangeRule::None)
    }

    /// Describes the path of a link that is read.
    pub(super) const fn link(folder: Option<usize>, at: usize) -> Self {
        Self::new(folder, at, LinkRule::Kept, ChangeRule::None)
    }

    pub(super) fn last(&self, arguments: [u64; 6]) -> LastLink {
        let has = |at: usize, flag: i32| arguments[at] as i32 & flag != 0;
        let is_followed = match self.last {
            LinkRule::Followed => true,
            LinkRule::Kept => false,
            LinkRule::Unless(at, flag) => !has(at, flag),
            LinkRule::If(at, flag) => has(at, flag),
            LinkRule::Open(at) => {
                let is_new = has(at, libc::O_CREAT) && has(at, libc::O_EXCL);
                !is_new && !has(at, libc::O_NOFOLLOW)
            }
        };
        if is_followed { LastLink::Followed } else { LastLink::Kept }
    }

    /// Returns whether the call would change something at `place`, or the folder that holds it.
    pub(super) fn writes(&self, arguments: [u64; 6], place: &Place) -> bool {
        match self.change {
            ChangeRule::None => false,
            ChangeRule::New | ChangeRule::Any | ChangeRule::Link => true,
            ChangeRule::Access(at) => arguments[at] as i32 & libc::W_OK != 0 && place.exists(),
            ChangeRule::Open(at) => {
                let flags = arguments[at] as i32;
                flags & libc::O_ACCMODE != libc::O_RDONLY
                    || flags & libc::O_TRUNC != 0
                    || flags & libc::O_TMPFILE == libc::O_TMPFILE
                    || flags & libc::O_CREAT != 0 && !place.exists()
            }
        }
    }

    /// Returns whether the call changes the file regardless of its other arguments. Then it matters
    /// if the path is empty and stands for a descriptor.
    pub(super) fn is_changed(&self) -> bool {
        matches!(self.change, ChangeRule::Any | ChangeRule::Link)
    }

    /// Returns the error of a call that would write at `place`, where nothing may be written.
    pub(super) fn refusal(&self, arguments: [u64; 6], place: &Place) -> Errno {
        match self.change {
            ChangeRule::New if place.exists() => Errno::EXIST,
            ChangeRule::Open(at) if arguments[at] as i32 & libc::O_EXCL != 0 && place.exists() => {
                Errno::EXIST
            }
            // This is also the error between two file systems.
            ChangeRule::Link => Errno::XDEV,
            _ => Errno::ROFS,
        }
    }
}

/// Numbers the calls. The newer numbers are the same on all architectures, and `libc` lacks some of
/// them.
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
        /// The system call filter stops at these calls.
        pub(in crate::linux) const TRANSLATED: &[c_long] = &[$($(#[$condition])? call::$call,)*];

        /// Returns how a call is treated, if it is one of these.
        pub(super) fn kind(call: c_long) -> Option<Treatment> {
            Some(match call {
                $($(#[$condition])? call::$call => $kind,)*
                _ => return None,
            })
        }
    };
}

/// Makes a `Treatment::Paths` of constant arguments.
macro_rules! paths {
    ($($path:expr),*) => {{
        const PATHS: &[PathArgument] = &[$($path),*];
        Treatment::Paths(PATHS)
    }};
}

use ChangeRule as C;
use LinkRule as W;

const NOFOLLOW: i32 = libc::AT_SYMLINK_NOFOLLOW;
const FOLLOW: i32 = libc::AT_SYMLINK_FOLLOW;

/// Describes a path in the first argument.
const fn path(last: LinkRule, change: ChangeRule) -> PathArgument {
    PathArgument::new(None, 0, last, change)
}

/// Describes a folder in the first argument and a path in the second.
const fn path_at(last: LinkRule, change: ChangeRule) -> PathArgument {
    PathArgument::new(Some(0), 1, last, change)
}

calls! {
    SYS_chdir: paths![path(W::Followed, C::None)],
    SYS_execve: Treatment::Execute(Execute { folder: None, path: 0, list: 1, flags: None }),
    SYS_execveat: Treatment::Execute(Execute { folder: Some(0), path: 1, list: 2, flags: Some(4) }),
    SYS_faccessat: paths![path_at(W::Followed, C::Access(2)).answered()],
    SYS_faccessat2: paths![path_at(W::Unless(3, NOFOLLOW), C::Access(2)).answered()],
    SYS_fchmod: Treatment::Change(0),
    SYS_fchmodat: paths![path_at(W::Followed, C::Any)],
    SYS_fchmodat2: paths![path_at(W::Unless(3, NOFOLLOW), C::Any)],
    SYS_fchown: Treatment::Change(0),
    SYS_fchownat: paths![path_at(W::Unless(4, NOFOLLOW), C::Any)],
    SYS_fremovexattr: Treatment::Change(0),
    SYS_fsetxattr: Treatment::Change(0),
    SYS_getcwd: Treatment::WorkingDirectory,
    SYS_getxattr: paths![path(W::Followed, C::None)],
    SYS_getxattrat: Treatment::Refused(Errno::NOSYS),
    SYS_inotify_add_watch:
        paths![PathArgument::new(None, 1, W::Unless(2, libc::IN_DONT_FOLLOW as i32), C::None)],
    SYS_ioprio_set: Treatment::Priority { user: 3, group: 2 },
    SYS_kill: Treatment::Process(0),
    SYS_lgetxattr: paths![path(W::Kept, C::None)],
    SYS_linkat: paths![
        path_at(W::If(4, FOLLOW), C::Link),
        PathArgument::new(Some(2), 3, W::Kept, C::New)
    ],
    SYS_listxattrat: Treatment::Refused(Errno::NOSYS),
    SYS_listxattr: paths![path(W::Followed, C::None)],
    SYS_llistxattr: paths![path(W::Kept, C::None)],
    SYS_lremovexattr: paths![path(W::Kept, C::Any)],
    SYS_lsetxattr: paths![path(W::Kept, C::Any)],
    SYS_mkdirat: paths![path_at(W::Kept, C::New)],
    SYS_mknodat: paths![path_at(W::Kept, C::New)],
    SYS_name_to_handle_at: Treatment::Refused(Errno::OPNOTSUPP),
    SYS_newfstatat: paths![path_at(W::Unless(3, NOFOLLOW), C::None).answered().or_null()],
    SYS_open_tree_attr: Treatment::Refused(Errno::NOSYS),
    SYS_openat: paths![path_at(W::Open(2), C::Open(2)).answered()],
    SYS_pidfd_open: Treatment::Process(0),
    SYS_prlimit64: Treatment::Process(0),
    SYS_readlinkat: Treatment::ReadLink { folder: Some(0), path: 1 },
    SYS_removexattrat: Treatment::Refused(Errno::NOSYS),
    SYS_removexattr: paths![path(W::Followed, C::Any)],
    SYS_renameat: paths![
        path_at(W::Kept, C::Any),
        PathArgument::new(Some(2), 3, W::Kept, C::Any)
    ],
    SYS_renameat2: paths![
        path_at(W::Kept, C::Any),
        PathArgument::new(Some(2), 3, W::Kept, C::Any)
    ],
    SYS_rt_sigqueueinfo: Treatment::Process(0),
    SYS_rt_tgsigqueueinfo: Treatment::Process(0),
    SYS_sched_setaffinity: Treatment::Process(0),
    SYS_sched_setattr: Treatment::Process(0),
    SYS_sched_setparam: Treatment::Process(0),
    SYS_sched_setscheduler: Treatment::Process(0),
    SYS_setpriority: Treatment::Priority { user: 2, group: 1 },
    SYS_setxattrat: Treatment::Refused(Errno::NOSYS),
    SYS_setxattr: paths![path(W::Followed, C::Any)],
    SYS_statfs: paths![path(W::Followed, C::None).answered()],
    SYS_statx: paths![path_at(W::Unless(2, NOFOLLOW), C::None).answered().or_null()],
    SYS_symlinkat: paths![PathArgument::new(Some(1), 2, W::Kept, C::New)],
    SYS_tgkill: Treatment::Process(0),
    SYS_tkill: Treatment::Process(0),
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
    SYS_readlink: Treatment::ReadLink { folder: None, path: 0 },
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
