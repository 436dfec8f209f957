//! Creates control groups (version 2, see `cgroups(7)`), where the caller may do so. The kernel
//! itself enforces their limits.
//!
//! A group that has processes of its own can't limit its subgroups. So the groups of commands lie
//! beside the caller's group, in the group above it. The caller may create them there in a session
//! of systemd, in a container with its own group, and as the root of a machine.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};

use crate::linux::wire::plan::PlannedLimits;

/// The groups lie in this folder.
const ROOT: &str = "/sys/fs/cgroup";

/// The name of a sandbox's group begins with this. The caller's process number and a count follow.
const NAME: &str = "run-sandbox-";

/// A sandbox's group has to offer these controllers.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];

/// The group of a sandbox, which holds a group for each of its commands.
#[derive(Debug)]
pub(super) struct Groups {
    folder: PathBuf,
    count: AtomicU64,
}

/// The group of one command.
#[derive(Debug)]
pub(super) struct Group {
    folder: PathBuf,
    /// The descriptor of the group's folder, by which a process is started in the group.
    pub fd: OwnedFd,
}

impl Groups {
    /// Creates the group. Returns `None` if this process may create none, or if none would limit
    /// memory.
    pub(super) fn create() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        // The line of version 2 begins with the number 0.
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

    /// Creates a group for a command with these limits and for one process more, which is process
    /// 1.
    pub(super) fn group(&self, limits: &PlannedLimits) -> io::Result<Group> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let folder = self.folder.join(number.to_string());
        fs::create_dir(&folder)?;
        let group = Group { fd: File::open(&folder)?.into(), folder };
        let set = |name: &str, value: u64| fs::write(group.folder.join(name), value.to_string());
        if let Some(memory) = limits.bounds.memory {
            set("memory.max", memory)?;
            // Out of memory, the kernel then kills the whole group, and not only the largest
            // process.
            set("memory.oom.group", 1)?;
            match set("memory.swap.max", 0) {
                // This machine has no swap.
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
        // The group is empty by now. If not, the next sandbox removes it.
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Group {
    /// Returns whether the kernel has killed a process of the group because it had no memory left.
    pub(super) fn was_out_of_memory(&self) -> bool {
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

/// Removes the groups of callers that were killed.
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
