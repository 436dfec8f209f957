//! Assembles the filter of one command, from the calls that are refused to all commands and those
//! that process 1 handles.

use libc::{
    BPF_JEQ, BPF_JGE, BPF_JSET, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_TRACE,
    SECCOMP_RET_USER_NOTIF, sock_filter,
};

use super::bpf::{ARCH, FIRST_ARGUMENT, LAST_ARGUMENT, NUMBER, answer, errno, jump, load};
use super::rules::{self, Rule};

/// The mark of a call whose path has been translated and which the determinism layer answers next.
/// The mark is the call's last argument: none of these calls has six arguments.
pub(in crate::linux::inside) const TRANSLATED_MARK: u32 = 0x7275_6e21;

/// These calls change the machine or other processes. They are refused like calls that need a
/// privilege.
const NOT_PERMITTED: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// Programs use these calls if they exist, and do without them otherwise. The filter can't see the
/// mode of a file that `openat2` creates, and the newest calls can set what `ioctl` may not.
const NOT_THERE: &[libc::c_long] = &[
    SYS_FILE_GETATTR,
    SYS_FILE_SETATTR,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_openat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
];

/// These calls are newer than `libc`.
const SYS_FILE_GETATTR: libc::c_long = 468;
const SYS_FILE_SETATTR: libc::c_long = 469;

/// Sockets of these families stay within the namespaces.
const FAMILIES: [libc::c_int; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the system call filter needs this architecture's number");

/// Calls from this number on belong to the x32 table, in which every call has another number.
const X32: u32 = 0x4000_0000;

/// Without namespaces, the first of these lists uses what all processes of the machine share, and
/// the second changes others. They are refused as if they did not exist, and as if a privilege was
/// missing.
const SHARED: &[libc::c_long] =
    &[libc::SYS_mq_open, libc::SYS_mq_unlink, libc::SYS_msgget, libc::SYS_semget, libc::SYS_shmget];
const OTHERS: &[libc::c_long] = &[libc::SYS_unshare];

/// Lists the calls that process 1 handles.
#[derive(Clone, Copy, Default)]
pub(in crate::linux) struct FilterInput<'a> {
    /// Process 1 answers these calls.
    pub notified: &'a [libc::c_long],
    /// These calls stop for the tracer.
    pub traced: &'a [libc::c_long],
    /// These calls stop for the translation of paths. If they are also in the list `notified`,
    /// process 1 answers them after that.
    pub translated: &'a [libc::c_long],
    /// These rules refuse or handle further calls, depending on their arguments.
    pub rules: &'a [Rule],
    /// True if there are no namespaces, so that the filter has to keep the command from the
    /// network and from other processes.
    pub is_sole_guard: bool,
}

/// Assembles the filter.
pub(in crate::linux) fn filter(watched: FilterInput<'_>) -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCH),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        answer(SECCOMP_RET_KILL_PROCESS),
        load(NUMBER),
        jump(BPF_JGE, X32, 0, 1),
        answer(errno(libc::ENOSYS)),
    ];
    let is_traced = !watched.traced.is_empty() || !watched.translated.is_empty();
    let rules = rules::ALWAYS
        .iter()
        .chain(watched.translated.is_empty().then_some(rules::OF_PROCESS_ONE).into_iter().flatten())
        .chain(is_traced.then_some(rules::UNTRACED).into_iter().flatten())
        .chain(watched.is_sole_guard.then_some(rules::SOLE_GUARD).into_iter().flatten())
        .chain(watched.rules);
    program.extend(rules.flat_map(Rule::assemble));
    program.extend(watched.translated.iter().flat_map(|&call| translated(call, watched.notified)));
    let mut on = |calls: &[libc::c_long], verdict: u32| {
        for &call in calls {
            program.extend([jump(BPF_JEQ, call as u32, 0, 1), answer(verdict)]);
        }
    };
    on(watched.notified, SECCOMP_RET_USER_NOTIF);
    on(watched.traced, SECCOMP_RET_TRACE);
    if watched.is_sole_guard {
        on(SHARED, errno(libc::ENOSYS));
        on(OTHERS, errno(libc::EPERM));
        on(&[libc::SYS_socket], errno(libc::EACCES));
    }
    on(NOT_PERMITTED, errno(libc::EPERM));
    on(NOT_THERE, errno(libc::ENOSYS));
    // An ordinary user keeps its groups when it enters a user namespace. This hides them: the call
    // succeeds and returns no groups.
    on(&[libc::SYS_getgroups], errno(0));
    if watched.is_sole_guard {
        program.extend(no_namespaces());
    }
    program.extend(socket_families());
    program.push(answer(SECCOMP_RET_ALLOW));
    program
}

