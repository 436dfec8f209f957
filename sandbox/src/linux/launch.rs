//! The spawner's half of starting a command: open what is to be mounted, get everything ready that
//! would need an allocation later, clone, and say who the clone is.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::sock_filter;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{FileType, fstat};
use rustix::io::write;
use rustix::mount::MountAttrFlags;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, pidfd_send_signal};
use rustix::thread::{CpuSet, sched_getaffinity};

use super::child;
use super::determinism::{Cover, Layer, hide_machine};
use super::identity::Account;
use super::init::Bounds;
use super::plan::{Plan, PlannedKind, PlannedLimits, PlannedMount};
use super::stage::{Stage, open_source, set_attributes};
use super::step::{At, Failure, Step};
use super::sys::{self, StringList};
use crate::{Determinism, View};

/// The standard streams that come with a request.
pub(super) struct Streams {
    pub stdin: Option<OwnedFd>,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// Everything the cloned process needs, so that it has nothing to do but call the kernel.
pub(super) struct Prepared {
    pub programs: Vec<CString>,
    pub argv: StringList,
    pub env: StringList,
    pub cwd: CString,
    pub mounts: Vec<PreparedMount>,
    pub may_drop_groups: bool,
    pub tmp_options: CString,
    pub limits: Vec<(Resource, Rlimit)>,
    pub bounds: Bounds,
    pub cpus: Option<CpuSet>,
    pub view: View,
    /// The number before that of the first process, if that is not as it comes.
    pub last_process: Option<String>,
    /// The fixed files of `/etc`.
    pub system_files: Vec<(CString, String)>,
    pub determinism: Option<Deterministic>,
    pub trial: bool,
    /// Readable once the maps of the user namespace are written.
    pub mapped: OwnedFd,
}

/// What the determinism layer needs.
pub(super) struct Deterministic {
    pub settings: Determinism,
    /// The number of CPUs that the limits name.
    pub cpus: Option<u32>,
    /// What stands in the place of files that tell of the machine.
    pub covers: Vec<Cover>,
}

pub(super) struct PreparedMount {
    pub target: CString,
    /// The folders that lead to it, outermost first.
    pub parents: Vec<CString>,
    pub kind: PreparedKind,
}

pub(super) enum PreparedKind {
    Folder,
    /// Attached nowhere yet.
    Tree {
        tree: OwnedFd,
        is_folder: bool,
    },
    Scratch {
        lower: OwnedFd,
        upper: OwnedFd,
    },
    Symlink(CString),
}

/// What the clone takes over from the spawner.
#[derive(Clone, Copy)]
pub(super) struct Inherited<'a> {
    /// Where reports go.
    pub channel: BorrowedFd<'a>,
    pub streams: &'a Streams,
    /// The system call filter.
    pub filter: &'a [sock_filter],
    /// The spawner, to see whether it still lives.
    pub spawner: BorrowedFd<'a>,
    /// The control group that it starts in, if it has one of its own.
    pub group: Option<BorrowedFd<'a>>,
}

/// Starts the command. What goes wrong later is reported by the clone itself.
pub(super) fn launch(
    stage: &mut Stage,
    plan: Plan,
    inherited: Inherited<'_>,
) -> Result<(Pid, OwnedFd), Failure> {
    let (account, user) = (plan.account, plan.view.user);
    let prepared = Prepared::new(stage, plan)?;
    let clone = || child::become_command(&prepared, inherited);
    let (pid, pidfd) =
        sys::clone_into(sys::ALL_NAMESPACES, inherited.group, clone).at(Step::Clone)?;
    let mapped = stage
        .map_account(pid, (user, user), account)
        .and_then(|()| write(&prepared.mapped, &1_u64.to_ne_bytes()));
    if let Err(error) = mapped {
        // The clone would wait for ever.
        pidfd_send_signal(&pidfd, Signal::KILL).at(Step::IdMap)?;
        sys::wait4(Some(pid), 0).at(Step::IdMap)?;
        return Err(Failure::new(Step::IdMap, error));
    }
    Ok((pid, pidfd))
}

