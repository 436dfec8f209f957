//! Replaces those files of each process in `/proc` that describe the machine: lists of mounts with
//! folders of the host, users of the host, processors, times and memory.
//!
//! Each process has its own, so nothing can be mounted over them. A thread that opens such a file
//! gets a file in memory with a fixed text, or with the kernel's text in a changed form.

use std::fmt::Write as _;

use rustix::fs::readlink;
use rustix::process::Pid;

use super::file::FileArgument;
use super::inodes::Inodes;
use super::reply::failed;
use crate::linux::sys::files::in_memory;
use crate::linux::sys::notify::Answer;
use crate::linux::sys::trace::path_at;

/// These files have a fixed text.
const FIXED: &[(&[u8], &str)] = &[
    (b"autogroup", "/autogroup-1 nice 0\n"),
    (b"cgroup", "0::/\n"),
    (b"cpuset", "/\n"),
    (b"gid_map", "      1000       1000          1\n"),
    (
        b"io",
        "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n\
         cancelled_write_bytes: 0\n",
    ),
    (b"latency", ""),
    (b"loginuid", "4294967295"),
    (b"numa_maps", ""),
    (b"oom_adj", "0\n"),
    (b"oom_score", "0\n"),
    (b"oom_score_adj", "0\n"),
    (b"projid_map", ""),
    (b"sched", ""),
    (b"schedstat", "0 0 0\n"),
    (b"sessionid", "4294967295"),
    (b"stack", ""),
    (b"statm", "256 256 256 1 0 256 0\n"),
    (b"syscall", "running\n"),
    (b"timers", ""),
    (b"timerslack_ns", "50000\n"),
    (b"uid_map", "      1000       1000          1\n"),
    (b"wchan", "0"),
];

/// These files list the mounts. There are also such files outside of the processes' folders.
const MOUNTS: &[(&[u8], &str)] = &[
    (b"mountinfo", "1 1 0:1 / / ro - tmpfs tmpfs ro\n"),
    (b"mounts", "tmpfs / tmpfs ro 0 0\n"),
    (b"mountstats", "device tmpfs mounted on / with fstype tmpfs\n"),
    (b"mtab", "tmpfs / tmpfs ro 0 0\n"),
];

/// Holds the arguments of `open`, and the number of CPUs that programs see.
pub(super) struct Open {
    pub file: FileArgument,
    pub is_closed_on_exec: bool,
    pub cpus: u32,
}

/// Answers a thread that opens a file to read it.
pub(super) fn open(pid: Pid, arguments: &Open, inodes: &mut Inodes) -> Answer {
    let &Open { file, is_closed_on_exec, cpus } = arguments;
    let path = match path_at(pid, file.path) {
        Ok(path) => whole(pid, file.folder, path.into_bytes()),
        Err(error) => return failed(error),
    };
    let text = path.and_then(|path| text(pid, &path, cpus, inodes));
    let file = text.and_then(|text| in_memory(c"process", text.as_bytes()).ok());
    match file {
        Some(file) => Answer::Descriptor(file, is_closed_on_exec),
        None => Answer::Continue,
    }
}

/// Returns the whole path, if it lies in `/proc`.
fn whole(pid: Pid, fd: i32, path: Vec<u8>) -> Option<Vec<u8>> {
    let is_below = |path: &[u8]| path.starts_with(b"/proc/") || path == b"/etc/mtab";
    if path.starts_with(b"/") {
        return is_below(&path).then_some(path);
    }
    // Most paths are none of these, so their folder need not be looked up.
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    if !is_named(name) && !path.windows(7).any(|part| part == b"fdinfo/") && !is_number(name) {
        return None;
    }
    let process = pid.as_raw_nonzero();
    let base = match fd {
        libc::AT_FDCWD => format!("/proc/{process}/cwd"),
        fd => format!("/proc/{process}/fd/{fd}"),
    };
    let base = readlink(base, Vec::new()).ok()?.into_bytes();
    (base.starts_with(b"/proc")).then(|| [&base, &b"/"[..], &path].concat())
}

