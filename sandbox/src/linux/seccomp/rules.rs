//! Calls that are refused, or looked at, for what their arguments say.
//!
//! A filter sees registers and no memory, and of each argument the lower half is enough: the kernel takes
//! these as numbers of 32 bits.

use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JSET, BPF_K, BPF_LD, BPF_W, c_long, sock_filter,
};

use super::{NUMBER, answer, instruction, jump, load};

/// A call that gets a verdict of its own if all conditions hold.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Rule {
    call: c_long,
    conditions: &'static [Condition],
    verdict: Verdict,
}

/// What becomes of a call.
#[derive(Clone, Copy)]
pub(in crate::linux) enum Verdict {
    /// It fails with this error, or with 0 has done nothing and succeeds.
    Error(i32),
    /// It is answered by process 1.
    Notified,
    /// It stops for the tracer.
    Traced,
}

/// What one argument has to be.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Condition {
    /// Its offset in the kernel's `seccomp_data`.
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

/// A call that fails with `error` if all conditions hold.
pub(in crate::linux) const fn refuse(
    call: c_long,
    conditions: &'static [Condition],
    error: i32,
) -> Rule {
    Rule { call, conditions, verdict: Verdict::Error(error) }
}

/// A call that process 1 answers or looks at if all conditions hold.
pub(in crate::linux) const fn watch(
    call: c_long,
    conditions: &'static [Condition],
    verdict: Verdict,
) -> Rule {
    Rule { call, conditions, verdict }
}

/// The argument at this place is that number.
pub(in crate::linux) const fn is(argument: u32, value: i32) -> Condition {
    masked(argument, u32::MAX, value as u32)
}

/// The argument at this place is another number.
pub(in crate::linux) const fn is_not(argument: u32, value: u32) -> Condition {
    masked_not(argument, u32::MAX, value)
}

/// The argument at this place is another number where the mask has bits.
const fn masked_not(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { offset: offset(argument), mask, test: Test::IsNot(value) }
}

/// The argument at this place is that number where the mask has bits.
pub(in crate::linux) const fn masked(argument: u32, mask: u32, value: u32) -> Condition {
    Condition { offset: offset(argument), mask, test: Test::Is(value) }
}

/// The argument at this place has one of these bits.
pub(in crate::linux) const fn has(argument: u32, bits: u32) -> Condition {
    Condition { offset: offset(argument), mask: u32::MAX, test: Test::HasAny(bits) }
}

/// The upper half of the argument at this place is not zero: together with [`has`] of all bits this tells
/// an address from none, in two rules.
pub(in crate::linux) const fn has_upper(argument: u32) -> Condition {
    Condition { offset: offset(argument) + 4, mask: u32::MAX, test: Test::HasAny(u32::MAX) }
}

const fn offset(argument: u32) -> u32 {
    16 + 8 * argument
}

impl Rule {
    /// The rule as a part of a filter that has the number of the call at hand, before and after.
    pub(super) fn assemble(&self) -> Vec<sock_filter> {
        let mut rest = vec![answer(self.verdict.value()), load(NUMBER)];
        for condition in self.conditions.iter().rev() {
            // Past all that follows but the last, which loads the number again.
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

impl Verdict {
    fn value(self) -> u32 {
        match self {
            Self::Error(error) => super::errno(error),
            Self::Notified => libc::SECCOMP_RET_USER_NOTIF,
            Self::Traced => libc::SECCOMP_RET_TRACE,
        }
    }
}

/// The bits of a mode by which a program would run as the one who owns its file: another user of the
/// machine could run it while it lies in a folder of the host.
const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;

/// The flags of `open` with which it takes a mode.
const MAKES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// `fchmodat2`, which `libc` lacks on some architectures.
const FCHMODAT2: c_long = 452;

/// A call with a mode at this place.
const fn mode_of(call: c_long, conditions: &'static [Condition]) -> Rule {
    refuse(call, conditions, libc::EPERM)
}

/// Refused whatever a command is kept apart by.
pub(super) const ALWAYS: &[Rule] = &[
    // The supervisor of a filter can let calls go on that other filters stop at.
    refuse(
        libc::SYS_seccomp,
        &[
            is(0, libc::SECCOMP_SET_MODE_FILTER as i32),
            has(1, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32),
        ],
        libc::EINVAL,
    ),
    // Inputs are files of the store, which other commands read: who opens one would wait for the end of a lease,
    // and be told of with a signal.
    refuse(libc::SYS_fcntl, &[is(1, libc::F_SETLEASE)], libc::EPERM),
    refuse(libc::SYS_fcntl, &[is(1, F_SETDELEG)], libc::EPERM),
    refuse(libc::SYS_fcntl, &[is(1, libc::F_NOTIFY)], libc::EPERM),
    // Process 1 could not read what it has to: paths, and how much memory is in use. It is as if that wish were
    // granted.
    refuse(libc::SYS_prctl, &[is(0, libc::PR_SET_DUMPABLE), is(1, 0)], 0),
    // Pairs of sockets are of the same families as single ones.
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
    // What file systems keep of a file beside its bytes: flags (immutable, append-only, no dump), project,
    // generation, verity, encryption. Who has a file open for reading may set some of it.
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

/// The lease of a folder, which `libc` lacks.
const F_SETDELEG: i32 = 1040;

/// Requests of `ioctl` that only share or tell, of the types that file systems use.
const FIEMAP: u32 = 0xc020_660b;
const FICLONE: u32 = 0x4004_9409;
const FICLONERANGE: u32 = 0x4020_940d;
const FIDEDUPERANGE: u32 = 0xc018_9436;

/// The one that sets something and has not the direction of such.
const SET_ENCRYPTION_POLICY: u32 = 0x800c_6613;

/// A request of `ioctl` of this type that sets something.
const fn sets(kind: u8) -> Condition {
    const SETS: u32 = 0x4000_0000;
    masked(1, SETS | TYPE, SETS | (kind as u32) << 8)
}

/// A request of `ioctl` of this type.
pub(in crate::linux) const fn of_type(kind: u8) -> Condition {
    masked(1, TYPE, (kind as u32) << 8)
}

const TYPE: u32 = 0xff00;

/// Refused where process 1 of the command is number 1: it limits the command, and belongs to the same user.
/// Signals don't reach it, and nobody may look into it.
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

/// Refused where process 1 traces the command: no thread gets away from it. The flags of `clone3` can't be
/// seen; programs then use `clone`.
pub(super) const UNTRACED: &[Rule] = &[
    refuse(libc::SYS_clone, &[has(0, libc::CLONE_UNTRACED as u32)], libc::EPERM),
    refuse(libc::SYS_clone3, &[], libc::ENOSYS),
];

/// Refused where the filter alone keeps a command from others: the kernel would send signals on its behalf.
///
/// Of sockets there are pairs that stay connected to each other and to nobody else: streams, and packets in
/// order. Each message of a datagram socket may have an address, which is in memory (`sendmsg`), so there are
/// no such pairs; the kernel takes `SOCK_RAW` for the same.
pub(super) const ALONE: &[Rule] = &[
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

/// The bits of the second argument of `socketpair` that are no flags.
const SOCKET_KIND: u32 = 0xf;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: i32 = 0x8901;
const SIOCSPGRP: i32 = 0x8902;
