//! The file trees that the spawner works with.
//!
//! In the *host tree*, a private copy of the caller's mounts, it opens what is to be mounted. It
//! lives, and clones commands, in the *stage*: a mount namespace that holds next to nothing. So a
//! new command's namespace is cheap to make, whatever the host has mounted, and at no time holds
//! anything of the host but what was asked for.
//!
//! The stage: `root`, where the command's root is mounted; `dev`, ready to be attached; `proc`,
//! without which the kernel refuses to mount another one; `tmp`, `lower` and `upper`, where parts
//! are put together.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstat, mkdirat, open, openat, symlinkat};
use rustix::io::{Errno, Result, write};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags, fsconfig_create, fsconfig_set_string, fsmount, fsopen,
    mount_change, move_mount, open_tree, unmount,
};
use rustix::process::{
    Pid, Signal, chdir, chroot, fchdir, pidfd_send_signal, pivot_root,
    set_parent_process_death_signal,
};
use rustix::thread::{LinkNameSpaceType, Timespec, move_into_link_name_space, nanosleep};

use super::identity::Account;
use super::step::{At, Failure, Step};
use super::sys::{self, MountAttributes, mount_setattr};

/// The device nodes in `/dev`.
pub(super) const DEVICES: [&CStr; 5] = [c"full", c"null", c"random", c"urandom", c"zero"];

/// The links in `/dev`.
pub(super) const DEVICE_LINKS: [(&CStr, &CStr); 4] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
];

pub(super) struct Stage {
    host: OwnedFd,
    host_root: OwnedFd,
    stage: OwnedFd,
    proc: OwnedFd,
    /// Whether the kernel lets us show files under another owner.
    can_map_owners: bool,
    owner_maps: BTreeMap<(u32, u32, u32), OwnedFd>,
}

impl Stage {
    /// Moves this process, which must have the right to mount, to a new stage.
    pub(super) fn enter_new(can_map_owners: bool) -> std::result::Result<Self, Failure> {
        sys::unshare(libc::CLONE_NEWNS).at(Step::MountNamespace)?;
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
            .at(Step::MountNamespace)?;
        let host = this_mount_namespace().at(Step::MountNamespace)?;
        let host_root = open_path(c"/").at(Step::HostTree)?;
        let proc = open_source(c"/proc").at(Step::StageProc)?;
        let devices = open_devices().at(Step::StageDevice)?;
        sys::unshare(libc::CLONE_NEWNS).at(Step::MountNamespace)?;
        let stage = this_mount_namespace().at(Step::MountNamespace)?;
        // From a chroot, this leads to the real root of the namespace; there is nothing to see but
        // mounts to leave behind.
        enter(&stage).at(Step::Stage)?;
        build(&proc, &devices)?;
        Ok(Self {
            host,
            host_root,
            stage,
            proc: open_path(c"/proc").at(Step::StageProc)?,
            can_map_owners,
            owner_maps: BTreeMap::new(),
        })
    }

    /// Goes to the host tree, where [`open_source`] finds what the caller means.
    pub(super) fn enter_host(&self) -> Result<()> {
        enter(&self.host)?;
        fchdir(&self.host_root)?;
        chroot(".")
    }

    /// Goes back to the stage.
    pub(super) fn leave_host(&self) -> Result<()> {
        enter(&self.stage)
    }

    /// Maps the sandbox's user and group, in the user namespace of a process just cloned.
    pub(super) fn map_account(&self, pid: Pid, inside: (u32, u32), account: Account) -> Result<()> {
        if account.is_caller {
            self.write(pid, "setgroups", "deny")?;
        }
        self.write(pid, "uid_map", &format!("{} {} 1", inside.0, account.uid))?;
        self.write(pid, "gid_map", &format!("{} {} 1", inside.1, account.gid))
    }