impl Prepared {
    fn new(stage: &mut Stage, plan: Plan) -> Result<Self, Failure> {
        let bounds = plan.bounds();
        let mounts = prepare_mounts(stage, plan.mounts, plan.account)?;
        let (cpus, host) = (plan.limits.cpu_count(), &plan.view.host);
        let determinism = plan.determinism.map(|settings| Deterministic::new(settings, cpus, host));
        let determinism = determinism.transpose()?;
        Ok(Self {
            programs: plan.programs,
            argv: StringList::new(plan.argv),
            env: StringList::new(plan.env),
            cwd: plan.cwd,
            mounts,
            may_drop_groups: !plan.account.is_caller,
            tmp_options: tmp_options(plan.limits.tmp_bytes),
            limits: resource_limits(&plan.limits),
            bounds,
            cpus: plan.limits.cpus.map(cpu_set).transpose().at(Step::Cpus)?,
            last_process: last_process(&plan.view),
            system_files: system_files(&plan.view),
            view: plan.view,
            determinism,
            trial: plan.trial,
            mapped: eventfd(0, EventfdFlags::CLOEXEC).at(Step::Request)?,
        })
    }
}

impl Deterministic {
    fn new(settings: Determinism, cpus: Option<u32>, host: &str) -> Result<Self, Failure> {
        let covers = hide_machine(settings, cpus, host);
        let covers = covers.map_err(|error| Failure::from_io(Step::HideMachine, &error))?;
        Ok(Self { settings, cpus, covers })
    }

    /// The layer of a command whose calls arrive there.
    pub(super) fn begin(&self, listener: BorrowedFd<'static>) -> Layer {
        Layer::new(self.settings, self.cpus, listener)
    }
}

/// Opens all sources in the host tree, and leaves it in any case.
fn prepare_mounts(
    stage: &mut Stage,
    mounts: Vec<PlannedMount>,
    account: Account,
) -> Result<Vec<PreparedMount>, Failure> {
    stage.enter_host().at(Step::HostTree)?;
    let prepare = |(index, mount)| {
        PreparedMount::new(stage, mount, account)
            .map_err(|failure: Failure| failure.of_mount(index))
    };
    let prepared = mounts.into_iter().enumerate().map(prepare).collect();
    if stage.leave_host().is_err() {
        // To clone here would show the host's files. All that runs ends with us.
        sys::exit(1);
    }
    prepared
}

impl PreparedMount {
    fn new(stage: &mut Stage, mount: PlannedMount, account: Account) -> Result<Self, Failure> {
        let kind = match mount.kind {
            PlannedKind::Folder => PreparedKind::Folder,
            PlannedKind::ReadOnly(source) => read_only(stage, &source, account)?.0,
            PlannedKind::Writable(source) => PreparedKind::Tree {
                tree: open(&source, MountAttrFlags::empty())?,
                is_folder: true,
            },
            PlannedKind::Scratch { lower, upper } => scratch(stage, &lower, &upper, account)?,
            PlannedKind::Symlink(to) => PreparedKind::Symlink(to),
        };
        Ok(Self { parents: parents(&mount.target), target: mount.target, kind })
    }
}

