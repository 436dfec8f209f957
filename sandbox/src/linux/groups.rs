//! Control groups: limits that the kernel itself enforces, where the caller may create groups. See
//! `cgroups(7)`, version 2.
//!
//! A group with processes of its own can't limit others, so the groups of commands stand beside that of
//! the caller: below the one that has it, if that is the caller's to divide (a session of systemd, a
//! container with a group of its own, a machine's root).

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};

use super::plan::PlannedLimits;

/// Where the groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// Begins the name of the group of a sandbox; the caller's number and a count follow.
const NAME: &str = "run-sandbox-";

/// What a group of a sandbox has to offer.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The group of a sandbox, which has one for each of its commands.
#[derive(Debug)]
pub(super) struct Groups {
    folder: PathBuf,
    count: AtomicU64,
}

/// The group of a command.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    /// The folder, to start a process in it.
    pub fd: OwnedFd,
}

impl Groups {
    /// `None` if this process may create none, or none that limits memory.
    pub(super) fn create() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        // The group of version 2 comes first or alone, as number 0.
        let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?.to_owned();
        let own = Path::new(ROOT).join(own);
        let beside = own.parent().filter(|parent| parent.starts_with(ROOT));
        [Some(own.as_path()), beside]
            .into_iter()
            .flatten()
            .find_map(|place| Self::below(place).ok())
    }

    fn below(place: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let offered = fs::read_to_string(place.join("cgroup.subtree_control"))?;
        if !CONTROLLERS.iter().all(|name| offered.split_whitespace().any(|other| other == *name)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        sweep(place);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = place.join(format!("{NAME}{}-{count}", std::process::id()));
        fs::create_dir(&folder)?;
        let groups = Self { folder, count: AtomicU64::new(0) };
        let enabled = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
        fs::write(groups.folder.join("cgroup.subtree_control"), enabled)?;
        Ok(groups)
    }

    /// A group for a command with these limits, and one process more.
    pub(super) fn group(&self, limits: &PlannedLimits) -> io::Result<Group> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let folder = self.folder.join(number.to_string());
        fs::create_dir(&folder)?;
        let group = Group { fd: File::open(&folder)?.into(), folder };
        let set = |name: &str, value: u64| fs::write(group.folder.join(name), value.to_string());
        if let Some(memory) = limits.bounds.memory {
            set("memory.max", memory)?;
            // All of it ends then, and not whichever process is the largest.
            set("memory.oom.group", 1)?;
            match set("memory.swap.max", 0) {
                // There is no swap on this machine.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        set("pids.max", limits.processes + 1)?;
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // Empty by now; if not, the next sandbox removes it.
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Group {
    /// Whether the kernel has ended a process of it for want of memory.
    pub(super) fn was_short(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        let kills = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills.is_some_and(|count| count != "0")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes what killed callers have left.
fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME)?.split('-').next());
        let pid = number.and_then(|number| number.parse().ok()).and_then(Pid::from_raw);
        if pid.is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
            let commands = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            commands.for_each(|command| _ = fs::remove_dir(command.path()));
            let _ = fs::remove_dir(entry.path());
        }
    }
}
