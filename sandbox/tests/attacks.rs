//! Tries to change what the sandbox itself relies on. The probe makes each attempt and prints the
//! result.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::parent_id;
use std::thread::sleep;
use std::time::Duration;

use libc::c_long;

use crate::syscall::{answer, name, pointer};

/// Tries every way to give a file the bits by which a program runs as its owner.
pub(crate) fn set_id() {
    const FCHMODAT2: c_long = 452;
    let at = c_long::from(libc::AT_FDCWD);
    let file = File::create("/out/file").unwrap();
    let fd = c_long::from(file.as_raw_fd());
    let path = pointer(c"/out/file");
    let (makes, nameless) = (
        c_long::from(libc::O_CREAT | libc::O_WRONLY),
        c_long::from(libc::O_TMPFILE | libc::O_WRONLY),
    );
    let how = [makes as u64, 0o4755, 0];
    let how = how.as_ptr() as c_long;
    let plain = c_long::from(libc::S_IFREG);
    let ways: &[(&str, c_long, &[c_long])] = &[
        ("fchmod", libc::SYS_fchmod, &[fd, 0o4755]),
        ("fchmodat", libc::SYS_fchmodat, &[at, path, 0o2755]),
        ("fchmodat2", FCHMODAT2, &[at, path, 0o4755, 0]),
        ("openat", libc::SYS_openat, &[at, pointer(c"/out/a"), makes, 0o4755]),
        ("nameless", libc::SYS_openat, &[at, pointer(c"/out"), nameless, 0o6755]),
        ("openat2", libc::SYS_openat2, &[at, pointer(c"/out/b"), how, 24]),
        ("mknodat", libc::SYS_mknodat, &[at, pointer(c"/out/c"), plain | 0o2755, 0]),
        ("mkdirat", libc::SYS_mkdirat, &[at, pointer(c"/out/d"), 0o2755]),
        #[cfg(target_arch = "x86_64")]
        ("chmod", libc::SYS_chmod, &[path, 0o6755]),
        #[cfg(target_arch = "x86_64")]
        ("creat", libc::SYS_creat, &[pointer(c"/out/e"), 0o4755]),
        #[cfg(target_arch = "x86_64")]
        ("open", libc::SYS_open, &[pointer(c"/out/f"), makes, 0o4755]),
        #[cfg(target_arch = "x86_64")]
        ("mknod", libc::SYS_mknod, &[pointer(c"/out/g"), plain | 0o4755, 0]),
        #[cfg(target_arch = "x86_64")]
        ("mkdir", libc::SYS_mkdir, &[pointer(c"/out/h"), 0o2755]),
    ];
    for (name, call, arguments) in ways {
        println!("{name} {}", answer(*call, arguments));
    }
    // Other bits are allowed, and a call that opens a file without creating it has no mode.
    let others: &[(&str, c_long, &[c_long])] = &[
        ("sticky", libc::SYS_fchmod, &[fd, 0o1755]),
        ("without-mode", libc::SYS_openat, &[at, path, 0, 0o7777]),
    ];
    for (name, call, arguments) in others {
        println!("{name} {}", answer(*call, arguments));
    }
}

/// Tries every way to change what a file system keeps about a file besides its bytes.
pub(crate) fn settings() {
    let file = File::create("/out/file").unwrap();
    let value = [0_u64; 16];
    let requests = [
        ("flags", 0x4008_6602),
        ("flags-32", 0x4004_6602),
        ("attributes", 0x401c_5820),
        ("version", 0x4008_7602),
        ("verity", 0x4080_6685),
        ("encryption", 0x800c_6613),
        ("subvolume", 0x4008_941a),
        ("label", 0x4100_9432),
        ("fat", 0x4004_7211),
    ];
    for (name, request) in requests {
        let arguments = [c_long::from(file.as_raw_fd()), request, value.as_ptr() as c_long];
        println!("{name} {}", answer(libc::SYS_ioctl, &arguments));
    }
    const FILE_SETATTR: c_long = 469;
    let arguments =
        [c_long::from(libc::AT_FDCWD), pointer(c"/out/file"), value.as_ptr() as c_long, 24, 0];
    println!("new {}", answer(FILE_SETATTR, &arguments));
}

/// Tries every way to make others wait for a file that can be read, or to learn what they do with
/// it.
pub(crate) fn leases(path: &str) {
    const SETDELEG: i32 = 1040;
    const DN_ACCESS: i32 = 1;
    let (file, folder) = (File::open(path).unwrap(), File::open("/").unwrap());
    let ways = [
        ("write", &file, libc::F_SETLEASE, libc::F_WRLCK),
        ("read", &file, libc::F_SETLEASE, libc::F_RDLCK),
        ("delegation", &folder, SETDELEG, libc::F_RDLCK),
        ("notice", &folder, libc::F_NOTIFY, DN_ACCESS),
    ];
    for (name, file, command, argument) in ways {
        let arguments = [file.as_raw_fd().into(), command.into(), c_long::from(argument)];
        println!("{name} {}", answer(libc::SYS_fcntl, &arguments));
    }
}

