//! Contains the code of this binary for the inside of a sandbox: it tries something and prints the
//! result.
#![expect(clippy::print_stdout, reason = "the test reads standard output")]

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::process::{Command, Stdio};
use std::ptr;
use std::sync::{Condvar, Mutex, mpsc};
use std::thread::{self, available_parallelism, sleep};
use std::time::{Duration, Instant, SystemTime};

use crate::syscall::{answer, fork, name, pointer};
use crate::{attacks, hoard, machine, sockets, ways};

pub(crate) fn run(what: &str, words: &[&str]) {
    match what {
        "system-calls" => system_calls(words[0].parse().unwrap()),
        "writes" => words.iter().for_each(|path| writes(path)),
        "reads" => words.iter().for_each(|path| say(path, fs::read(path))),
        "connect" => connect(words),
        "listen" => listen(words[0]),
        "around" => around(words[0]),
        "changes" => changes(words[0]),
        "threads" => threads(words[0]),
        "unmaps" => unmaps(words[0]),
        "spawn" => spawn(words[0].parse().unwrap()),
        "start" => start(),
        "eat" => eat(words[0].parse().unwrap(), words[1].parse().unwrap()),
        "facts" => facts(words[0]),
        "waits" => waits(),
        "nest" => nest(words[0].parse().unwrap()),
        "machine" => machine::machine(words.contains(&"files")),
        "set-id" => attacks::set_id(),
        "leases" => attacks::leases(words[0]),
        "settings" => attacks::settings(),
        "others" => attacks::others(words[0]),
        "disarm" => attacks::disarm(words[0].parse().unwrap()),
        "filters" => attacks::filters(words[0]),
        "unreadable" => ways::unreadable(words[0], words[1]),
        "fault" => ways::fault(),
        "links" => ways::links(words[0]),
        "by-descriptor" => ways::start(words[0]),
        "deep" => ways::deep(words[0]),
        "race" => ways::race(words[0]),
        "pairs" => sockets::pairs(words[0], words[1]),
        "hoard" => hoard::hoard(words[0], words[1].parse().unwrap(), words[2].parse().unwrap()),
        "share" => share(words[0].parse().unwrap(), words[1].parse().unwrap()),
        _ => panic!("there is no probe {what}"),
    }
}

fn say<T>(what: &str, result: io::Result<T>) {
    let verdict = match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => name(error.raw_os_error().unwrap_or(0)),
    };
    println!("{what} {verdict}");
}

