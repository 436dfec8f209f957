//! Refuses or handles calls depending on their arguments.
//!
//! A filter sees registers and no memory. The lower half of an argument is enough, because the
//! kernel takes these arguments as numbers of 32 bits.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JSET, BPF_K, BPF_LD, BPF_W, c_long, sock_filter,
};

use super::bpf::{NUMBER, answer, errno, instruction, jump, load};

/// Decides about a call if all conditions hold.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Rule {
    call: c_long,
    conditions: &'static [Condition],
    verdict: RuleAction,
}

/// Says what happens to a call.
#[derive(Clone, Copy)]
pub(in crate::linux::inside) enum RuleAction {
    /// The call fails with this error. With 0 it does nothing and succeeds.
    Error(i32),
    /// Process 1 answers the call.
    Notified,
    /// The call stops for the tracer.
    Traced,
}

/// Tests one argument.
#[derive(Clone, Copy)]
pub(in crate::linux::inside) struct Condition {
    /// The offset of the argument in the kernel's `seccomp_data`.
    offset: u32,
    mask: u32,
    test: Test,
}

#[derive(Clone, Copy)]
enum Test {
    Is(u32),
    IsNot(u32),
    HasAny(u32),
}

/// Makes a call fail with `error` if all conditions hold.
pub(in crate::linux::inside) const fn refuse(
    call: c_long,
    conditions: &'static [Condition],
    error: i32,
) -> Rule {
    Rule { call, conditions, verdict: RuleAction::Error(error) }
}

/// Has process 1 handle a call if all conditions hold.
pub(in crate::linux::inside) const fn watch(
    call: c_long,
    conditions: &'static [Condition],
    verdict: RuleAction,
) -> Rule {
    Rule { call, conditions, verdict }
}

/// Tests whether the argument at this position is this number.
pub(in crate::linux::inside) const fn is(argument: u32, value: i32) -> Condition {
    masked(argument, u32::MAX, value as u32)
}

/// Tests whether the argument at this position is another number.
pub(in crate::linux::inside) const fn is_not(argument: u32, value: u32) -> Condition {
    masked_not(argument, u32::MAX, value)
}

/// Tests whether the argument at this position is another number, as far as the mask has bits.
const fn masked_not(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { offset: offset(argument), mask, test: Test::IsNot(value) }
}

/// Tests whether the argument at this position is this number, as far as the mask has bits.
pub(super) const fn masked(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { offset: offset(argument), mask, test: Test::Is(value) }
}

/// Tests whether the argument at this position has one of these bits.
pub(in crate::linux::inside) const fn has(argument: u32, bits: u32) -> Condition {
    Condition { offset: offset(argument), mask: u32::MAX, test: Test::HasAny(bits) }
}

/// Tests whether the upper half of the argument at this position is not zero. Together with [`has`]
/// for all bits, two rules find an address that is not null.
pub(in crate::linux::inside) const fn has_upper(argument: u32) -> Condition {
    Condition { offset: offset(argument) + 4, mask: u32::MAX, test: Test::HasAny(u32::MAX) }
}

const fn offset(argument: u32) -> u32 {
    16 + 8 * argument
}

impl Rule {
    /// Assembles the rule. The number of the call is loaded before it and after it.
    pub(super) fn assemble(&self) -> Vec<sock_filter> {
        let mut rest = vec![answer(self.verdict.value()), load(NUMBER)];
        for condition in self.conditions.iter().rev() {
            // This skips all remaining instructions except the last one, which loads the number
            // again.
            let past = rest.len() as u8 - 1;
            let mut part = vec![instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, condition.offset)];
            if condition.mask != u32::MAX {
                part.push(instruction(BPF_ALU | BPF_AND | BPF_K, 0, 0, condition.mask));
            }
            part.push(match condition.test {
                Test::Is(value) => jump(BPF_JEQ, value, 0, past),
                Test::IsNot(value) => jump(BPF_JEQ, value, past, 0),
                Test::HasAny(bits) => jump(BPF_JSET, bits, 0, past),
            });
            rest.splice(0..0, part);
        }
        rest.insert(0, jump(BPF_JEQ, self.call as u32, 0, rest.len() as u8));
        rest
    }
}

impl RuleAction {
    fn value(self) -> u32 {
        match self {
            Self::Error(error) => errno(error),
            Self::Notified => libc::SECCOMP_RET_USER_NOTIF,
            Self::Traced => libc::SECCOMP_RET_TRACE,
        }
    }
}