/// Stops at a call whose path is to be translated. With the mark, it is answered if it is in
/// `notified`.
fn translated(call: libc::c_long, notified: &[libc::c_long]) -> Vec<sock_filter> {
    let call_is = |skip| jump(BPF_JEQ, call as u32, 0, skip);
    let stop = answer(SECCOMP_RET_TRACE);
    match notified.contains(&call) {
        true => vec![
            call_is(4),
            load(LAST_ARGUMENT),
            jump(BPF_JEQ, TRANSLATED_MARK, 0, 1),
            answer(SECCOMP_RET_USER_NOTIF),
            stop,
        ],
        false => vec![call_is(1), stop],
    }
}

/// Allows `clone` if it creates no namespace.
fn no_namespaces() -> [sock_filter; 5] {
    const NAMESPACES: libc::c_int = libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWUTS;
    [
        jump(BPF_JEQ, libc::SYS_clone as u32, 0, 4),
        load(FIRST_ARGUMENT),
        jump(BPF_JSET, NAMESPACES as u32, 0, 1),
        answer(errno(libc::EPERM)),
        answer(SECCOMP_RET_ALLOW),
    ]
}

/// Allows `socket` only for [`FAMILIES`].
fn socket_families() -> Vec<sock_filter> {
    let count = FAMILIES.len() as u8;
    let mut block =
        vec![jump(BPF_JEQ, libc::SYS_socket as u32, 0, count + 2), load(FIRST_ARGUMENT)];
    for (after, family) in (0..count).rev().zip(FAMILIES) {
        block.push(jump(BPF_JEQ, family as u32, after + 1, 0));
    }
    block.push(answer(errno(libc::EAFNOSUPPORT)));
    block
}

#[cfg(test)]
mod tests {
    use libc::{BPF_ALU, BPF_AND, BPF_JMP, BPF_K, BPF_RET};

    use super::*;