/// Makes calls that could lead out of the sandbox or change the machine.
fn system_calls(host_pid: i64) {
    let root = pointer(c"/");
    let tmp = pointer(c"/tmp");
    let null_device = 0x103;
    let character_device = i64::from(libc::S_IFCHR | 0o666);
    let at = i64::from(libc::AT_FDCWD);
    let calls: &[(&str, i64, &[i64])] = &[
        ("mount", libc::SYS_mount, &[pointer(c"none"), tmp, pointer(c"tmpfs"), 0, 0]),
        ("remount", libc::SYS_mount, &[0, root, 0, (libc::MS_REMOUNT | libc::MS_BIND) as i64, 0]),
        ("umount", libc::SYS_umount2, &[tmp, i64::from(libc::MNT_DETACH)]),
        ("pivot_root", libc::SYS_pivot_root, &[tmp, tmp]),
        ("chroot", libc::SYS_chroot, &[tmp]),
        ("open_tree", libc::SYS_open_tree, &[at, root, 1]),
        ("mknod", libc::SYS_mknodat, &[at, pointer(c"/tmp/null"), character_device, null_device]),
        ("setns", libc::SYS_setns, &[0, 0]),
        ("open_by_handle_at", libc::SYS_open_by_handle_at, &[at, 0, 0]),
        ("unshare user", libc::SYS_unshare, &[i64::from(libc::CLONE_NEWUSER)]),
        ("unshare mounts", libc::SYS_unshare, &[i64::from(libc::CLONE_NEWNS)]),
        ("unshare network", libc::SYS_unshare, &[i64::from(libc::CLONE_NEWNET)]),
        ("setuid", libc::SYS_setuid, &[0]),
        ("setgid", libc::SYS_setgid, &[0]),
        ("setgroups", libc::SYS_setgroups, &[0, 0]),
        ("kill host", libc::SYS_kill, &[host_pid, 0]),
        ("ptrace init", libc::SYS_ptrace, &[i64::from(libc::PTRACE_SEIZE), 1, 0, 0]),
        ("read init", libc::SYS_process_vm_readv, &[1, 0, 0, 0, 0, 0]),
        ("ptrace me", libc::SYS_ptrace, &[i64::from(libc::PTRACE_TRACEME)]),
        ("keyctl", libc::SYS_keyctl, &[0, -3, 0]),
        ("bpf", libc::SYS_bpf, &[0, 0, 0]),
        ("perf_event_open", libc::SYS_perf_event_open, &[0, 0, -1, -1, 0]),
        ("userfaultfd", libc::SYS_userfaultfd, &[0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, &[1, 0]),
        ("kexec_load", libc::SYS_kexec_load, &[0, 0, 0, 0]),
        ("init_module", libc::SYS_init_module, &[0, 0, 0]),
        ("reboot", libc::SYS_reboot, &[0, 0, 0]),
        ("clock_settime", libc::SYS_clock_settime, &[0, 0]),
        ("sethostname", libc::SYS_sethostname, &[root, 1]),
        ("syslog", libc::SYS_syslog, &[10, 0, 0]),
        ("raise limit", libc::SYS_setrlimit, &[libc::RLIMIT_CORE as i64, RAISED.as_ptr() as i64]),
        ("netlink", libc::SYS_socket, &[i64::from(libc::AF_NETLINK), i64::from(libc::SOCK_RAW), 0]),
        ("vsock", libc::SYS_socket, &[i64::from(libc::AF_VSOCK), i64::from(libc::SOCK_STREAM), 0]),
        ("alg", libc::SYS_socket, &[i64::from(libc::AF_ALG), i64::from(libc::SOCK_SEQPACKET), 0]),
        ("packet", libc::SYS_socket, &[i64::from(libc::AF_PACKET), i64::from(libc::SOCK_RAW), 0]),
        ("raw", libc::SYS_socket, &[i64::from(libc::AF_INET), i64::from(libc::SOCK_RAW), 1]),
        ("unix", libc::SYS_socket, &[i64::from(libc::AF_UNIX), i64::from(libc::SOCK_STREAM), 0]),
    ];
    for (name, number, arguments) in calls {
        println!("{name} {}", answer(*number, arguments));
    }
}

/// A resource limit above every hard limit of the sandbox.
static RAISED: [u64; 2] = [1 << 30, 1 << 30];

/// Tries every way to change a file or folder.
fn writes(path: &str) {
    let at_start = SystemTime::UNIX_EPOCH;
    if fs::metadata(path).unwrap().is_dir() {
        say("create", File::create(format!("{path}/new")));
        say("mkdir", fs::create_dir(format!("{path}/new")));
        say("symlink", std::os::unix::fs::symlink("a", format!("{path}/new")));
    } else {
        say("write", OpenOptions::new().write(true).open(path));
        say("truncate", OpenOptions::new().write(true).truncate(true).open(path));
        say("unlink", fs::remove_file(path));
        say("rename", fs::rename(path, format!("{path}.new")));
        let value = rustix::fs::setxattr(path, "user.a", b"", rustix::fs::XattrFlags::empty());
        say("setxattr", value.map_err(Into::into));
    }
    say("chmod", fs::set_permissions(path, Permissions::from_mode(0o777)));
    say("utimes", File::open(path).and_then(|file| file.set_modified(at_start)));
}

fn connect(words: &[&str]) {
    for word in words {
        let (kind, address) = word.split_once('=').unwrap();
        match kind {
            "tcp" => say(word, TcpStream::connect(address)),
            "udp" => say(
                word,
                UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", address)),
            ),
            "abstract" => {
                let address = SocketAddr::from_abstract_name(address).unwrap();
                say(word, UnixStream::connect_addr(&address));
            }
            _ => say(word, UnixStream::connect(address)),
        }
    }
}

/// Starts a sandbox inside the sandbox, or wherever this runs.
fn start() {
    match sandbox::Sandbox::start() {
        Ok(_) => println!("started"),
        Err(error) => println!("{error}: {}\n{}", error.cause, error.remedy()),
    }
}

/// Tries to go around the translation of paths: names a file of the host in calls that look as if
/// they had been translated.
fn around(path: &str) {
    let translated = 0x7275_6e21;
    let path = std::ffi::CString::new(path).unwrap();
    let at = i64::from(libc::AT_FDCWD);
    let room = [0_u64; 64];
    let stat = [at, path.as_ptr() as i64, room.as_ptr() as i64, 0, 0, translated];
    let plain = [at, path.as_ptr() as i64, 0, 0, 0, translated];
    println!("openat {}", answer(libc::SYS_openat, &plain));
    println!("newfstatat {}", answer(libc::SYS_newfstatat, &stat));
    println!("faccessat {}", answer(libc::SYS_faccessat, &plain));
}

/// Tries every way to change the metadata of an open file.
fn changes(path: &str) {
    let file = File::open(path).unwrap();
    say("fchmod", file.set_permissions(Permissions::from_mode(0o777)));
    say("futimens", file.set_modified(SystemTime::UNIX_EPOCH));
    say("fchown", std::os::unix::fs::fchown(&file, None, None));
    let value = rustix::fs::fsetxattr(&file, "user.a", b"", rustix::fs::XattrFlags::empty());
    say("fsetxattr", value.map_err(Into::into));
}

/// Unmaps the memory that translated paths are written to.
fn unmaps(path: &str) {
    const BEGIN: i64 = 0x6000_0000_0000;
    const EACH: i64 = 1 << 20;
    say("before", fs::read(path));
    println!("unmapped {}", answer(libc::SYS_munmap, &[BEGIN, 0x1_0000 * EACH]));
    say("after", fs::read(path));
}

/// Runs many threads, each with its own files.
fn threads(folder: &str) {
    let work = |number: usize| {
        let file = format!("{folder}/{}{number}", "long".repeat(number));
        for round in 0..100 {
            fs::write(&file, format!("{number} {round}")).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), format!("{number} {round}"));
            fs::rename(&file, format!("{file}.renamed")).unwrap();
            assert!(fs::metadata(&file).is_err());
            fs::rename(format!("{file}.renamed"), &file).unwrap();
        }
    };
    thread::scope(|scope| (0..16).for_each(|number| _ = scope.spawn(move || work(number))));
    println!("{}", fs::read_dir(folder).unwrap().count());
}