/// A limit that allows nothing.
static NOTHING: [u64; 2] = [0, 0];

/// Tries every way to change how process 1 or another process may run. "first" stands for process
/// 1.
pub(crate) fn others(who: &str) {
    let number = c_long::from(who.parse().unwrap_or_else(|_| parent_id()));
    let bytes = [0_u64; 8];
    let place = bytes.as_ptr() as c_long;
    let limit = NOTHING.as_ptr() as c_long;
    let processors = [u64::MAX; 16];
    let processors = processors.as_ptr() as c_long;
    let open_files = c_long::from(libc::RLIMIT_NOFILE as i32);
    let ways: &[(&str, c_long, &[c_long])] = &[
        ("limit", libc::SYS_prlimit64, &[number, open_files, limit, 0]),
        ("processors", libc::SYS_sched_setaffinity, &[number, 128, processors]),
        ("scheduler", libc::SYS_sched_setscheduler, &[number, 5, place]),
        ("parameter", libc::SYS_sched_setparam, &[number, place]),
        ("attributes", libc::SYS_sched_setattr, &[number, place, 0]),
        ("nice", libc::SYS_setpriority, &[0, number, 19]),
        ("nice-user", libc::SYS_setpriority, &[2, 0, 19]),
        ("disk", libc::SYS_ioprio_set, &[1, number, 0x6000]),
        ("disk-user", libc::SYS_ioprio_set, &[3, 0, 0x6000]),
        ("trace", libc::SYS_ptrace, &[0x4206, number, 0, 0]),
        ("pages", libc::SYS_move_pages, &[number, 0, 0, 0, 0, 0]),
        ("migrate", libc::SYS_migrate_pages, &[number, 64, place, place]),
        ("compare", libc::SYS_kcmp, &[number, number, 0, 0, 0]),
        ("group", libc::SYS_setpgid, &[number, 0]),
    ];
    for (name, call, arguments) in ways {
        println!("{name} {}", answer(*call, arguments));
    }
}

/// Takes from process 1 what it needs to measure memory, as far as that is possible, and uses this
/// many MiB.
pub(crate) fn disarm(mebibytes: usize) {
    let first = c_long::from(parent_id());
    let limit = NOTHING.as_ptr() as c_long;
    for resource in [libc::RLIMIT_NOFILE, libc::RLIMIT_AS, libc::RLIMIT_DATA, libc::RLIMIT_CPU] {
        answer(libc::SYS_prlimit64, &[first, c_long::from(resource as i32), limit, 0]);
    }
    for signal in 1..=64 {
        let is_deadly_to_those_without_namespace = parent_id() != 1;
        if !is_deadly_to_those_without_namespace {
            answer(libc::SYS_kill, &[first, signal]);
        }
    }
    crate::probe::hold(mebibytes);
    sleep(Duration::from_secs(10));
}

/// Installs filters of the program's own: one with a listener, and one that stops at calls that
/// change files.
pub(crate) fn filters(path: &str) {
    const NEW_LISTENER: c_long = 8;
    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    let install = |flags: c_long, call: c_long, verdict: u32| {
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let jump = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let end = libc::BPF_RET | libc::BPF_K;
        let step = |code: u32, jf, k| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let mut steps = [
            step(load, 0, 0),
            step(jump, 1, call as u32),
            step(end, 0, verdict),
            step(end, 0, ALLOW),
        ];
        let program = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
        answer(libc::SYS_seccomp, &[1, flags, &raw const program as c_long])
    };
    let change = |what: &str| {
        let changed = fs::set_permissions(path, Permissions::from_mode(0o777));
        let error = changed.err().and_then(|error| error.raw_os_error());
        println!("{what} {}", error.map_or("ok".to_owned(), name));
    };
    #[cfg(target_arch = "x86_64")]
    let chmod = libc::SYS_chmod;
    #[cfg(not(target_arch = "x86_64"))]
    let chmod = libc::SYS_fchmodat;
    println!("listener {}", install(NEW_LISTENER, chmod, libc::SECCOMP_RET_USER_NOTIF));
    println!("plain {}", install(0, chmod, libc::SECCOMP_RET_TRACE | 7));
    change("stopped");
    println!("random {}", install(0, libc::SYS_getrandom, libc::SECCOMP_RET_TRACE | 7));
    let mut random = [0_u8; 8];
    answer(libc::SYS_getrandom, &[random.as_mut_ptr() as c_long, 8, 0]);
    println!("bytes {random:?}");
    println!("notified {}", install(0, chmod, libc::SECCOMP_RET_USER_NOTIF));
    change("unanswered");
    let untraced = c_long::from(libc::CLONE_UNTRACED | libc::SIGCHLD);
    println!("untraced {}", clone(untraced));
}

/// Tries to start a process that nobody traces. It ends at once.
fn clone(flags: c_long) -> String {
    let pid = crate::syscall::call(libc::SYS_clone, &[flags, 0, 0, 0, 0]);
    match pid {
        Ok(0) => std::process::exit(0),
        Ok(_) => "ok".into(),
        Err(error) => name(error),
    }
}
