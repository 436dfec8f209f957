//! The system calls that `rustix` doesn't offer, or not in the form that is needed here.
//!
//! The only module of this crate with `unsafe`, but for [`files`], [`notify`] and [`trace`] below it. Each function is safe to call as documented; those
//! that are only safe in the single-threaded spawner, or in a process that it has just cloned, say
//! so.
#![expect(unsafe_code, reason = "these system calls have no safe wrapper")]

pub(super) mod files;
pub(super) mod notify;
pub(super) mod trace;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

/// Where a cloned process is to live: every kind of namespace but that of time.
pub(super) const ALL_NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Moves this process into new namespaces; not for `CLONE_FILES`, which other threads would notice.
pub(super) fn unshare(namespaces: c_int) -> Result<()> {
    // SAFETY: changes what names mean to this process, and no memory.
    check(unsafe { libc::unshare(namespaces) }.into())
}

/// Clones this process into new namespaces and perhaps a control group, with a copy of its memory, and
/// runs `child` in the clone, which then ends.
///
/// Only for a single-threaded process: in the clone, a lock held by another thread would stay
/// locked for ever.
pub(super) fn clone_into(
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

/// Runs `child` in a new process that borrows this one's memory, and returns when that has ended or
/// become another program by [`execute`].
///
/// Far cheaper than a copy of the memory. Only for a single-threaded process, and `child` must not
/// panic.
pub(super) fn clone_sharing_memory<F: Fn()>(child: &F) -> Result<Pid> {
    extern "C" fn enter<F: Fn()>(child: *mut c_void) -> c_int {
        // SAFETY: `child` is the `&F` that was passed to `clone`, and its owner is suspended until
        // we are gone.
        let child = unsafe { &*child.cast::<F>() };
        child();
        exit(0)
    }
    // On our own stack, as we are suspended while it is in use.
    let mut stack = MaybeUninit::<[u128; 4096]>::uninit();
    let top = stack.as_mut_ptr().wrapping_add(1);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let argument = ptr::from_ref(child).cast_mut().cast::<c_void>();
    // SAFETY: `top` is the aligned end of memory that nobody else uses while CLONE_VFORK suspends
    // us.
    let pid = unsafe { libc::clone(enter::<F>, top.cast(), flags, argument) };
    Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(last_error)
}

/// Which of the two processes a call of [`fork`] has returned in.
pub(super) enum Forked {
    Child,
    Parent(Pid),
}

/// Copies this process.
///
/// Only for a single-threaded process: in the copy, a lock held by another thread would stay locked for
/// ever.
pub(super) fn fork() -> Result<Forked> {
    // SAFETY: without CLONE_VM and a stack this is a fork, and no place in memory is named.
    let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) };
    match pid {
        -1 => Err(last_error()),
        0 => Ok(Forked::Child),
        _ => Ok(Forked::Parent(Pid::from_raw(pid as i32).expect("a process' id is positive"))),
    }
}

/// Has `step` run in the process that is to become the command's program, just before it does.
///
/// Other threads of this process are gone there, with the locks that they held: `step` must not ask for
/// memory, and call the kernel alone.
pub(super) fn before_exec(
    command: &mut Command,
    step: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static,
) {
    // SAFETY: by this function's contract `step` does what is allowed after a fork.
    unsafe { command.pre_exec(step) };
}

/// A `NULL`-terminated list of strings, as `execve` wants it.
pub(super) struct StringList {
    pointers: Vec<*const c_char>,
    _strings: Vec<CString>,
}

impl StringList {
    pub(super) fn new(strings: Vec<CString>) -> Self {
        let pointers = strings.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        Self { pointers, _strings: strings }
    }
}

/// Becomes another program. Returns only if that fails.
pub(super) fn execute(program: &CStr, argv: &StringList, env: &StringList) -> Errno {
    // SAFETY: both lists end with NULL and own their strings.
    unsafe { libc::execve(program.as_ptr(), argv.pointers.as_ptr(), env.pointers.as_ptr()) };
    last_error()
}

/// Ends this process at once, without running anything that was registered for its end.
pub(super) fn exit(code: i32) -> ! {
    // SAFETY: always safe; nothing runs after it.
    unsafe { libc::_exit(code) }
}

/// What to change of a mount: see `mount_setattr(2)`.
#[repr(C)]
#[derive(Default)]
pub(super) struct MountAttributes {
    pub set: u64,
    pub clear: u64,
    pub propagation: u64,
    pub user_namespace: u64,
}

/// Changes a mount, and with [`AT_RECURSIVE`](libc::AT_RECURSIVE) those below it, all or none.
pub(super) fn mount_setattr(
    at: BorrowedFd<'_>,
    path: &CStr,
    flags: c_int,
    attributes: &MountAttributes,
) -> Result<()> {
    // SAFETY: the structure has the layout and the size that are passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at.as_raw_fd(),
            path.as_ptr(),
            flags,
            ptr::from_ref(attributes),
            size_of::<MountAttributes>(),
        )
    };
    check(result)
}

/// Closes every descriptor from `first` on.
///
/// Only just before this process becomes another program or another role, when no owner of one is
/// used again.
pub(super) fn close_from(first: u32) -> Result<()> {
    // SAFETY: by this function's contract no owner of these descriptors is used again.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) })
}