/// The tree, and whether its owner reads as the sandbox's user.
fn read_only(
    stage: &mut Stage,
    source: &CStr,
    account: Account,
) -> Result<(PreparedKind, bool), Failure> {
    let tree = open(source, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    let is_owned = stage.map_owner(tree.as_fd(), account).at(Step::MapOwner)?;
    let is_folder = FileType::from_raw_mode(fstat(&tree).at(Step::Open)?.st_mode).is_dir();
    Ok((PreparedKind::Tree { tree, is_folder }, is_owned))
}

/// An overlay can only write to what belongs to the sandbox's user, so the lower tree must.
fn scratch(
    stage: &mut Stage,
    lower: &CStr,
    upper: &CStr,
    account: Account,
) -> Result<PreparedKind, Failure> {
    match read_only(stage, lower, account)? {
        (PreparedKind::Tree { tree, .. }, true) => {
            Ok(PreparedKind::Scratch { lower: tree, upper: open(upper, MountAttrFlags::empty())? })
        }
        _ => Err(Failure::new(Step::MapOwner, rustix::io::Errno::OPNOTSUPP)),
    }
}

fn open(source: &CStr, attributes: MountAttrFlags) -> Result<OwnedFd, Failure> {
    let tree = open_source(source).at(Step::Open)?;
    let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    set_attributes(&tree, attributes | safe).at(Step::MakeReadOnly)?;
    Ok(tree)
}

/// `/a/b/c` → `/a`, `/a/b`.
fn parents(target: &CStr) -> Vec<CString> {
    let bytes = target.to_bytes();
    let slashes = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    slashes.filter_map(|(end, _)| CString::new(&bytes[..end]).ok()).collect()
}

fn last_process(view: &View) -> Option<String> {
    let first = view.first_process;
    (first != View::STANDARD.first_process).then(|| (first - 1).to_string())
}

fn system_files(view: &View) -> Vec<(CString, String)> {
    let file = |(path, content)| (CString::new(path).expect("a plain path"), content);
    view.system_files().into_iter().map(file).collect()
}

/// Options of the tmpfs for `/tmp`: as many files as there are pages, within reason.
fn tmp_options(bytes: u64) -> CString {
    // To the kernel, a size of 0 is no limit.
    let bytes = bytes.max(4096);
    let inodes = (bytes / 4096).clamp(1024, 1 << 20);
    CString::new(format!("mode=0755,size={bytes},nr_inodes={inodes}")).expect("digits hold no NUL")
}

/// The size of a core file for which the kernel makes none and starts nobody to take it: with a limit of 0, a
/// program of the host that takes core files from a pipe (`kernel.core_pattern`) runs all the same, as root.
pub(super) const CORE: Option<u64> = Some(1);

/// The same for every command, whatever the caller's own limits are, as long as those are not
/// lower.
pub(super) fn resource_limits(limits: &PlannedLimits) -> Vec<(Resource, Rlimit)> {
    let mebibyte = 1 << 20;
    let wanted = [
        (Resource::Core, CORE),
        (Resource::Nproc, Some(limits.processes + 1)),
        (Resource::Nofile, Some(limits.open_files)),
        (Resource::Fsize, limits.file_size),
        (Resource::Stack, Some(8 * mebibyte)),
        (Resource::Memlock, Some(8 * mebibyte)),
        (Resource::Sigpending, Some(4096)),
        (Resource::Msgqueue, Some(819_200)),
        (Resource::Nice, Some(0)),
        (Resource::Rtprio, Some(0)),
        (Resource::Rttime, None),
        (Resource::Locks, None),
        (Resource::As, None),
        (Resource::Cpu, None),
        (Resource::Data, None),
        (Resource::Rss, None),
    ];
    wanted.map(|(resource, limit)| (resource, below_maximum(resource, limit))).into()
}

/// A limit of `None` is as high as the caller's own.
fn below_maximum(resource: Resource, limit: Option<u64>) -> Rlimit {
    let maximum = getrlimit(resource).maximum;
    let limit = match (limit, maximum) {
        (Some(limit), Some(maximum)) => Some(limit.min(maximum)),
        (limit, maximum) => limit.or(maximum),
    };
    Rlimit { current: limit, maximum: limit }
}

/// `count` CPUs from the `first` on, counted round those that this process may use.
pub(super) fn cpu_set((first, count): (u64, u64)) -> rustix::io::Result<CpuSet> {
    let usable = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| usable.is_set(cpu)).collect();
    let mut set = CpuSet::new();
    let count = (count as usize).clamp(1, usable.len());
    let first = first as usize % usable.len();
    usable.iter().cycle().skip(first).take(count).for_each(|&cpu| set.set(cpu));
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_the_folders_on_the_way() {
        let check = |target: &CStr, expect: &[&CStr]| {
            let found = parents(target);
            assert_eq!(found.iter().map(CString::as_c_str).collect::<Vec<_>>(), expect);
        };
        check(c"/usr", &[]);
        check(c"/deps/a", &[c"/deps"]);
        check(c"/a/b/c", &[c"/a", c"/a/b"]);
    }

    #[test]
    fn limits_are_below_the_maximum() {
        let maximum = getrlimit(Resource::Nofile).maximum;
        assert_eq!(below_maximum(Resource::Nofile, Some(16)).current, Some(16));
        assert_eq!(
            below_maximum(Resource::Nofile, Some(u64::MAX - 1)).current,
            maximum.or(Some(u64::MAX - 1))
        );
        assert_eq!(below_maximum(Resource::Nofile, None).current, maximum);
    }
}