    const WATCHED: FilterInput<'_> = FilterInput {
        notified: &[libc::SYS_getrandom],
        traced: &[libc::SYS_nanosleep],
        translated: &[],
        rules: &[],
        is_sole_guard: false,
    };

    fn verdict(arch: u32, number: i64, first_argument: i32) -> u32 {
        verdict_of(WATCHED, arch, number, [first_argument as u32, 0])
    }

    /// Runs the filter for a call with this first and this last argument.
    fn verdict_of(
        watched: FilterInput<'_>,
        arch: u32,
        number: i64,
        [first, last]: [u32; 2],
    ) -> u32 {
        run(watched, arch, number, [first.into(), 0, 0, 0, 0, last.into()])
    }

    /// Runs the filter as the kernel would.
    fn run(watched: FilterInput<'_>, arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
        let program = filter(watched);
        let (mut at, mut value) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let code = u32::from(code);
            let skip = |holds: bool| usize::from(if holds { jt } else { jf });
            at += 1 + match code {
                _ if code == BPF_RET | BPF_K => return k,
                _ if code == BPF_JMP | BPF_JEQ | BPF_K => skip(value == k),
                _ if code == BPF_JMP | BPF_JGE | BPF_K => skip(value >= k),
                _ if code == BPF_JMP | BPF_JSET | BPF_K => skip(value & k != 0),
                _ if code == BPF_ALU | BPF_AND | BPF_K => {
                    value &= k;
                    0
                }
                _ => {
                    value = match k {
                        ARCH => arch,
                        NUMBER => number as u32,
                        _ => {
                            let argument = arguments[(k as usize - 16) / 8];
                            if k % 8 == 0 { argument as u32 } else { (argument >> 32) as u32 }
                        }
                    };
                    0
                }
            };
        }
    }

    #[test]
    fn verdicts_without_namespaces() {
        let watched = FilterInput {
            notified: &[libc::SYS_openat, libc::SYS_getrandom],
            traced: &[],
            translated: &[libc::SYS_openat, libc::SYS_chdir],
            rules: &[],
            is_sole_guard: true,
        };
        let check = |number, arguments, expect| {
            let found = verdict_of(watched, ARCHITECTURE, number, arguments);
            assert_eq!(found, expect, "{number} {arguments:?}");
        };
        check(libc::SYS_openat, [0, 0], SECCOMP_RET_TRACE);
        check(libc::SYS_openat, [0, TRANSLATED_MARK], SECCOMP_RET_USER_NOTIF);
        check(libc::SYS_chdir, [0, TRANSLATED_MARK], SECCOMP_RET_TRACE);
        check(libc::SYS_getrandom, [0, 0], SECCOMP_RET_USER_NOTIF);
        check(libc::SYS_read, [0, 0], SECCOMP_RET_ALLOW);
        check(libc::SYS_socket, [libc::AF_UNIX as u32, 0], errno(libc::EACCES));
        check(libc::SYS_shmget, [0, 0], errno(libc::ENOSYS));
        check(libc::SYS_clone3, [0, 0], errno(libc::ENOSYS));
        check(libc::SYS_clone, [libc::SIGCHLD as u32, 0], SECCOMP_RET_ALLOW);
        let namespace = (libc::SIGCHLD | libc::CLONE_NEWUSER) as u32;
        check(libc::SYS_clone, [namespace, 0], errno(libc::EPERM));
        check(libc::SYS_mount, [0, 0], errno(libc::EPERM));
    }

    #[test]
    fn verdicts_for_sockets_without_namespaces() {
        let alone = FilterInput { translated: &[libc::SYS_chdir], is_sole_guard: true, ..WATCHED };
        let check = |number, arguments: [u64; 6], expect| {
            let found = run(alone, ARCHITECTURE, number, arguments);
            assert_eq!(found, expect, "{number} {arguments:x?}");
        };
        let (refused, allowed) = (errno(libc::EACCES), SECCOMP_RET_ALLOW);
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        for (kind, expect) in [
            (libc::SOCK_STREAM, allowed),
            (libc::SOCK_SEQPACKET, allowed),
            (libc::SOCK_DGRAM, refused),
            (libc::SOCK_RAW, refused),
            (libc::SOCK_RDM, refused),
            (0, refused),
            (0xf, refused),
        ] {
            check(libc::SYS_socketpair, [1, kind as u64, 0, 0, 0, 0], expect);
            check(libc::SYS_socketpair, [1, (kind | flags) as u64, 0, 0, 0, 0], expect);
        }
        check(libc::SYS_bind, [3, 4, 5, 0, 0, 0], refused);
        check(libc::SYS_connect, [3, 4, 5, 0, 0, 0], refused);
        check(libc::SYS_sendto, [3, 4, 5, 0, 0, 0], allowed);
        check(libc::SYS_sendto, [3, 4, 5, 0, 6, 2], refused);
        check(libc::SYS_sendto, [3, 4, 5, 0, 6 << 32, 2], refused);
    }

    #[test]
    fn verdicts_for_arguments() {
        let namespaces = |number, arguments| run(WATCHED, ARCHITECTURE, number, arguments);
        let check = |number, arguments: &[u64], expect| {
            let mut all = [0; 6];
            all[..arguments.len()].copy_from_slice(arguments);
            assert_eq!(namespaces(number, all), expect, "{number} {arguments:x?}");
        };
        let (refused, allowed) = (errno(libc::EPERM), SECCOMP_RET_ALLOW);
        check(libc::SYS_fchmod, &[3, 0o4755], refused);
        check(libc::SYS_fchmod, &[3, 0o1777], allowed);
        check(libc::SYS_fchmodat, &[3, 0, 0o2755], refused);
        check(libc::SYS_fchmodat, &[3, 0o6000, 0o755], allowed);
        check(452, &[3, 0, 0o4000], refused);
        let (make, nameless) = (libc::O_CREAT as u64, libc::O_TMPFILE as u64);
        check(libc::SYS_openat, &[3, 0, make, 0o4755], refused);
        check(libc::SYS_openat, &[3, 0, nameless, 0o2755], refused);
        // A call that creates no file ignores its mode, so the register may hold anything.
        check(libc::SYS_openat, &[3, 0, libc::O_DIRECTORY as u64, 0o6755], allowed);
        check(libc::SYS_mknodat, &[3, 0, 0o104_755], refused);
        check(libc::SYS_openat2, &[], errno(libc::ENOSYS));
        check(libc::SYS_seccomp, &[1, 8], errno(libc::EINVAL));
        check(libc::SYS_seccomp, &[1, 0x28], errno(libc::EINVAL));
        check(libc::SYS_seccomp, &[1, 1], allowed);
        check(libc::SYS_seccomp, &[3, 0], allowed);
        for request in
            [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4008_7602, 0x4080_6685, 0x800c_6613]
        {
            check(libc::SYS_ioctl, &[3, request], refused);
            check(libc::SYS_ioctl, &[3, request | 0xffff_ffff_0000_0000], refused);
        }
        // These read flags, share blocks, or are for terminals.
        for request in [0x8008_6601, 0xc020_660b, 0x4004_9409, 0x4020_940d, 0x5401, 0x5421] {
            check(libc::SYS_ioctl, &[3, request], allowed);
        }
        for command in [libc::F_SETLEASE, libc::F_NOTIFY, 1040] {
            check(libc::SYS_fcntl, &[3, command as u64], refused);
        }
        for command in [libc::F_GETLEASE, libc::F_SETLK, libc::F_DUPFD_CLOEXEC] {
            check(libc::SYS_fcntl, &[3, command as u64], allowed);
        }
        check(libc::SYS_socketpair, &[30, 1], errno(libc::EAFNOSUPPORT));
        check(libc::SYS_socketpair, &[1, 2], allowed);
        check(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, 0], errno(0));
        check(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE as u64, 1], allowed);
        for call in [libc::SYS_prlimit64, libc::SYS_sched_setaffinity, libc::SYS_sched_setscheduler]
        {
            check(call, &[1], refused);
            check(call, &[0], allowed);
            check(call, &[2], allowed);
        }
        check(libc::SYS_setpriority, &[0, 1], refused);
        check(libc::SYS_setpriority, &[2, 1000], refused);
        check(libc::SYS_setpriority, &[0, 0], allowed);
        check(libc::SYS_ioprio_set, &[3, 0], refused);
        // The commands of these tests are traced.
        check(libc::SYS_clone3, &[], errno(libc::ENOSYS));
        check(libc::SYS_clone, &[libc::CLONE_UNTRACED as u64], refused);
        let untraced = FilterInput { notified: &[], traced: &[], ..WATCHED };
        assert_eq!(run(untraced, ARCHITECTURE, libc::SYS_clone3, [0; 6]), allowed);
    }

    #[test]
    fn verdicts() {
        let check = |number, argument, expect| {
            assert_eq!(verdict(ARCHITECTURE, number, argument), expect, "{number} {argument}");
        };
        check(libc::SYS_openat, 0, SECCOMP_RET_ALLOW);
        check(libc::SYS_ptrace, 0, SECCOMP_RET_ALLOW);
        check(libc::SYS_getrandom, 0, SECCOMP_RET_USER_NOTIF);
        check(libc::SYS_nanosleep, 0, SECCOMP_RET_TRACE);
        check(libc::SYS_acct, 0, errno(libc::EPERM));
        check(libc::SYS_vhangup, 0, errno(libc::EPERM));
        check(libc::SYS_io_uring_setup, 0, errno(libc::ENOSYS));
        check(libc::SYS_getgroups, 0, errno(0));
        for family in FAMILIES {
            check(libc::SYS_socket, family, SECCOMP_RET_ALLOW);
        }
        for family in [libc::AF_NETLINK, libc::AF_VSOCK, libc::AF_PACKET, libc::AF_ALG, -1] {
            check(libc::SYS_socket, family, errno(libc::EAFNOSUPPORT));
        }
        check(i64::from(X32) + libc::SYS_openat, 0, errno(libc::ENOSYS));
        assert_eq!(verdict(0x4000_0003, libc::SYS_openat, 0), SECCOMP_RET_KILL_PROCESS);
    }
}
