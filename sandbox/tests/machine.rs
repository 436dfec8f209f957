//! Prints what describes the machine and the moment, besides clocks and random numbers, with one
//! line for each fact.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use std::fs::{self, File};
use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use libc::c_long;

use crate::syscall::{answer, call, fork};

/// Prints everything, with the files of `/proc` if that is wanted. `/out` must be writable.
pub(crate) fn machine(with_files: bool) {
    let fact = |name: &str, value: &dyn std::fmt::Debug| println!("{name} {value:?}");
    timers(&fact);
    children(&fact);
    sockets(&fact);
    numbers(&fact);
    disks(&fact);
    scheduling(&fact);
    if with_files {
        files(&fact);
    }
}

type Fact<'a> = &'a dyn Fn(&str, &dyn std::fmt::Debug);

fn at(bytes: &impl Sized) -> c_long {
    std::ptr::from_ref(bytes) as c_long
}

/// Uses the processor for a while.
fn work() {
    let mut sum = 0_u64;
    for number in 0..3_000_000_u64 {
        sum = std::hint::black_box(sum ^ number);
    }
}

fn timers(fact: Fact<'_>) {
    let real = c_long::from(libc::ITIMER_REAL);
    let long = [0_i64, 0, 1000, 5];
    let old = [0_i64; 4];
    call(libc::SYS_setitimer, &[real, at(&long), 0]).unwrap();
    work();
    call(libc::SYS_getitimer, &[real, at(&old)]).unwrap();
    fact("getitimer", &old);
    call(libc::SYS_setitimer, &[real, at(&[0_i64, 0, 500, 0]), at(&old)]).unwrap();
    fact("setitimer", &old);
    #[cfg(target_arch = "x86_64")]
    fact("alarm", &call(libc::SYS_alarm, &[0]));
    let timer = call(libc::SYS_timerfd_create, &[1, 0]).unwrap();
    call(libc::SYS_timerfd_settime, &[timer, 0, at(&long), 0]).unwrap();
    work();
    call(libc::SYS_timerfd_gettime, &[timer, at(&old)]).unwrap();
    fact("timerfd", &old);
    call(libc::SYS_timerfd_settime, &[timer, 0, at(&[0_i64; 4]), at(&old)]).unwrap();
    fact("timerfd-old", &old);
    call(libc::SYS_timerfd_gettime, &[timer, at(&old)]).unwrap();
    fact("timerfd-off", &old);
    let posix = 0_i32;
    let none = [0_i32, 0, 0, libc::SIGEV_NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    call(libc::SYS_timer_create, &[1, at(&none), at(&posix)]).unwrap();
    call(libc::SYS_timer_settime, &[posix.into(), 0, at(&long), 0]).unwrap();
    work();
    call(libc::SYS_timer_gettime, &[posix.into(), at(&old)]).unwrap();
    fact("timer", &old);
    // This timeout is not needed, because there is something to read.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let poll = [reader.as_raw_fd(), i32::from(libc::POLLIN)];
    let timeout = [9_i64, 0];
    call(libc::SYS_ppoll, &[at(&poll), 1, at(&timeout), 0, 8]).unwrap();
    fact("ppoll", &timeout);
    // A signal comes when half of the time is left.
    let sleeper = Command::new("/bin/sh")
        .args(["-c", "sleep 1 & trap 'echo caught' USR1; kill -USR1 $$; wait; echo awake"])
        .stdout(Stdio::piped())
        .spawn();
    fact("sleeper", &sleeper.unwrap().wait_with_output().unwrap().stdout);
}

fn children(fact: Fact<'_>) {
    fork(work);
    let (status, usage) = (0_i32, [0_i64; 18]);
    let child = call(libc::SYS_wait4, &[-1, at(&status), 0, at(&usage)]).unwrap();
    fact("wait4", &usage);
    fact("wait4-status", &(child > 0, status));
    fork(work);
    let usage = [0_i64; 18];
    call(libc::SYS_waitid, &[0, 0, 0, 4, at(&usage)]).unwrap();
    fact("waitid", &usage);
    let own = [0_i64; 18];
    call(libc::SYS_getrusage, &[-1, at(&own)]).unwrap();
    fact("getrusage", &own);
    // This is what the signal's description says.
    let child = 1_u64 << (libc::SIGCHLD - 1);
    call(libc::SYS_rt_sigprocmask, &[0, at(&child), 0, 8]).unwrap();
    fork(work);
    let told = [0_i64; 16];
    call(libc::SYS_rt_sigtimedwait, &[at(&child), at(&told), 0, 8]).unwrap();
    fact("signal", &[told[4], told[5]]);
    call(libc::SYS_wait4, &[-1, 0, 0, 0]).unwrap();
}

fn sockets(fact: Fact<'_>) {
    let Ok(any) = UdpSocket::bind("127.0.0.1:0") else { return };
    let on = 1_i32;
    for option in [29, 35, 37, 63, 64, 65] {
        let arguments = [any.as_raw_fd().into(), 1, option, at(&on), 4];
        fact(&format!("timestamp-{option}"), &answer(libc::SYS_setsockopt, &arguments));
    }
    for request in [0x8906, 0x8907, 0x8010_8906, 0x8010_8907] {
        let value = [0_i64; 2];
        let arguments = [any.as_raw_fd().into(), request, at(&value)];
        fact(&format!("stamp-{request}"), &answer(libc::SYS_ioctl, &arguments));
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    fact("udp-port", &any.local_addr().unwrap());
    fact("tcp-port", &listener.local_addr().unwrap());
    fact("own-port", &stream.local_addr().unwrap());
    let six = TcpListener::bind("[::1]:0").map(|listener| listener.local_addr().unwrap());
    fact("tcp6-port", &six.ok());
    let fixed = TcpListener::bind("127.0.0.1:8080").unwrap();
    fact("chosen-port", &fixed.local_addr().unwrap());
    let unbound = call(libc::SYS_socket, &[2, 2, 0]).unwrap();
    let to = any.local_addr().unwrap();
    let address =
        [2, 0, (to.port() >> 8) as u8, to.port() as u8, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    call(libc::SYS_sendto, &[unbound, at(b"x"), 1, 0, at(&address), 16]).unwrap();
    let mut byte = [0];
    fact("sender", &any.recv_from(&mut byte).unwrap());
    let value = [0_u8; 232];
    let length = 232_i32;
    let arguments = [stream.as_raw_fd().into(), 6, 11, at(&value), at(&length)];
    fact("tcp-info", &answer(libc::SYS_getsockopt, &arguments));
}

fn numbers(fact: Fact<'_>) {
    let (reader, _writer) = std::io::pipe().unwrap();
    let fd = reader.as_raw_fd();
    let link = |path: &str| fs::read_link(path).unwrap().to_str().unwrap().to_owned();
    let inode = File::from(OwnedFd::from(reader.try_clone().unwrap())).metadata().unwrap().ino();
    let pipe = link(&format!("/proc/self/fd/{fd}"));
    fact("pipe", &pipe);
    fact("pipe-inode", &(format!("pipe:[{inode}]") == pipe));
    std::env::set_current_dir("/proc/self/fd").unwrap();
    fact("relative-pipe", &(link(&fd.to_string()) == pipe));
    std::env::set_current_dir("/").unwrap();
    fact(
        "namespaces",
        &["net", "pid", "mnt", "user"].map(|name| link(&format!("/proc/self/ns/{name}"))),
    );
    fact("own-name", &(link("/proc/self/exe"), link("/proc/self/cwd")));
    for path in ["/proc/self/fd", "/dev/null", "/proc/meminfo", "/proc/self"] {
        let data = fs::metadata(path).unwrap();
        fact(&format!("stat-{path}"), &(data.ino(), data.dev(), data.mtime(), data.ctime()));
    }
    fact("rseq", &answer(libc::SYS_rseq, &[0, 0, 0, 0]));
    let cpu = 7_u32;
    call(libc::SYS_getcpu, &[at(&cpu), 0, 0]).unwrap();
    fact("getcpu", &cpu);
}

fn disks(fact: Fact<'_>) {
    let told = [0_u64; 15];
    for path in [c"/", c"/out", c"/tmp", c"/proc"] {
        call(libc::SYS_statfs, &[path.as_ptr() as c_long, at(&told)]).unwrap();
        fact(&format!("statfs-{}", path.to_str().unwrap()), &told);
    }
    fact("statfs-missing", &answer(libc::SYS_statfs, &[c"/nowhere".as_ptr() as c_long, at(&told)]));
    fs::write("/out/file", vec![1; 70_000]).unwrap();
    let file = File::options().read(true).write(true).open("/out/file").unwrap();
    file.set_len(1 << 20).unwrap();
    let fd = c_long::from(file.as_raw_fd());
    call(libc::SYS_fstatfs, &[fd, at(&told)]).unwrap();
    fact("fstatfs", &told);
    for whence in [3, 4] {
        fact(&format!("seek-{whence}"), &call(libc::SYS_lseek, &[fd, 0, whence]));
    }
    let value = [0_u64; 32];
    let requests =
        [0x8008_6601, 0xc020_660b, 0x801c_581f, 0x8008_7601, 0x8011_1500, 0x8100_9431, 0x8080_1501];
    for request in requests {
        let answer = answer(libc::SYS_ioctl, &[fd, request, at(&value)]);
        fact(&format!("file-{request:x}"), &(answer, value));
    }
    let extended = [0_u64; 32];
    let all = 0x7fff_ffff;
    call(libc::SYS_statx, &[fd, c"".as_ptr() as c_long, 0x1000, all, at(&extended)]).unwrap();
    fact("statx", &extended);
}

fn scheduling(fact: Fact<'_>) {
    fact("nice", &call(libc::SYS_getpriority, &[0, 0]));
    fact("scheduler", &call(libc::SYS_sched_getscheduler, &[0]));
    fact("disk-priority", &call(libc::SYS_ioprio_get, &[1, 0]));
    let attributes = [0_u64; 8];
    call(libc::SYS_sched_getattr, &[0, at(&attributes), 64, 0]).unwrap();
    fact("attributes", &attributes);
    let limits: Vec<[u64; 2]> = (0..16)
        .map(|resource| {
            let limit = [0_u64; 2];
            call(libc::SYS_prlimit64, &[0, resource, 0, at(&limit)]).unwrap();
            limit
        })
        .collect();
    fact("limits", &limits);
    fact("personality", &call(libc::SYS_personality, &[0xffff_ffff]));
    fact("another-personality", &call(libc::SYS_personality, &[0]));
    let child = Command::new("/bin/cat").arg("/proc/self/maps").output().unwrap().stdout;
    fact("child", &String::from_utf8(child).unwrap().lines().next().map(str::to_owned));
}

/// Prints everything in `/proc` that is not about this process's memory.
fn files(fact: Fact<'_>) {
    let mut names: Vec<String> = Vec::new();
    for (folder, depth) in [("/proc", 3), ("/proc/self", 1), ("/proc/self/fdinfo", 1)] {
        collect(folder, depth, &mut names);
    }
    for name in names {
        let Ok(file) = File::open(&name) else { continue };
        let mut start = Vec::new();
        // A file that can't be read prints nothing.
        let _ = file.take(1 << 16).read_to_end(&mut start);
        fact(&format!("file:{name}"), &String::from_utf8_lossy(&start));
    }
}

fn collect(folder: &str, depth: usize, names: &mut Vec<String>) {
    // These files show the content and the addresses of memory.
    const MEMORY: &[&str] = &[
        "auxv",
        "clear_refs",
        "environ",
        "mem",
        "pagemap",
        "smaps",
        "smaps_rollup",
        "kcore",
        "kmsg",
        "ksm_stat",
        "ksm_merging_pages",
    ];
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let is_number = folder == "/proc" && name.bytes().all(|byte| byte.is_ascii_digit());
        let kind = entry.file_type().unwrap();
        if is_number || MEMORY.contains(&name.as_str()) || kind.is_symlink() {
            continue;
        }
        let path = format!("{folder}/{name}");
        match kind.is_dir() {
            true if depth > 1 => collect(&path, depth - 1, names),
            true => {}
            false => names.push(path),
        }
    }
}
