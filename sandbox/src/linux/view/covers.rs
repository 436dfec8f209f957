//! Makes the files and folders that cover those in `/proc` and `/dev` which describe the machine or
//! are random.
//!
//! Programs find what they use, with the same content on every machine. Everything else that a
//! kernel shows in `/proc` besides its processes is empty, also what only later kernels have.

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::OnceLock;

use super::machine::{KERNEL, MEMORY};
use super::random::Random;
use crate::Determinism;

/// `/dev/random` and `/dev/urandom` hold this many bytes.
const RANDOM_BYTES: usize = 256 << 10;

/// Covers a file or folder, if there is one at this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) struct Cover {
    pub path: CString,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::linux) enum Content {
    File(Vec<u8>),
    /// The paths in a folder, outer folders first. A path without content is a folder.
    Folder(Vec<(CString, Option<Vec<u8>>)>),
}

/// Returns all covers, outer folders first. Fails if `/proc` can't be listed.
pub(in crate::linux) fn hide_machine(
    determinism: Determinism,
    cpus: Option<u32>,
    host: &str,
) -> io::Result<Vec<Cover>> {
    let known = known(determinism, cpus, host);
    let mut covers = Vec::new();
    for (path, is_folder) in others()? {
        if !known.iter().any(|cover| cover.path == *path) {
            let content =
                if *is_folder { Content::Folder(Vec::new()) } else { Content::File(Vec::new()) };
            covers.push(Cover { path: path.clone(), content });
        }
    }
    covers.extend(known);
    Ok(covers)
}

/// Returns what lies in `/proc` besides processes and links. The flag is true for folders.
fn others() -> io::Result<&'static [(CString, bool)]> {
    static OTHERS: OnceLock<Vec<(CString, bool)>> = OnceLock::new();
    match OTHERS.get() {
        Some(others) => Ok(others),
        None => list_others().map(|others| OTHERS.get_or_init(|| others).as_slice()),
    }
}

fn list_others() -> io::Result<Vec<(CString, bool)>> {
    let mut others = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        // A process may have ended since it was listed. Then the kernel can't say what its entry
        // is.
        if entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let kind = entry.file_type()?;
        if !kind.is_symlink() {
            let path = CString::new(entry.path().into_os_string().into_vec())?;
            others.push((path, kind.is_dir()));
        }
    }
    others.sort();
    Ok(others)
}

