//! Names files in ways that process 1 may not be able to translate or answer: by paths in memory
//! that only the kernel can read, and by links of `/proc` and descriptors in place of a path.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

use libc::c_long;

use crate::syscall::{answer, call, fill, pointer};

const HERE: c_long = libc::AT_FDCWD as c_long;
const EMPTY: c_long = libc::AT_EMPTY_PATH as c_long;
const FCHMODAT2: c_long = 452;
const PAGE: c_long = 4096;

/// Two times for a file.
static TIMES: [i64; 4] = [12_345, 0, 12_345, 0];

/// Room for what a call returns.
static ROOM: [u64; 512] = [0; 512];

/// A call with a path: its name, its number, its arguments with zeros in place of the path, and the
/// position of the path.
type Way = (&'static str, c_long, [c_long; 6], usize);

/// Lists calls that change the file at the path, or its folder.
fn changes() -> Vec<Way> {
    let (times, name, value) = (TIMES.as_ptr() as c_long, pointer(c"user.a"), pointer(c"b"));
    let new = pointer(c"/out/new");
    vec![
        ("fchmodat", libc::SYS_fchmodat, [HERE, 0, 0o777, 0, 0, 0], 1),
        ("fchmodat2", FCHMODAT2, [HERE, 0, 0o777, 0, 0, 0], 1),
        ("fchownat", libc::SYS_fchownat, [HERE, 0, -1, -1, 0, 0], 1),
        ("utimensat", libc::SYS_utimensat, [HERE, 0, times, 0, 0, 0], 1),
        ("setxattr", libc::SYS_setxattr, [0, name, value, 1, 0, 0], 0),
        ("lsetxattr", libc::SYS_lsetxattr, [0, name, value, 1, 0, 0], 0),
        ("removexattr", libc::SYS_removexattr, [0, name, 0, 0, 0, 0], 0),
        ("truncate", libc::SYS_truncate, [0, 1, 0, 0, 0, 0], 0),
        ("open", libc::SYS_openat, [HERE, 0, libc::O_WRONLY.into(), 0, 0, 0], 1),
        ("link", libc::SYS_linkat, [HERE, 0, HERE, new, 0, 0], 1),
        ("rename", libc::SYS_renameat2, [HERE, 0, HERE, new, 0, 0], 1),
        ("unlink", libc::SYS_unlinkat, [HERE, 0, 0, 0, 0, 0], 1),
        #[cfg(target_arch = "x86_64")]
        ("chmod", libc::SYS_chmod, [0, 0o777, 0, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("chown", libc::SYS_chown, [0, -1, -1, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("lchown", libc::SYS_lchown, [0, -1, -1, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("utimes", libc::SYS_utimes, [0, times, 0, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("utime", libc::SYS_utime, [0, times, 0, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("futimesat", libc::SYS_futimesat, [HERE, 0, times, 0, 0, 0], 1),
        #[cfg(target_arch = "x86_64")]
        ("creat", libc::SYS_creat, [0, 0o666, 0, 0, 0, 0], 0),
    ]
}

/// Lists calls that read about the file at the path, or open it.
fn looks() -> Vec<Way> {
    let room = ROOM.as_ptr() as c_long;
    let path = c_long::from(libc::O_PATH);
    vec![
        ("look", libc::SYS_openat, [HERE, 0, 0, 0, 0, 0], 1),
        ("path", libc::SYS_openat, [HERE, 0, path, 0, 0, 0], 1),
        ("newfstatat", libc::SYS_newfstatat, [HERE, 0, room, 0, 0, 0], 1),
        ("statx", libc::SYS_statx, [HERE, 0, 0, 0x7ff, room, 0], 1),
        ("faccessat", libc::SYS_faccessat, [HERE, 0, 0, 0, 0, 0], 1),
        ("faccessat2", libc::SYS_faccessat2, [HERE, 0, 0, 0, 0, 0], 1),
        ("statfs", libc::SYS_statfs, [0, room, 0, 0, 0, 0], 0),
        ("listxattr", libc::SYS_listxattr, [0, 0, 0, 0, 0, 0], 0),
        ("readlink", libc::SYS_readlinkat, [HERE, 0, room, 4096, 0, 0], 1),
        ("chdir", libc::SYS_chdir, [0, 0, 0, 0, 0, 0], 0),
        ("execve", libc::SYS_execve, [0, 0, 0, 0, 0, 0], 0),
        ("execveat", libc::SYS_execveat, [HERE, 0, 0, 0, 0, 0], 1),
        #[cfg(target_arch = "x86_64")]
        ("stat", libc::SYS_stat, [0, room, 0, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("lstat", libc::SYS_lstat, [0, room, 0, 0, 0, 0], 0),
        #[cfg(target_arch = "x86_64")]
        ("access", libc::SYS_access, [0, 0, 0, 0, 0, 0], 0),
    ]
}

fn try_all(memory: &str, what: &str, ways: Vec<Way>, address: c_long) {
    for (name, number, mut arguments, at) in ways {
        arguments[at] = address;
        println!("{memory} {what} {name} {}", answer(number, &arguments));
    }
}

/// Names an input and a file of the host by paths in memory that other processes can't read.
pub(crate) fn unreadable(input: &str, host: &str) {
    let tries = |memory: &str, page: c_long| {
        for (what, path) in [("input", input), ("host", host)] {
            fill(page, &[path.as_bytes(), b"\0"].concat());
            try_all(memory, what, changes(), page);
        }
        try_all(memory, "host", looks(), page);
    };
    // This comes first, because every attempt may replace this program by another one.
    tries("write-only", mapped(libc::PROT_WRITE));
    if let Some(page) = secret_page() {
        tries("secret", page);
    }
    println!("undumpable - prctl {}", answer(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE.into(), 0]));
    tries("undumpable", mapped(libc::PROT_READ | libc::PROT_WRITE));
}

fn mapped(protection: i32) -> c_long {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    call(libc::SYS_mmap, &[0, PAGE, protection.into(), flags.into(), -1, 0]).unwrap()
}

/// Returns a page that is not even in the kernel's own map, if the kernel supports this.
fn secret_page() -> Option<c_long> {
    const MEMFD_SECRET: c_long = 447;
    let file = call(MEMFD_SECRET, &[0]).ok()?;
    call(libc::SYS_ftruncate, &[file, PAGE]).ok()?;
    let both = c_long::from(libc::PROT_READ | libc::PROT_WRITE);
    let arguments = [0, PAGE, both, libc::MAP_SHARED.into(), file, 0];
    call(libc::SYS_mmap, &arguments).ok()
}

/// Puts other arguments than paths into memory that only the kernel can read, or nobody at all. The
/// program must continue after each call.
pub(crate) fn fault() {
    let page = mapped(libc::PROT_WRITE);
    fill(page, &[0; 64]);
    let room = ROOM.as_ptr() as c_long;
    for (memory, at) in [("write-only", page), ("none", 64), ("end", -4)] {
        let calls: &[(&str, c_long, &[c_long])] = &[
            ("stat", libc::SYS_newfstatat, &[HERE, at, room, 0]),
            ("nanosleep", libc::SYS_nanosleep, &[at, 0]),
            ("ppoll", libc::SYS_ppoll, &[0, 0, at, 0, 8]),
            ("setitimer", libc::SYS_setitimer, &[0, at, 0]),
            ("recvmmsg", libc::SYS_recvmmsg, &[-1, room, 1, 0, at]),
            ("bind", libc::SYS_bind, &[-1, at, 16]),
            ("getcwd", libc::SYS_getcwd, &[64, 4096]),
        ];
        for (name, number, arguments) in calls {
            println!("{memory} {name} {}", answer(*number, arguments));
        }
    }
}

/// Changes a file without a path that says where it is: by links of `/proc`, by its descriptor, and
/// as the working directory.
pub(crate) fn links(path: &str) {
    let file = File::open(path).unwrap();
    let fd = file.as_raw_fd();
    let number = std::process::id();
    for folder in ["/proc/self", "/proc/thread-self", "/dev", &format!("/proc/{number}")] {
        by_path(&format!("{folder}/fd/{fd}"));
    }
    by_path(&format!("/proc/self/task/{number}/fd/{fd}"));
    let folder = File::open("/proc/self/fd").unwrap();
    let name = CString::new(fd.to_string()).unwrap();
    for (what, number, mut arguments, at) in changes().into_iter().filter(|way| way.3 == 1) {
        (arguments[0], arguments[at]) = (folder.as_raw_fd().into(), name.as_ptr() as c_long);
        if what == "link" {
            arguments[4] = libc::AT_SYMLINK_FOLLOW.into();
        }
        println!("relative {what} {}", answer(number, &arguments));
    }
    by_descriptor("descriptor", fd.into());
    if file.metadata().unwrap().is_dir() {
        std::env::set_current_dir(path).unwrap();
        for link in ["/proc/self/cwd", "/proc/thread-self/cwd", "/proc/self/cwd/.", "."] {
            by_path(link);
        }
        by_descriptor("here", HERE);
        std::env::set_current_dir("/").unwrap();
    }
    // A thread may have its own descriptors, and "self" is not the thread.
    thread::scope(|scope| scope.spawn(|| by_path_of_process(fd)).join().unwrap());
}

fn by_path_of_process(fd: i32) {
    if call(libc::SYS_unshare, &[libc::CLONE_FILES.into()]).is_ok() {
        let own = File::create("/out/own").unwrap();
        call(libc::SYS_dup3, &[own.as_raw_fd().into(), fd.into(), 0]).unwrap();
        by_path(&format!("/proc/self/fd/{fd}"));
    }
}

fn by_path(path: &str) {
    try_path(path, changes());
}

fn try_path(path: &str, ways: Vec<Way>) {
    let text = CString::new(path).unwrap();
    for (what, number, mut arguments, at) in ways {
        arguments[at] = text.as_ptr() as c_long;
        if what == "link" {
            arguments[4] = libc::AT_SYMLINK_FOLLOW.into();
        }
        println!("{path} {what} {}", answer(number, &arguments));
    }
}

/// Becomes another program that is named only by its descriptor.
pub(crate) fn start(program: &str) {
    let file = File::open(program).unwrap();
    let arguments = [pointer(c"started"), pointer(c"by descriptor"), 0];
    let (list, none) = (arguments.as_ptr() as c_long, arguments[2..].as_ptr() as c_long);
    let fd = c_long::from(file.as_raw_fd());
    println!("plain {}", answer(libc::SYS_execveat, &[fd, pointer(c""), list, none, 0]));
    println!("empty {}", answer(libc::SYS_execveat, &[fd, pointer(c""), list, none, EMPTY]));
}

/// Makes the call with an empty path and with a null.
fn by_descriptor(what: &str, fd: c_long) {
    let (empty, times) = (pointer(c""), TIMES.as_ptr() as c_long);
    let calls: &[(&str, c_long, &[c_long])] = &[
        ("fchmod", libc::SYS_fchmod, &[fd, 0o777]),
        ("fchmodat2", FCHMODAT2, &[fd, empty, 0o777, EMPTY]),
        ("fchown", libc::SYS_fchown, &[fd, -1, -1]),
        ("fchownat", libc::SYS_fchownat, &[fd, empty, -1, -1, EMPTY]),
        ("utimensat", libc::SYS_utimensat, &[fd, empty, times, EMPTY]),
        ("futimens", libc::SYS_utimensat, &[fd, 0, times, 0]),
        ("link", libc::SYS_linkat, &[fd, empty, HERE, pointer(c"/out/new"), EMPTY]),
        ("fsetxattr", libc::SYS_fsetxattr, &[fd, pointer(c"user.a"), pointer(c"b"), 1, 0]),
    ];
    for (name, number, arguments) in calls {
        println!("{what} {name} {}", answer(*number, arguments));
    }
}

/// Names a file by a link in a folder whose path is too long for the kernel to return. The folder
/// is created here.
pub(crate) fn deep(path: &str) {
    const DEPTH: usize = 12;
    let here = fs::canonicalize(".").unwrap();
    let [one, other] = ["d", "e"].map(|name| name.repeat(200));
    for name in [&one, &other] {
        std::env::set_current_dir(&here).unwrap();
        for _ in 0..DEPTH {
            fs::create_dir(name).unwrap();
            std::env::set_current_dir(name).unwrap();
        }
    }
    std::os::unix::fs::symlink(path, "link").unwrap();
    let top = here.to_str().unwrap();
    fs::rename(
        format!("{top}/{other}"),
        format!("{top}/{}{other}", format!("{one}/").repeat(DEPTH)),
    )
    .unwrap();
    let followed = |way: &Way| !["unlink", "rename", "lchown"].contains(&way.0);
    for link in ["link", "./link"] {
        try_path(link, changes().into_iter().filter(followed).collect());
    }
    std::env::set_current_dir("/").unwrap();
}

/// Opens a file by a relative path while another thread replaces the first byte, which makes it the
/// path of a file of the host. Prints whether that file was ever opened.
pub(crate) fn race(host: &str) {
    let path: &'static [AtomicU8] = Vec::leak(host.bytes().chain([0]).map(AtomicU8::new).collect());
    path[0].store(b'x', Ordering::Relaxed);
    let address = path.as_ptr() as c_long;
    let _toggle = thread::spawn(|| {
        loop {
            path[0].store(b'/', Ordering::Relaxed);
            path[0].store(b'x', Ordering::Relaxed);
        }
    });
    let mut is_won = false;
    for _ in 0..20_000 {
        let Ok(fd) = call(libc::SYS_openat, &[HERE, address, 0, 0]) else { continue };
        let mut bytes = [0_u8; 8];
        let length = call(libc::SYS_read, &[fd, bytes.as_mut_ptr() as c_long, 8]).unwrap();
        call(libc::SYS_close, &[fd]).unwrap();
        is_won |= &bytes[..length as usize] == b"secret";
        if is_won {
            break;
        }
    }
    println!("{}", if is_won { "won" } else { "lost" });
}