    fn write(&self, pid: Pid, file: &str, text: &str) -> Result<()> {
        let path = format!("{}/{file}", pid.as_raw_nonzero());
        let file = openat(&self.proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        write(file, text.as_bytes()).map(drop)
    }

    /// Shows the files of `tree`'s owner as the account's own. `Ok(false)` where kernel or file
    /// system can't.
    pub(super) fn map_owner(&mut self, tree: BorrowedFd<'_>, account: Account) -> Result<bool> {
        if account.is_caller || !self.can_map_owners {
            return Ok(account.is_caller);
        }
        let owner = fstat(tree)?;
        let user_namespace = self.owner_map((owner.st_uid, owner.st_gid), account)?;
        let attributes = MountAttributes {
            set: libc::MOUNT_ATTR_IDMAP,
            user_namespace: user_namespace.as_raw_fd() as u64,
            ..Default::default()
        };
        match mount_setattr(tree, c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attributes) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::PERM | Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A user namespace that does nothing but map `owner` to `account`; made once.
    fn owner_map(&mut self, owner: (u32, u32), account: Account) -> Result<BorrowedFd<'_>> {
        let key = (owner.0, owner.1, account.uid);
        if !self.owner_maps.contains_key(&key) {
            let namespace = self.make_owner_map(owner, account)?;
            self.owner_maps.insert(key, namespace);
        }
        Ok(self.owner_maps[&key].as_fd())
    }

    fn make_owner_map(&self, owner: (u32, u32), account: Account) -> Result<OwnedFd> {
        let (pid, pidfd) = sys::clone_into(libc::CLONE_NEWUSER, None, stay_until_killed)?;
        let made = self.map_account(pid, owner, account).and_then(|()| {
            let path = format!("{}/ns/user", pid.as_raw_nonzero());
            openat(&self.proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        });
        pidfd_send_signal(&pidfd, Signal::KILL)?;
        sys::wait4(Some(pid), 0)?;
        made
    }
}

/// A copy, with all that is mounted below, of what is at `path`; attached nowhere yet, and cut off
/// from later changes there.
pub(super) fn open_source(path: &CStr) -> Result<OwnedFd> {
    let tree = open_tree(
        CWD,
        path,
        OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_RECURSIVE,
    )?;
    set_attributes(&tree, MountAttrFlags::empty())?;
    Ok(tree)
}

/// Adds attributes to a tree that is attached nowhere yet.
pub(super) fn set_attributes(tree: &OwnedFd, attributes: MountAttrFlags) -> Result<()> {
    let attributes = MountAttributes {
        set: attributes.bits().into(),
        propagation: libc::MS_PRIVATE,
        ..Default::default()
    };
    mount_setattr(tree.as_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attributes)
}

fn open_devices() -> Result<Vec<OwnedFd>> {
    let path = |device: &CStr| [b"/dev/", device.to_bytes(), b"\0"].concat();
    let open = |device: &&CStr| {
        let path = path(device);
        open_source(CStr::from_bytes_with_nul(&path).map_err(|_| Errno::INVAL)?)
    };
    DEVICES.iter().map(open).collect()
}

/// Replaces all mounts of this namespace by those of the stage.
fn build(proc: &OwnedFd, devices: &[OwnedFd]) -> std::result::Result<(), Failure> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .at(Step::Stage)?;
    let stage = tmpfs().at(Step::Stage)?;
    for folder in [c"root", c"proc", c"dev", c"dev/shm", c"tmp", c"lower", c"upper"] {
        mkdirat(&stage, folder, Mode::from_raw_mode(0o755)).at(Step::Stage)?;
    }
    attach(&stage, CWD, c"/").at(Step::Stage)?;
    attach(proc, stage.as_fd(), c"proc").at(Step::StageProc)?;
    build_dev(&stage, devices).at(Step::StageDevice)?;
    fchdir(&stage).at(Step::Stage)?;
    pivot_root(".", ".").at(Step::Stage)?;
    unmount(".", UnmountFlags::DETACH).at(Step::Stage)?;
    chdir("/").at(Step::Stage)
}

fn tmpfs() -> Result<OwnedFd> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "mode", "0755")?;
    fsconfig_set_string(&context, "size", "1m")?;
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_NOSUID)
}

fn build_dev(stage: &OwnedFd, devices: &[OwnedFd]) -> Result<()> {
    let dev = openat(stage, c"dev", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    for (name, device) in DEVICES.iter().zip(devices) {
        let place = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&dev, *name, place, Mode::from_raw_mode(0o644))?;
        set_attributes(
            device,
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC,
        )?;
        attach(device, dev.as_fd(), name)?;
    }
    DEVICE_LINKS.iter().try_for_each(|(name, to)| symlinkat(*to, &dev, *name))
}

/// Attaches a tree at `path`.
pub(super) fn attach(tree: &OwnedFd, at: BorrowedFd<'_>, path: &CStr) -> Result<()> {
    move_mount(tree, c"", at, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Keeps a namespace alive for as long as it takes to open it.
fn stay_until_killed() {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = nanosleep(&Timespec { tv_sec: 1, tv_nsec: 0 });
}

fn this_mount_namespace() -> Result<OwnedFd> {
    open(c"/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Enters a mount namespace, at its root.
fn enter(namespace: &OwnedFd) -> Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
}

fn open_path(path: &CStr) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