/// With these bits of a mode, a program runs as the owner of its file. While the file lies in a
/// folder of the host, another user of the machine could run it.
const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;

/// With one of these flags, `open` takes a mode.
const MAKES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// This is `fchmodat2`, which `libc` lacks on some architectures.
const FCHMODAT2: c_long = 452;

/// Refuses a call whose mode meets the conditions.
const fn mode_of(call: c_long, conditions: &'static [Condition]) -> Rule {
    refuse(call, conditions, libc::EPERM)
}

/// These rules hold for every command.
pub(super) const ALWAYS: &[Rule] = &[
    // The supervisor of such a filter can allow calls that other filters stop.
    refuse(
        libc::SYS_seccomp,
        &[
            is(0, libc::SECCOMP_SET_MODE_FILTER as i32),
            has(1, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32),
        ],
        libc::EINVAL,
    ),
    // Inputs are files of the store, which other commands read. Whoever opens a file that has a
    // lease waits for the lease to end, and whoever holds it is told by a signal.
    refuse(libc::SYS_fcntl, &[is(1, libc::F_SETLEASE)], libc::EPERM),
    refuse(libc::SYS_fcntl, &[is(1, F_SETDELEG)], libc::EPERM),
    refuse(libc::SYS_fcntl, &[is(1, libc::F_NOTIFY)], libc::EPERM),
    // Otherwise process 1 could not read paths, nor how much memory is in use. The call succeeds
    // and does nothing.
    refuse(libc::SYS_prctl, &[is(0, libc::PR_SET_DUMPABLE), is(1, 0)], 0),
    // Pairs of sockets have the same families as single sockets.
    refuse(
        libc::SYS_socketpair,
        &[
            is_not(0, libc::AF_UNIX as u32),
            is_not(0, libc::AF_INET as u32),
            is_not(0, libc::AF_INET6 as u32),
        ],
        libc::EAFNOSUPPORT,
    ),
    mode_of(libc::SYS_fchmod, &[has(1, SET_ID)]),
    mode_of(libc::SYS_fchmodat, &[has(2, SET_ID)]),
    mode_of(FCHMODAT2, &[has(2, SET_ID)]),
    mode_of(libc::SYS_mkdirat, &[has(2, SET_ID)]),
    mode_of(libc::SYS_mknodat, &[has(2, SET_ID)]),
    mode_of(libc::SYS_openat, &[has(2, MAKES), has(3, SET_ID)]),
    #[cfg(target_arch = "x86_64")]
    mode_of(libc::SYS_chmod, &[has(1, SET_ID)]),
    #[cfg(target_arch = "x86_64")]
    mode_of(libc::SYS_creat, &[has(1, SET_ID)]),
    #[cfg(target_arch = "x86_64")]
    mode_of(libc::SYS_mkdir, &[has(1, SET_ID)]),
    #[cfg(target_arch = "x86_64")]
    mode_of(libc::SYS_mknod, &[has(1, SET_ID)]),
    #[cfg(target_arch = "x86_64")]
    mode_of(libc::SYS_open, &[has(1, MAKES), has(2, SET_ID)]),
    // File systems keep more about a file than its bytes: flags (immutable, append-only, no dump),
    // a project, a generation, verity and encryption. Whoever has the file open for reading may set
    // some of these.
    refuse(libc::SYS_ioctl, &[sets(b'f'), is_not(1, FIEMAP)], libc::EPERM),
    refuse(libc::SYS_ioctl, &[sets(b'X')], libc::EPERM),
    refuse(libc::SYS_ioctl, &[sets(b'v')], libc::EPERM),
    refuse(libc::SYS_ioctl, &[sets(b'r')], libc::EPERM),
    refuse(
        libc::SYS_ioctl,
        &[sets(0x94), is_not(1, FICLONE), is_not(1, FICLONERANGE), is_not(1, FIDEDUPERANGE)],
        libc::EPERM,
    ),
    refuse(libc::SYS_ioctl, &[sets(0xbc)], libc::EPERM),
    refuse(libc::SYS_ioctl, &[sets(0xf5)], libc::EPERM),
    refuse(libc::SYS_ioctl, &[is(1, SET_ENCRYPTION_POLICY as i32)], libc::EPERM),
];

/// This is the lease of a folder, which `libc` lacks.
const F_SETDELEG: i32 = 1040;