/// Makes `fd` the descriptor `number` of this process, open across [`execute`], whatever that was
/// before.
///
/// Only where no owner of `number` is used again.
pub(super) fn place(fd: BorrowedFd<'_>, number: RawFd) -> Result<()> {
    let result = match fd.as_raw_fd() == number {
        // SAFETY: changes a flag of a descriptor that is borrowed.
        true => unsafe { libc::fcntl(number, libc::F_SETFD, 0) },
        // SAFETY: by this function's contract nobody else relies on `number`.
        false => unsafe { libc::dup2(fd.as_raw_fd(), number) },
    };
    check(result.into())
}

/// The descriptor `number`, where it is known to be open: after [`place`].
pub(super) fn placed(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the caller has placed this descriptor and never closes it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// What a process and its waited-for children have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub user: Duration,
    pub system: Duration,
    /// Bytes, of the largest process.
    pub max_rss: u64,
}

/// Waits for the end of a child, or with `None` of any. `Ok(None)` if `options` has `WNOHANG` and
/// none has ended.
pub(super) fn wait4(pid: Option<Pid>, options: c_int) -> Result<Option<(Pid, i32, Usage)>> {
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

/// Kills every process that this one may kill, but for itself.
///
/// Only as process 1 of a process namespace, where that means everybody in there.
pub(super) fn kill_all_others() {
    // SAFETY: sends a signal to other processes; fails only if there are none.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// The bytes of all shared memory of System V in this namespace that are not swapped out, attached or not.
pub(super) fn segments() -> Result<u64> {
    // Both as in `shmctl(2)`.
    const SHM_INFO: c_int = 14;
    #[repr(C)]
    #[derive(Default)]
    struct Segments {
        used_ids: c_int,
        total: libc::c_ulong,
        resident: libc::c_ulong,
        swapped: libc::c_ulong,
        attempts: libc::c_ulong,
        successes: libc::c_ulong,
    }
    let mut told = Segments::default();
    // SAFETY: the kernel fills a structure of this layout.
    let done = unsafe { libc::shmctl(0, SHM_INFO, (&raw mut told).cast()) };
    match check(done.into()) {
        // This kernel has none.
        Err(Errno::NOSYS) => Ok(0),
        Err(error) => Err(error),
        Ok(()) => Ok(told.resident * page_size()),
    }
}

/// The bytes of a page of memory.
///
/// The C library was told by the kernel when this program began; others read it from `/proc` when they are
/// first asked, which process 1 may not do.
pub(super) fn page_size() -> u64 {
    // SAFETY: asks for a number.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// Gives every signal its default effect and blocks none. Children inherit that.
pub(super) fn reset_signals() -> Result<()> {
    // All-zero is the kernel's `sigaction` of the default effect. The C library would leave two
    // signals out.
    let default = [0_u64; 4];
    let catchable = (1..=64).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal));
    for signal in catchable {
        let old = ptr::null_mut::<u64>();
        // SAFETY: the default effect runs no code of ours; the structure is as large as the
        // kernel's, the mask 8 bytes.
        check(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, 8) })?;
    }
    set_blocked(&[])
}

/// Blocks these signals and no others.
pub(super) fn set_blocked(signals: &[c_int]) -> Result<()> {
    let set = signal_set(signals);
    // SAFETY: `set` is initialised, and the old mask isn't asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) }.into())
}

/// Waits until a child's end is signalled, at most `timeout`. The signal must be blocked.
pub(super) fn wait_for_child_signal(timeout: Duration) {
    let set = signal_set(&[libc::SIGCHLD]);
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: both are initialised, and details of the signal aren't asked for.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const timeout) };
}

/// A descriptor from which these signals can be read, by [`next_signal`]. They must be blocked.
pub(super) fn signals(signals: &[c_int]) -> Result<OwnedFd> {
    let set = signal_set(signals);
    // SAFETY: the set is initialised.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(fd.into())?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes a signal that has arrived at [`signals`], if there is one.
pub(super) fn next_signal(signals: &OwnedFd) -> Option<c_int> {
    let mut signal = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let length = rustix::io::read(signals, &mut signal).ok()?;
    // Its number comes first.
    let number = signal[..length].first_chunk()?;
    Some(c_int::from_ne_bytes(*number))
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: all-zero is the empty set, as `sigemptyset` makes it.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    for &signal in signals {
        // SAFETY: `set` is a valid set.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

/// Puts this thread, and what it starts, under a system call filter for good.
pub(super) fn set_seccomp_filter(filter: &[libc::sock_filter]) -> Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies and verifies the program, which outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    check(result)
}

/// Switches the loopback interface of this network namespace on. `socket` is any socket.
pub(super) fn raise_loopback(socket: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as c_char;
    request.ifr_name[1] = b'o' as c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as i16;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq` with the name and the flags set.
    check(
        unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) }
            .into(),
    )
}

fn check(result: libc::c_long) -> Result<()> {
    match result {
        -1 => Err(last_error()),
        _ => Ok(()),
    }
}

fn last_error() -> Errno {
    let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
    Errno::from_raw_os_error(code)
}