/// Connects to its own server.
fn listen(address: &str) {
    let listener = TcpListener::bind(address);
    say("connect", listener.and_then(|listener| TcpStream::connect(listener.local_addr()?)));
}

/// Creates this many folders inside each other, and in the last one some that nobody may enter. No
/// path has to be longer than half of it.
fn nest(depth: usize) {
    let here = fs::canonicalize(".").unwrap();
    for name in ["d", "e"] {
        std::env::set_current_dir(&here).unwrap();
        for _ in 0..depth / 2 {
            fs::create_dir(name).unwrap();
            std::env::set_current_dir(name).unwrap();
        }
    }
    fs::create_dir("closed").unwrap();
    fs::write("closed/file", "content").unwrap();
    fs::set_permissions("closed", Permissions::from_mode(0o000)).unwrap();
    std::env::set_current_dir(&here).unwrap();
    fs::rename("e", "d/".repeat(depth / 2) + "e").unwrap();
    println!("done");
}

/// Starts processes until no more can be started, but at most `count`.
fn spawn(count: usize) {
    let mut children = Vec::new();
    while children.len() < count {
        match Command::new("sleep").arg("1000").spawn() {
            Ok(child) => children.push(child),
            Err(error) => return say(&children.len().to_string(), Err::<(), _>(error)),
        }
    }
    println!("{count} ok");
}

/// Uses this many MiB in each of this many processes, and stays.
fn eat(mebibytes: usize, processes: usize) {
    for _ in 1..processes {
        fork(|| hold(mebibytes));
    }
    hold(mebibytes);
}

pub(crate) fn hold(mebibytes: usize) {
    let memory = touched(mebibytes);
    sleep(Duration::from_secs(100));
    black_box(memory);
}

