//! Resets, blocks and receives signals.

use std::ffi::c_int;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::io::Result;

use super::errors::check;

/// Gives every signal its default effect, and blocks no signal. Children inherit both.
pub(in crate::linux) fn reset_signals() -> Result<()> {
    // All zeros are the kernel's `sigaction` for the default effect. The function of the C library
    // would leave two signals out.
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
pub(in crate::linux) fn set_blocked(signals: &[c_int]) -> Result<()> {
    let set = signal_set(signals);
    // SAFETY: `set` is initialised, and the old mask isn't asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const set, ptr::null_mut()) }.into())
}

/// Waits until the end of a child is signalled, but no longer than `timeout`. The signal must be
/// blocked.
pub(in crate::linux) fn wait_for_child_signal(timeout: Duration) {
    let set = signal_set(&[libc::SIGCHLD]);
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: both are initialised, and details of the signal aren't asked for.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const timeout) };
}

/// Returns a descriptor from which [`next_signal`] reads these signals. They must be blocked.
pub(in crate::linux) fn signals(signals: &[c_int]) -> Result<OwnedFd> {
    let set = signal_set(signals);
    // SAFETY: the set is initialised.
    let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    check(fd.into())?;
    // SAFETY: the kernel has just opened this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes a signal that has arrived at the descriptor of [`signals`], if there is one.
pub(in crate::linux) fn next_signal(signals: &OwnedFd) -> Option<c_int> {
    let mut signal = [0_u8; size_of::<libc::signalfd_siginfo>()];
    let length = rustix::io::read(signals, &mut signal).ok()?;
    // The number of the signal comes first.
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
