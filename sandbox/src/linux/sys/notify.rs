//! Answering system calls of other processes: seccomp's user notification, see `seccomp_unotify(2)`.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::raw::c_int;

use rustix::io::{Errno, Result};

use super::{check, last_error};

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(in crate::linux) struct Notification {
    /// Names it in the answer.
    pub id: u64,
    /// The thread that makes it.
    pub thread: i32,
    pub call: i64,
    pub arguments: [u64; 6],
}

/// What becomes of a call.
#[derive(Debug)]
pub(in crate::linux) enum Answer {
    /// It is not made; this is its result.
    Result(i64),
    /// It is not made; its result is a descriptor of this file, which is closed on `exec` or not.
    Descriptor(OwnedFd, bool),
    /// It is made after all.
    Continue,
}

/// Puts this thread, and what it starts, under a filter for good, and returns where its
/// notifications arrive.
pub(in crate::linux) fn set_filter_with_listener(filter: &[libc::sock_filter]) -> Result<OwnedFd> {
    // A call that has arrived is not interrupted by signals any more, and so is never made twice.
    // Kernels before 5.19 can't.
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

/// Has the one who answers woken on the processor of the one who asks, and back: between two
/// processors it takes several times as long. Kernels before 6.6 can't.
pub(in crate::linux) fn stay_on_one_processor(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the argument is a number. If it is refused everything works, only slower.
    unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS, SYNC_WAKE_UP) };
}

/// Takes the next call; waits if there is none.
pub(in crate::linux) fn receive(listener: BorrowedFd<'_>) -> Result<Notification> {
    // SAFETY: all-zero is what the kernel wants to find in it.
    let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills a structure of the size that the request names.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut notification) }.into())?;
    let libc::seccomp_notif { id, pid, data, .. } = notification;
    Ok(Notification { id, thread: pid as i32, call: data.nr.into(), arguments: data.args })
}

/// Answers a call. Fails if its thread has been killed or interrupted meanwhile.
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

/// The thread gets a descriptor of `file`. Kernels before 5.14 can't.
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

/// The descriptor `number` of the process that `process` stands for, as one of ours.
pub(in crate::linux) fn descriptor_of(process: BorrowedFd<'_>, number: c_int) -> Result<OwnedFd> {
    // SAFETY: concerns no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    match fd {
        -1 => Err(last_error()),
        // SAFETY: the kernel has just opened this descriptor for us.
        _ => Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) }),
    }
}

// `ioctl` requests: direction, size of the argument, `!`, number.
const RECEIVE: libc::Ioctl = request(3, size_of::<libc::seccomp_notif>(), 0);
const SEND: libc::Ioctl = request(3, size_of::<libc::seccomp_notif_resp>(), 1);
const ADD_DESCRIPTOR: libc::Ioctl = request(1, size_of::<libc::seccomp_notif_addfd>(), 3);
const SET_FLAGS: libc::Ioctl = request(1, size_of::<u64>(), 4);

const fn request(direction: libc::Ioctl, size: usize, number: libc::Ioctl) -> libc::Ioctl {
    direction << 30 | (size as libc::Ioctl) << 16 | (b'!' as libc::Ioctl) << 8 | number
}
