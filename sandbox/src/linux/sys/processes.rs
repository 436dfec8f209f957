//! Clones processes, turns them into programs, ends them and waits for them.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::errors::{check, last_error};

/// The namespaces that a cloned process gets: every kind except that of time.
pub(in crate::linux) const ALL_NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Moves this process into new namespaces. It is not for `CLONE_FILES`, which other threads would
/// notice.
pub(in crate::linux) fn unshare(namespaces: c_int) -> Result<()> {
    // SAFETY: this changes what names mean to this process, and no memory.
    check(unsafe { libc::unshare(namespaces) }.into())
}

/// Clones this process into new namespaces, and into a control group if there is one. The clone
/// gets a copy of the memory, runs `child` and ends.
///
/// Call this only in a process with one thread: a lock that another thread holds would stay locked
/// in the clone.
pub(in crate::linux) fn clone_into(
    namespaces: c_int,
    group: Option<BorrowedFd<'_>>,
    child: impl FnOnce(),
) -> Result<(Pid, OwnedFd)> {
    const INTO_CGROUP: u64 = 1 << 33;
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is the documented default of every field.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (namespaces | libc::CLONE_PIDFD) as u64;
    args.pidfd = &raw mut pidfd as u64;
    if let Some(group) = group {
        args.flags |= INTO_CGROUP;
        args.cgroup = group.as_raw_fd() as u64;
    }
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and a stack this is a fork; `args` and `pidfd` outlive the call.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    match pid {
        -1 => Err(last_error()),
        0 => {
            child();
            exit(0)
        }
        _ => {
            let pid = Pid::from_raw(pid as i32).expect("a clone's id is positive");
            // SAFETY: the kernel has just opened this descriptor for us.
            Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }))
        }
    }
}

/// Runs `child` in a new process that shares this process's memory. Returns when that process has
/// ended or has become another program by [`execute`].
///
/// This is far cheaper than a copy of the memory. Call it only in a process with one thread.
/// `child` must not panic.
pub(in crate::linux) fn clone_sharing_memory<F: Fn()>(child: &F) -> Result<Pid> {
    extern "C" fn enter<F: Fn()>(child: *mut c_void) -> c_int {
        // SAFETY: `child` is the `&F` that was passed to `clone`, and its owner is suspended until
        // we are gone.
        let child = unsafe { &*child.cast::<F>() };
        child();
        exit(0)
    }
    // This lies on our own stack, as we are suspended while it is in use.
    let mut stack = MaybeUninit::<[u128; 4096]>::uninit();
    let top = stack.as_mut_ptr().wrapping_add(1);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = ptr::from_ref(child).cast_mut().cast::<c_void>();
    // SAFETY: `top` is the aligned end of memory that nobody else uses while CLONE_VFORK suspends
    // us.
    let pid = unsafe { libc::clone(enter::<F>, top.cast(), flags, argument) };
    Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(last_error)
}

/// Says in which of the two processes a call of [`fork`] has returned.
pub(in crate::linux) enum Forked {
    Child,
    Parent(Pid),
}

/// Copies this process.
///
/// Call this only in a process with one thread: a lock that another thread holds would stay locked
/// in the copy.
pub(in crate::linux) fn fork() -> Result<Forked> {
    // SAFETY: without CLONE_VM and a stack this is a fork, and no place in memory is named.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match pid {
        -1 => Err(last_error()),
        0 => Ok(Forked::Child),
        _ => Ok(Forked::Parent(Pid::from_raw(pid as i32).expect("a process' id is positive"))),
    }
}

/// Runs `step` in the process that `command` starts, just before it becomes the program.
///
/// The other threads of this process do not exist there, and the locks that they held stay locked.
/// So `step` must not ask for memory and may only call the kernel.
pub(in crate::linux) fn before_exec(
    command: &mut Command,
    step: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: by this function's contract `step` does what is allowed after a fork.
    unsafe { command.pre_exec(step) };
}

/// Holds strings in the form that `execve` takes: a list of pointers with a null pointer at its
/// end.
pub(in crate::linux) struct StringList {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl StringList {
    pub(in crate::linux) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

/// Turns this process into another program. Returns only if that fails.
pub(in crate::linux) fn execute(program: &CStr, argv: &StringList, env: &StringList) -> Errno {
    // SAFETY: both lists end with NULL and own their strings.
    unsafe { libc::execve(program.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr()) };
    last_error()
}

/// Ends this process at once, without running anything that was registered for its end.
pub(in crate::linux) fn exit(code: i32) -> ! {
    // SAFETY: this is always safe, as nothing runs after it.
    unsafe { libc::_exit(code) }
}

/// Counts what a process and the children that it has waited for have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::linux) struct Usage {
    pub user: Duration,
    pub system: Duration,
    /// The number of bytes of the largest process.
    pub max_rss: u64,
}

/// Waits until a child ends, or with `None` until any child ends. Returns `Ok(None)` if `options`
/// has `WNOHANG` and no child has ended.
pub(in crate::linux) fn wait4(
    pid: Option<Pid>,
    options: c_int,
) -> Result<Option<(Pid, i32, Usage)>> {
    let mut status = 0;
    // SAFETY: all-zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let which = pid.map_or(-1, |pid| pid.as_raw_nonzero().get());
    // SAFETY: both places are valid for writing.
    let pid = unsafe { libc::wait4(which, &mut status, options, &mut usage) };
    if pid == -1 {
        return Err(last_error());
    }
    let usage = Usage {
        user: duration(usage.ru_utime),
        system: duration(usage.ru_stime),
        max_rss: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
    };
    Ok(Pid::from_raw(pid).map(|pid| (pid, status, usage)))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000)
}

/// Kills every process that this process may kill, except itself.
///
/// Call this only in process 1 of a process namespace, where it means every process of the
/// namespace.
pub(in crate::linux) fn kill_all_others() {
    // SAFETY: this sends a signal to other processes. It fails only if there are none.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}
