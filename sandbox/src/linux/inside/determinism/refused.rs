//! Lists calls that describe the machine or the moment, and that programs can do without, and calls
//! that only matter with certain arguments.

use libc::c_int;

use crate::linux::inside::seccomp::rules::{
    Rule, RuleAction, has, has_upper, is, is_not, of_type, refuse, watch,
};

/// The system call filter refuses or handles these calls under the layer.
pub(in crate::linux) const RULES: &[Rule] = &[
    // The kernel would write the number of the processor to memory from then on.
    refuse(libc::SYS_rseq, &[], libc::ENOSYS),
    // Addresses stay fixed. The call succeeds and does nothing.
    refuse(libc::SYS_personality, &[is_not(0, A_QUESTION)], 0),
    // These return the times at which packets came, and how long they took.
    refuse(libc::SYS_setsockopt, &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMP_OLD)], libc::ENOPROTOOPT),
    refuse(
        libc::SYS_setsockopt,
        &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMPNS_OLD)],
        libc::ENOPROTOOPT,
    ),
    refuse(
        libc::SYS_setsockopt,
        &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMPING_OLD)],
        libc::ENOPROTOOPT,
    ),
    refuse(libc::SYS_setsockopt, &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMP_NEW)], libc::ENOPROTOOPT),
    refuse(
        libc::SYS_setsockopt,
        &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMPNS_NEW)],
        libc::ENOPROTOOPT,
    ),
    refuse(
        libc::SYS_setsockopt,
        &[is(1, SOL_SOCKET), is(2, SO_TIMESTAMPING_NEW)],
        libc::ENOPROTOOPT,
    ),
    refuse(libc::SYS_ioctl, &[is(1, SIOCGSTAMP_OLD)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[is(1, SIOCGSTAMPNS_OLD)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[is(1, SIOCGSTAMP_NEW as c_int)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[is(1, SIOCGSTAMPNS_NEW as c_int)], libc::ENOTTY),
    refuse(
        libc::SYS_getsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, libc::TCP_INFO)],
        libc::ENOPROTOOPT,
    ),
    refuse(
        libc::SYS_getsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, TCP_TIMESTAMP)],
        libc::ENOPROTOOPT,
    ),
    refuse(
        libc::SYS_getsockopt,
        &[is(1, libc::IPPROTO_TCP), is(2, TCP_CC_INFO)],
        libc::ENOPROTOOPT,
    ),
    // These return the processor that received a packet, the number of all sockets, and the memory
    // of sockets.
    refuse(libc::SYS_getsockopt, &[is(1, SOL_SOCKET), is(2, SO_INCOMING_CPU)], libc::ENOPROTOOPT),
    refuse(libc::SYS_getsockopt, &[is(1, SOL_SOCKET), is(2, SO_MEMINFO)], libc::ENOPROTOOPT),
    refuse(libc::SYS_getsockopt, &[is(1, SOL_SOCKET), is(2, SO_COOKIE)], libc::ENOPROTOOPT),
    // These return where on a disk a file lies and where it has holes, its generation and flags,
    // and the identity of its file system, or clone blocks, which only some file systems can do.
    // Programs can do without all of them.
    refuse(libc::SYS_lseek, &[is(2, libc::SEEK_DATA)], libc::EINVAL),
    refuse(libc::SYS_lseek, &[is(2, libc::SEEK_HOLE)], libc::EINVAL),
    refuse(libc::SYS_ioctl, &[of_type(b'f')], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(b'X')], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(b'v')], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(b'r')], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(0x15)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(0x94)], libc::EOPNOTSUPP),
    refuse(libc::SYS_ioctl, &[of_type(0xbc)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[of_type(0xf5)], libc::ENOTTY),
    refuse(libc::SYS_ioctl, &[is(1, FIBMAP)], libc::EPERM),
    refuse(libc::SYS_name_to_handle_at, &[], libc::EOPNOTSUPP),
    #[cfg(target_arch = "x86_64")]
    refuse(libc::SYS_ustat, &[], libc::ENOSYS),
    // These return what a child has used and how long is left to wait. They matter only if the
    // program asks for it.
    watch(libc::SYS_wait4, &[has(3, u32::MAX)], RuleAction::Traced),
    watch(libc::SYS_wait4, &[has_upper(3)], RuleAction::Traced),
    watch(libc::SYS_waitid, &[has(4, u32::MAX)], RuleAction::Traced),
    watch(libc::SYS_waitid, &[has_upper(4)], RuleAction::Traced),
    watch(libc::SYS_recvmmsg, &[has(4, u32::MAX)], RuleAction::Traced),
    watch(libc::SYS_recvmmsg, &[has_upper(4)], RuleAction::Traced),
    watch(libc::SYS_rt_sigtimedwait, &[has(1, u32::MAX)], RuleAction::Traced),
    watch(libc::SYS_rt_sigtimedwait, &[has_upper(1)], RuleAction::Traced),
    // A socket without a port gets one when it sends something.
    watch(libc::SYS_sendto, &[has(4, u32::MAX)], RuleAction::Notified),
    watch(libc::SYS_sendto, &[has_upper(4)], RuleAction::Notified),
];

/// With this argument `personality` changes nothing.
const A_QUESTION: u32 = u32::MAX;

const SOL_SOCKET: c_int = libc::SOL_SOCKET;
const SO_TIMESTAMP_OLD: c_int = 29;
const SO_TIMESTAMPNS_OLD: c_int = 35;
const SO_TIMESTAMPING_OLD: c_int = 37;
const SO_INCOMING_CPU: c_int = 49;
const SO_MEMINFO: c_int = 55;
const SO_COOKIE: c_int = 57;
const SO_TIMESTAMP_NEW: c_int = 63;
const SO_TIMESTAMPNS_NEW: c_int = 64;
const SO_TIMESTAMPING_NEW: c_int = 65;
const SIOCGSTAMP_OLD: c_int = 0x8906;
const SIOCGSTAMPNS_OLD: c_int = 0x8907;
const SIOCGSTAMP_NEW: u32 = 0x8010_8906;
const SIOCGSTAMPNS_NEW: u32 = 0x8010_8907;
const TCP_TIMESTAMP: c_int = 24;
const TCP_CC_INFO: c_int = 26;
const FIBMAP: c_int = 1;
