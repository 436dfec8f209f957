//! Installs system call filters, and answers system calls of other threads by seccomp's user
//! notification: see `seccomp_unotify(2)`.
//!
//! A filter can leave a call to another process. The kernel then stops the thread that makes the
//! call, and the other process reads the call from a descriptor, the *listener*. It gives the
//! thread a result or a descriptor, or has the kernel make the call as usual. This file does not
//! know which calls are answered, or what the answers are.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::c_int;

use rustix::io::{Errno, Result};

use super::errors::{check, last_error};

/// Describes a call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::linux) struct Notification {
    /// The number by which the answer names the call.
    pub id: u64,
    /// The number of the thread that makes the call.
    pub thread: i32,
    pub call: i64,
    pub arguments: [u64; 6],
}

/// Says what happens to a call.
#[derive(Debug)]
pub(in crate::linux) enum Answer {
    /// The call is not made, and returns this result.
    Result(i64),
    /// The call is not made, and returns a descriptor of this file. The flag says whether the
    /// descriptor is closed on `exec`.
    Descriptor(OwnedFd, bool),
    /// The kernel makes the call as usual.
    Continue,
}

/// Puts this thread, and every process that it starts, under a system call filter that can't be
/// removed.
pub(in crate::linux) fn set_seccomp_filter(filter: &[libc::sock_filter]) -> Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies and verifies the program, which outlives the call.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    check(result)
}

/// Puts this thread, and every process that it starts, under a system call filter that can't be
/// removed. Returns the descriptor from which its notifications are read.
pub(in crate::linux) fn set_filter_with_listener(filter: &[libc::sock_filter]) -> Result<OwnedFd> {
    // Signals don't interrupt a call any more once it has arrived, so no call arrives twice.
    // Kernels before 5.19 don't know this flag.
    const UNINTERRUPTED: libc::c_ulong = 1 << 5;
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    match set_filter(filter, listener | UNINTERRUPTED) {
        Err(Errno::INVAL) => set_filter(filter, listener),
        other => other,
    }
}

fn set_filter(filter: &[libc::sock_filter], flags: libc::c_ulong) -> Result<OwnedFd> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the kernel copies and verifies the program, which outlives the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    };
    check(fd)?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// Wakes the answering thread on the processor of the asking thread, and the other way round:
/// between two processors this takes several times as long. Kernels before 6.6 don't know the flag.
pub(in crate::linux) fn stay_on_one_processor(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the argument is a number. If the kernel refuses it, everything works, but more
    // slowly.
    unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
}

/// Takes the next call, and waits for one if there is none.
pub(in crate::linux) fn receive(listener: BorrowedFd<'_>) -> Result<Notification> {
    // SAFETY: all-zero is what the kernel wants to find in it.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a structure of the size that the request names.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut notification) }.into())?;
    let libc::seccomp_notif { id, pid, data, .. } = notification;
    Ok(Notification { id, thread: pid as i32, call: data.nr.into(), arguments: data.args })
}

/// Answers a call. This fails if its thread was killed or interrupted in the meantime.
pub(in crate::linux) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> Result<()> {
    let (val, error, flags) = match answer {
        Answer::Descriptor(file, is_closed_on_exec) => {
            return answer_with(listener, id, &file, is_closed_on_exec);
        }
        Answer::Result(error @ -4095..=-1) => (0, error as i32, 0),
        Answer::Result(value) => (value, 0, 0),
        Answer::Continue => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
    };
    let mut response = libc::seccomp_notif_resp { id, val, error, flags };
    // SAFETY: the kernel reads a structure of the size that the request names.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), SEND, &raw mut response) }.into())
}

/// Gives the thread a descriptor of `file`. Kernels before 5.14 can't do this.
fn answer_with(
    listener: BorrowedFd<'_>,
    id: u64,
    file: &OwnedFd,
    is_closed_on_exec: bool,
) -> Result<()> {
    let newfd_flags = if is_closed_on_exec { libc::O_CLOEXEC as u32 } else { 0 };
    let flags = libc::SECCOMP_ADDFD_FLAG_SEND as u32;
    let srcfd = file.as_raw_fd() as u32;
    let mut request = libc::seccomp_notif_addfd { id, flags, srcfd, newfd: 0, newfd_flags };
    // SAFETY: the kernel reads a structure of the size that the request names.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), ADD_DESCRIPTOR, &raw mut request) }.into())
}

/// Returns a copy of the descriptor `number` of the process that `process` refers to.
pub(in crate::linux) fn descriptor_of(process: BorrowedFd<'_>, number: c_int) -> Result<OwnedFd> {
    // SAFETY: this call uses no memory of this process.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    match fd {
        -1 => Err(last_error()),
        // SAFETY: the kernel has just opened this descriptor for us.
        _ => Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) }),
    }
}

// A request of `ioctl` consists of a direction, the size of the argument, the letter `!` and a
// number.
const RECEIVE: libc::Ioctl = request(3, size_of::<libc::seccomp_notif>(), 0);
const SEND: libc::Ioctl = request(3, size_of::<libc::seccomp_notif_resp>(), 1);
const ADD_DESCRIPTOR: libc::Ioctl = request(1, size_of::<libc::seccomp_notif_addfd>(), 3);
const SET_FLAGS: libc::Ioctl = request(1, size_of::<u64>(), 4);

const fn request(direction: libc::Ioctl, size: usize, number: libc::Ioctl) -> libc::Ioctl {
    direction << 30 | (size as libc::Ioctl) << 16 | (b'!' as libc::Ioctl) << 8 | number
}