fn is_named(name: &[u8]) -> bool {
    let is_in = |list: &[(&[u8], &str)]| list.iter().any(|(listed, _)| *listed == name);
    is_in(FIXED) || is_in(MOUNTS) || [&b"maps"[..], b"stat", b"status"].contains(&name)
}

fn is_number(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(u8::is_ascii_digit)
}

/// Returns the text to be read at a path of `/proc`, unless it is the kernel's own.
fn text(pid: Pid, path: &[u8], cpus: u32, inodes: &mut Inodes) -> Option<String> {
    let parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let (name, parents) = parts.split_last()?;
    let of = |list: &[(&[u8], &str)]| {
        list.iter().find(|(listed, _)| listed == name).map(|(_, text)| (*text).to_owned())
    };
    if let Some(text) = of(MOUNTS) {
        return Some(text);
    }
    let (owner, is_descriptor) = match parents.split_last()? {
        (&b"fdinfo", rest) => (*rest.last()?, true),
        (owner, _) => (*owner, false),
    };
    let owner = match owner {
        b"self" | b"thread-self" => pid.as_raw_nonzero().to_string(),
        number if is_number(number) => String::from_utf8(number.to_vec()).ok()?,
        _ => return None,
    };
    if let Some(text) = of(FIXED) {
        return Some(text);
    }
    let name = std::str::from_utf8(name).ok()?;
    let kernels = |name: &str| std::fs::read_to_string(format!("/proc/{owner}/{name}")).ok();
    match name {
        _ if is_descriptor => kernels(&format!("fdinfo/{name}")).map(|text| descriptor(&text)),
        "maps" => kernels("maps").map(|text| maps(&text, inodes)),
        "stat" => kernels("stat").and_then(|text| stat(&text)),
        "status" => kernels("status").map(|text| status(&text, cpus)),
        _ => None,
    }
}

