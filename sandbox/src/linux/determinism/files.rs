//! Files that stand in the place of those in `/proc` and `/dev` that tell of the machine, or are
//! random.

use std::ffi::CStr;
use std::fmt::Write as _;

use super::answers::{KERNEL, MEMORY};
use super::thread::Random;
use crate::Determinism;

/// Random bytes that `/dev/random` and `/dev/urandom` hold.
const RANDOM_BYTES: usize = 256 << 10;

/// The files and what they hold.
pub(in crate::linux) fn hide_machine(
    determinism: Determinism,
    cpus: Option<u32>,
) -> Vec<(&'static CStr, Vec<u8>)> {
    let cpus = cpus.unwrap_or(determinism.cpus);
    let mut random = Random(determinism.seed ^ u64::from_be_bytes(*b"/dev/ran"));
    let bytes: Vec<u8> = (0..RANDOM_BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect();
    let (boot, epoch) = (uuid(&mut random), determinism.epoch);
    let memory = MEMORY >> 10;
    let list = |line: fn(u32) -> String| (0..cpus).map(line).collect::<String>();
    let times = "0 0 0 0 0 0 0 0 0 0";
    let cpu_times = list(|cpu| format!("cpu{cpu} 0 0 0 0 0 0 0 0 0 0\n"));
    let texts = [
        (c"/proc/cpuinfo", list(|cpu| format!("processor\t: {cpu}\nmodel name\t: run\n\n"))),
        (c"/proc/loadavg", "0.00 0.00 0.00 1/1 2\n".to_owned()),
        (
            c"/proc/meminfo",
            format!(
                "MemTotal:       {memory} kB\nMemFree:        {half} kB\n\
                 MemAvailable:   {half} kB\nSwapTotal:      0 kB\nSwapFree:       0 kB\n",
                half = memory / 2
            ),
        ),
        (c"/proc/stat", format!("cpu  {times}\n{cpu_times}ctxt 0\nbtime {epoch}\nprocesses 1\n")),
        (c"/proc/uptime", "1.00 1.00\n".to_owned()),
        (c"/proc/version", format!("Linux version {KERNEL}\n")),
        (c"/proc/sys/kernel/osrelease", format!("{KERNEL}\n")),
        (c"/proc/sys/kernel/version", "#1\n".to_owned()),
        (c"/proc/sys/kernel/random/boot_id", boot),
        (c"/proc/sys/kernel/random/uuid", uuid(&mut random)),
    ];
    let texts = texts.into_iter().map(|(path, text)| (path, text.into_bytes()));
    texts.chain([c"/dev/random", c"/dev/urandom"].map(|path| (path, bytes.clone()))).collect()
}

/// A random UUID: RFC 9562, version 4.
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
        let files = |seed, cpus| hide_machine(Determinism { seed, ..Determinism::at(5) }, cpus);
        assert_eq!(files(1, None), files(1, Some(Determinism::at(5).cpus)));
        assert_ne!(files(1, None), files(2, None));
        let text = |path: &CStr| {
            let file = files(1, Some(3)).into_iter().find(|(name, _)| *name == path).unwrap();
            String::from_utf8(file.1).unwrap()
        };
        assert_eq!(text(c"/proc/cpuinfo").matches("processor").count(), 3);
        assert!(text(c"/proc/stat").contains("cpu2 0") && text(c"/proc/stat").contains("btime 5"));
        assert_eq!(text(c"/proc/sys/kernel/random/uuid").len(), 37);
        assert_eq!(text(c"/proc/sys/kernel/random/uuid").as_bytes()[14], b'4');
    }
}