/// Returns the covers that have content.
fn known(determinism: Determinism, cpus: Option<u32>, host: &str) -> Vec<Cover> {
    let cpus = cpus.unwrap_or(determinism.cpus);
    let mut random = Random(determinism.seed ^ u64::from_be_bytes(*b"/dev/ran"));
    let bytes: Vec<u8> = (0..RANDOM_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let (boot, epoch) = (uuid(&mut random), determinism.epoch);
    let memory = MEMORY >> 10;
    let list = |line: fn(u32) -> String| (0..cpus).map(line).collect::<String>();
    let times = "0 0 0 0 0 0 0 0 0 0";
    let cpu_times = list(|cpu| format!("cpu{cpu} 0 0 0 0 0 0 0 0 0 0\n"));
    let texts = [
        ("/proc/cpuinfo", list(|cpu| format!("processor\t: {cpu}\nmodel name\t: run\n\n"))),
        ("/proc/filesystems", "nodev\tproc\nnodev\ttmpfs\n\text4\n".to_owned()),
        ("/proc/loadavg", "0.00 0.00 0.00 1/1 2\n".to_owned()),
        (
            "/proc/meminfo",
            format!(
                "MemTotal:       {memory} kB\nMemFree:        {half} kB\n\
                 MemAvailable:   {half} kB\nSwapTotal:      0 kB\nSwapFree:       0 kB\n",
                half = memory / 2
            ),
        ),
        ("/proc/stat", format!("cpu  {times}\n{cpu_times}ctxt 0\nbtime {epoch}\nprocesses 1\n")),
        ("/proc/uptime", "1.00 1.00\n".to_owned()),
        ("/proc/version", format!("Linux version {KERNEL}\n")),
    ];
    let path = |path: &str| CString::new(path).expect("a plain path");
    let file = |(name, bytes)| Cover { path: path(name), content: Content::File(bytes) };
    let texts = texts.map(|(path, text)| (path, text.into_bytes()));
    let devices = ["/dev/random", "/dev/urandom"].map(|path| (path, bytes.clone()));
    let settings = settings(host, boot, uuid(&mut random));
    let settings = settings
        .into_iter()
        .map(|(name, text)| (path(&format!("/proc/sys/{name}")), text.map(String::into_bytes)));
    let settings = Content::Folder(settings.collect());
    let folder = Cover { path: path("/proc/sys"), content: settings };
    [folder].into_iter().chain(texts.into_iter().chain(devices).map(file)).collect()
}

/// Returns the kernel settings that programs ask for.
fn settings(host: &str, boot: String, uuid: String) -> Vec<(&'static str, Option<String>)> {
    let folder = |name| (name, None);
    let file = |name, text: &str| (name, Some(format!("{text}\n")));
    vec![
        folder("fs"),
        file("fs/file-max", "1048576"),
        file("fs/nr_open", "1048576"),
        file("fs/pipe-max-size", "1048576"),
        folder("fs/inotify"),
        file("fs/inotify/max_user_instances", "128"),
        file("fs/inotify/max_user_watches", "65536"),
        folder("kernel"),
        file("kernel/cap_last_cap", "40"),
        file("kernel/core_pattern", "core"),
        file("kernel/domainname", "(none)"),
        file("kernel/hostname", host),
        file("kernel/ngroups_max", "65536"),
        file("kernel/osrelease", KERNEL),
        file("kernel/ostype", "Linux"),
        file("kernel/overflowgid", "65534"),
        file("kernel/overflowuid", "65534"),
        file("kernel/pid_max", "32768"),
        file("kernel/randomize_va_space", "0"),
        file("kernel/threads-max", "65536"),
        file("kernel/version", "#1"),
        folder("kernel/random"),
        ("kernel/random/boot_id", Some(boot)),
        file("kernel/random/entropy_avail", "256"),
        file("kernel/random/poolsize", "256"),
        ("kernel/random/uuid", Some(uuid)),
        folder("net"),
        folder("net/core"),
        file("net/core/somaxconn", "4096"),
        folder("net/ipv4"),
        file("net/ipv4/ip_local_port_range", "32768\t60999"),
        folder("user"),
        file("user/max_user_namespaces", "0"),
        folder("vm"),
        file("vm/max_map_count", "65530"),
        file("vm/mmap_min_addr", "65536"),
        file("vm/overcommit_memory", "0"),
        file("vm/overcommit_ratio", "50"),
    ]
}

/// Makes a random UUID of version 4 (RFC 9562).
fn uuid(random: &mut Random) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&random.next().to_le_bytes());
    bytes[8..].copy_from_slice(&random.next().to_le_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        let dash = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
        write!(text, "{dash}{byte:02x}").expect("a string takes everything");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_and_the_cpus_are_counted() {
        let files = |seed, cpus| known(Determinism { seed, ..Determinism::at(5) }, cpus, "machine");
        assert_eq!(files(1, None), files(1, Some(Determinism::at(5).cpus)));
        assert_ne!(files(1, None), files(2, None));
        let covers = files(1, Some(3));
        let text = |path: &str| {
            let path = CString::new(path).unwrap();
            let settings = covers.iter().filter_map(|cover| match &cover.content {
                Content::Folder(files) => Some(files),
                Content::File(_) => None,
            });
            let file = covers.iter().find(|cover| cover.path == path);
            let setting = settings.flatten().find(|(name, _)| *name == path);
            let bytes = match (file.map(|file| &file.content), setting) {
                (Some(Content::File(bytes)), _) | (_, Some((_, Some(bytes)))) => bytes.clone(),
                _ => panic!("there is no {path:?}"),
            };
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(text("/proc/cpuinfo").matches("processor").count(), 3);
        assert!(text("/proc/stat").contains("cpu2 0") && text("/proc/stat").contains("btime 5"));
        // gethostname(2) returns the same name: verification builds on hosts with several names.
        assert_eq!(text("/proc/sys/kernel/hostname"), "machine\n");
        assert_eq!(text("/proc/sys/kernel/random/uuid").len(), 37);
        assert_eq!(text("/proc/sys/kernel/random/uuid").as_bytes()[14], b'4');
    }

    #[test]
    fn processes_that_end_meanwhile_do_no_harm() {
        let first = list_others().unwrap();
        std::thread::scope(|scope| {
            let started = scope.spawn(|| {
                for _ in 0..200 {
                    let mut process = std::process::Command::new("true").spawn().unwrap();
                    process.wait().unwrap();
                }
            });
            while !started.is_finished() {
                assert_eq!(list_others().unwrap(), first);
            }
        });
    }

    #[test]
    fn everything_but_processes_is_covered() {
        let covers = hide_machine(Determinism::at(5), None, "machine").unwrap();
        for entry in fs::read_dir("/proc").unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let is_covered =
                covers.iter().any(|cover| cover.path.to_str() == Ok(&format!("/proc/{name}")));
            let is_left = name.bytes().all(|byte| byte.is_ascii_digit())
                || ["self", "thread-self", "mounts", "net"].contains(&name.as_str());
            assert_ne!(is_covered, is_left, "{name}");
        }
        // A folder comes before everything inside it.
        for cover in &covers {
            let Content::Folder(files) = &cover.content else { continue };
            for (index, (file, _)) in files.iter().enumerate() {
                let (parent, _) = file.to_str().unwrap().rsplit_once('/').unwrap();
                let before = files[..index].iter().map(|(path, _)| path).chain([&cover.path]);
                assert!(before.into_iter().any(|path| path.to_str() == Ok(parent)), "{file:?}");
            }
        }
    }
}