/// Keeps the position of a descriptor and how it was opened. Drops its mount and everything that
/// depends on its kind.
fn descriptor(text: &str) -> String {
    let told = ["pos:", "flags:"];
    let lines = text.lines().filter(|line| told.iter().any(|name| line.starts_with(name)));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Replaces the numbers of files. A line has addresses, permissions, offset, device, inode, and
/// perhaps a path.
fn maps(text: &str, inodes: &mut Inodes) -> String {
    let mut mended = String::new();
    for line in text.lines() {
        let mut words = line.splitn(5, ' ');
        let all = (words.next(), words.next(), words.next(), words.next(), words.next());
        let (Some(addresses), Some(permissions), Some(offset), Some(device), Some(rest)) = all
        else {
            continue;
        };
        let (inode, path) = rest.split_once(' ').unwrap_or((rest, ""));
        let (device, inode) =
            numbers(device, inode).map_or((0, 0), |(device, inode)| inodes.of(device, inode));
        let place = format!("{addresses} {permissions} {offset} 00:{device:02x} {inode}");
        let path = path.trim_start();
        let line = if path.is_empty() { place } else { format!("{place:<72} {path}") };
        writeln!(mended, "{line}").expect("a string takes everything");
    }
    mended
}

/// Parses the device and the inode of a file. Returns `None` for what is not a file.
fn numbers(device: &str, inode: &str) -> Option<(u64, u64)> {
    let (major, minor) = device.split_once(':')?;
    let hexadecimal = |text| u32::from_str_radix(text, 16).ok();
    let inode = inode.parse().ok().filter(|inode| *inode != 0)?;
    Some((libc::makedev(hexadecimal(major)?, hexadecimal(minor)?), inode))
}

/// Replaces numbers after the name in parentheses. It keeps what the program is, and its addresses.
/// It replaces what the program has used, when it was started and where it runs.
fn stat(text: &str) -> Option<String> {
    // The fields are numbered from 1, as in proc(5). The first two come before the end of the name.
    const FIXED: &[(usize, &str)] = &[
        (9, "4194304"),
        (10, "0"),
        (11, "0"),
        (12, "0"),
        (13, "0"),
        (14, "0"),
        (15, "0"),
        (16, "0"),
        (17, "0"),
        (18, "20"),
        (19, "0"),
        (21, "0"),
        (22, "100"),
        (23, "1048576"),
        (24, "256"),
        (29, "0"),
        (30, "0"),
        (35, "0"),
        (36, "0"),
        (37, "0"),
        (39, "0"),
        (40, "0"),
        (41, "0"),
        (42, "0"),
        (43, "0"),
        (44, "0"),
    ];
    let end = text.rfind(')')?;
    let (name, rest) = text.split_at(end + 1);
    let mended = rest.split_whitespace().zip(3..).map(|(word, number)| {
        FIXED.iter().find(|(fixed, _)| *fixed == number).map_or(word, |(_, text)| *text)
    });
    Some(format!("{name} {}\n", mended.collect::<Vec<_>>().join(" ")))
}

/// Replaces or keeps the value of each line. Unknown lines are left out.
fn status(text: &str, cpus: u32) -> String {
    const KEPT: &[&str] = &[
        "Name",
        "Umask",
        "State",
        "Tgid",
        "Pid",
        "PPid",
        "Uid",
        "Gid",
        "FDSize",
        "Groups",
        "Threads",
        "SigPnd",
        "ShdPnd",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
    ];
    const MEMORY: &[&str] = &[
        "VmPeak", "VmSize", "VmLck", "VmPin", "VmHWM", "VmRSS", "RssAnon", "RssFile", "RssShmem",
        "VmData", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap",
    ];
    let mut mended = String::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = match name {
            _ if KEPT.contains(&name) => value.to_owned(),
            _ if MEMORY.contains(&name) => "\t    1024 kB".to_owned(),
            "Ngid" | "TracerPid" | "Mems_allowed_list" => "\t0".to_owned(),
            "SigQ" => "\t0/4096".to_owned(),
            "Cpus_allowed" => format!("\t{:x}", (1_u128 << cpus.min(127)) - 1),
            "Cpus_allowed_list" if cpus > 1 => format!("\t0-{}", cpus - 1),
            "Cpus_allowed_list" => "\t0".to_owned(),
            "Mems_allowed" => "\t1".to_owned(),
            "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => "\t0".to_owned(),
            _ => continue,
        };
        writeln!(mended, "{name}:{value}").expect("a string takes everything");
    }
    mended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_keeps_what_the_program_is() {
        let line = format!(
            "7 (a b) c) S 1 7 7 0 -1 {}\n",
            (9..=52).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
        );
        let mended = stat(&line).unwrap();
        assert!(
            mended.starts_with("7 (a b) c) S 1 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 20 0 100 "),
            "{mended}"
        );
        assert!(mended.ends_with(" 50 51 52\n"), "{mended}");
        assert_eq!(mended.split(' ').count(), line.split(' ').count());
    }

    #[test]
    fn maps_have_numbers_of_ours() {
        let text = "00400000-00401000 r-xp 00000000 fe:01 4711                       /usr/bin/a b\n\
                    7f000000-7f001000 rw-p 00000000 00:00 0 \n\
                    7f002000-7f003000 r--p 00000000 fe:01 4711                       /usr/bin/a b\n";
        let mended = maps(text, &mut Inodes::default());
        let lines: Vec<&str> = mended.lines().collect();
        assert!(lines[0].starts_with("00400000-00401000 r-xp 00000000 00:01 1 "), "{mended}");
        assert!(lines[0].ends_with(" /usr/bin/a b") && lines[2].contains(" 00:01 1 "), "{mended}");
        assert_eq!(lines[1], "7f000000-7f001000 rw-p 00000000 00:00 0");
    }

    #[test]
    fn status_has_what_is_known() {
        let text = "Name:\ta\nUid:\t1000\nVmRSS:\t  4711 kB\nTracerPid:\t1\nCpus_allowed:\tff\n\
                    Cpus_allowed_list:\t0-7\nSpeculation_Store_Bypass:\tthread vulnerable\n";
        let expect = "Name:\ta\nUid:\t1000\nVmRSS:\t    1024 kB\nTracerPid:\t0\nCpus_allowed:\tf\n\
                      Cpus_allowed_list:\t0-3\n";
        assert_eq!(status(text, 4), expect);
    }
}