/// Uses this many MiB once, shared by this many processes.
fn share(mebibytes: usize, processes: usize) {
    let memory = touched(mebibytes);
    for _ in 0..processes {
        fork(|| sleep(Duration::from_secs(100)));
    }
    sleep(Duration::from_millis(700));
    black_box(memory);
    println!("survived");
}

fn touched(mebibytes: usize) -> Vec<u8> {
    let mut memory = vec![0_u8; mebibytes << 20];
    memory.chunks_mut(4096).for_each(|page| page[0] = 1);
    memory
}

/// Prints what differs from run to run, with one line for each fact. `folder` must hold files.
fn facts(folder: &str) {
    let nanoseconds =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let fact = |name: &str, value: &dyn std::fmt::Debug| println!("{name} {value:?}");
    let mut random = [0_u8; 8];
    answer(libc::SYS_getrandom, &[random.as_mut_ptr() as i64, 8, 0]);
    fact("random", &random);
    fact("hash", &RandomState::new().hash_one(1));
    for device in ["/dev/random", "/dev/urandom"] {
        File::open(device).unwrap().read_exact(&mut random).unwrap();
        fact(device, &random);
    }
    fact("clock", &nanoseconds(SystemTime::now()));
    let mut time = [0_i64; 2];
    answer(libc::SYS_clock_gettime, &[libc::CLOCK_BOOTTIME.into(), time.as_mut_ptr() as i64]);
    fact("raw-clock", &time);
    let begin = Instant::now();
    sleep(Duration::from_millis(20));
    fact("slept", &begin.elapsed());
    File::create("/tmp/new").unwrap();
    for (name, path) in [("new", "/tmp/new"), ("input", folder)] {
        let metadata = fs::symlink_metadata(path).unwrap();
        let times = [metadata.modified(), metadata.accessed(), metadata.created()];
        fact(&format!("{name}-times"), &times.map(|time| time.ok().map(nanoseconds)));
        fact(&format!("{name}-change"), &(metadata.ctime(), metadata.ctime_nsec()));
    }
    let names = |folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    fact("order", &names(folder).collect::<Vec<_>>());
    let local = 0_u8;
    let addresses = [ptr::from_ref(&local), Box::into_raw(Box::new(0_u8)), facts as *const u8];
    fact("addresses", &addresses);
    fact("cpus", &available_parallelism().unwrap());
    let mounts = ["self/mountinfo", "mounts"];
    for file in ["uptime", "meminfo", "loadavg", "version", "sys/kernel/random/uuid"]
        .into_iter()
        .chain(mounts)
    {
        fact(file, &fs::read_to_string(format!("/proc/{file}")).unwrap());
    }
    let relative = Command::new("/bin/cat").arg("mountinfo").current_dir("/proc/self").output();
    fact("relative", &relative.unwrap().stdout);
    // It makes no difference which thread is first.
    let threads =
        [0; 8].map(|_| thread::spawn(|| (RandomState::new().hash_one(1), SystemTime::now())));
    fact("threads", &threads.map(|thread| thread.join().unwrap()));
    let children = [0; 4].map(|_| {
        let mut child = Command::new("/bin/sh");
        child.args(["-c", "od -An -tx1 -N8 /dev/urandom; date +%s.%N; mktemp -u; uname -r"]);
        child.stdout(Stdio::piped()).spawn().unwrap()
    });
    fact("children", &children.map(|child| child.wait_with_output().unwrap().stdout));
}

/// Waits in several ways, all of which come to an end.
fn waits() {
    let begin = Instant::now();
    sleep(Duration::from_millis(5));
    thread::park_timeout(Duration::from_millis(5));
    let (_sender, receiver) = mpsc::channel::<()>();
    receiver.recv_timeout(Duration::from_millis(300)).unwrap_err();
    let (lock, condition) = (Mutex::new(()), Condvar::new());
    let (_guard, result) =
        condition.wait_timeout(lock.lock().unwrap(), Duration::from_secs(1)).unwrap();
    assert!(result.timed_out());
    while begin.elapsed() < Duration::from_millis(500) {}
    let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: 30_000_000 };
    rustix::event::poll(&mut [], Some(&timeout)).unwrap();
    println!("done");
}