/// These `ioctl` requests only share or read, although their types are those of file systems.
const FIEMAP: u32 = 0xc020_660b;
const FICLONE: u32 = 0x4004_9409;
const FICLONERANGE: u32 = 0x4020_940d;
const FIDEDUPERANGE: u32 = 0xc018_9436;

/// This request sets something, although its number says that it reads.
const SET_ENCRYPTION_POLICY: u32 = 0x800c_6613;

/// Tests for an `ioctl` request of this type that sets something.
const fn sets(kind: u8) -> Condition {
    const SETS: u32 = 0x4000_0000;
    masked(1, SETS | TYPE, SETS | (kind as u32) << 8)
}

/// Tests for an `ioctl` request of this type.
pub(in crate::linux::inside) const fn of_type(kind: u8) -> Condition {
    masked(1, TYPE, (kind as u32) << 8)
}

const TYPE: u32 = 0xff00;

/// These rules hold where process 1 of the command has the number 1. It limits the command and
/// belongs to the same user. Signals don't reach it, and no process may look into it.
pub(super) const OF_PROCESS_ONE: &[Rule] = &[
    refuse(libc::SYS_prlimit64, &[is(0, 1)], libc::EPERM),
    refuse(libc::SYS_sched_setaffinity, &[is(0, 1)], libc::EPERM),
    refuse(libc::SYS_sched_setattr, &[is(0, 1)], libc::EPERM),
    refuse(libc::SYS_sched_setparam, &[is(0, 1)], libc::EPERM),
    refuse(libc::SYS_sched_setscheduler, &[is(0, 1)], libc::EPERM),
    refuse(libc::SYS_setpriority, &[is(0, libc::PRIO_PROCESS as i32), is(1, 1)], libc::EPERM),
    refuse(libc::SYS_setpriority, &[is(0, libc::PRIO_USER as i32)], libc::EPERM),
    refuse(libc::SYS_ioprio_set, &[is(0, IOPRIO_WHO_PROCESS), is(1, 1)], libc::EPERM),
    refuse(libc::SYS_ioprio_set, &[is(0, IOPRIO_WHO_USER)], libc::EPERM),
];

const IOPRIO_WHO_PROCESS: i32 = 1;
const IOPRIO_WHO_USER: i32 = 3;

/// These rules hold where process 1 traces the command, so that no thread escapes the tracer. The
/// flags of `clone3` can't be seen; programs use `clone` instead if it is missing.
pub(super) const UNTRACED: &[Rule] = &[
    refuse(libc::SYS_clone, &[has(0, libc::CLONE_UNTRACED as u32)], libc::EPERM),
    refuse(libc::SYS_clone3, &[], libc::ENOSYS),
];

/// These rules hold where there are no namespaces. The kernel would send signals for a command,
/// which a filter can't see.
///
/// Allowed are pairs of sockets that stay connected to each other: streams, and packets in order.
/// Pairs of datagram sockets are refused, because each of their messages may have an address in
/// memory (`sendmsg`). For the kernel, `SOCK_RAW` is the same as a datagram socket.
pub(super) const SOLE_GUARD: &[Rule] = &[
    refuse(
        libc::SYS_socketpair,
        &[
            masked_not(1, SOCKET_KIND, libc::SOCK_STREAM as u32),
            masked_not(1, SOCKET_KIND, libc::SOCK_SEQPACKET as u32),
        ],
        libc::EACCES,
    ),
    refuse(libc::SYS_bind, &[], libc::EACCES),
    refuse(libc::SYS_connect, &[], libc::EACCES),
    refuse(libc::SYS_sendto, &[has(4, u32::MAX)], libc::EACCES),
    refuse(libc::SYS_sendto, &[has_upper(4)], libc::EACCES),
    refuse(libc::SYS_fcntl, &[is(1, libc::F_SETOWN)], libc::EPERM),
    refuse(libc::SYS_fcntl, &[is(1, F_SETOWN_EX)], libc::EPERM),
    refuse(libc::SYS_ioctl, &[is(1, FIOSETOWN)], libc::EPERM),
    refuse(libc::SYS_ioctl, &[is(1, SIOCSPGRP)], libc::EPERM),
];

/// These bits of the second argument of `socketpair` are not flags.
const SOCKET_KIND: u32 = 0xf;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: i32 = 0x8901;
const SIOCSPGRP: i32 = 0x8902;
