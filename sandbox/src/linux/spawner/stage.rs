//! Manages the two file trees of the spawner.
//!
//! The *host tree* is a private copy of the caller's mounts, in which the spawner opens the sources
//! of mounts. The *stage* is a mount namespace that is almost empty. The spawner lives there and
//! clones commands there. So the namespace of a new command is cheap to make, however much the host
//! has mounted, and it never holds anything of the host except what was asked for.
//!
//! These folders are on the stage: `root`, on which a command mounts its root; `dev`, which a
//! command attaches; `proc`, without which the kernel refuses to mount another one; and `tmp`,
//! `lower` and `upper`, in which a command assembles parts of its tree.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, fstat, mkdirat, open, openat, symlinkat};
use rustix::io::{Errno, Result, write};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_change, open_tree, unmount,
};
use rustix::process::{
    Pid, Signal, chdir, chroot, fchdir, pidfd_send_signal, pivot_root,
    set_parent_process_death_signal,
};
use rustix::thread::{LinkNameSpaceType, Timespec, move_into_link_name_space, nanosleep};

use crate::linux::sys::{self, MountAttributes, attach, mount_setattr};
use crate::linux::view::devices::{DEVICE_LINKS, DEVICES};
use crate::linux::wire::plan::Account;
use crate::linux::wire::step::{AtStep, Failure, Step};

/// The user and the group of files, or of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// Holds the two file trees between which this process moves.
pub(super) struct Stage {
    host: OwnedFd,
    host_root: OwnedFd,
    stage: OwnedFd,
    proc: OwnedFd,
    /// True if the kernel lets this process show files under another owner.
    can_map_owners: bool,
    /// The namespaces that map an owner to the user of an account.
    owner_maps: BTreeMap<(Owner, u32), OwnedFd>,
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
        // After a chroot, this leads to the real root of the namespace. There is nothing to see
        // there except mounts, which `build` removes.
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

    /// Goes to the host tree, in which [`open_source`] finds what the caller's paths mean.
    pub(super) fn enter_host(&self) -> Result<()> {
        enter(&self.host)?;
        fchdir(&self.host_root)?;
        chroot(".")
    }

    /// Goes back to the stage.
    pub(super) fn leave_host(&self) -> Result<()> {
        enter(&self.stage)
    }

    /// Maps the sandbox's user and group in the user namespace of a process that was just cloned.
    pub(super) fn map_account(&self, pid: Pid, inside: Owner, account: Account) -> Result<()> {
        if account.is_caller {
            self.write(pid, "setgroups", "deny")?;
        }
        self.write(pid, "uid_map", &format!("{} {} 1", inside.uid, account.uid))?;
        self.write(pid, "gid_map", &format!("{} {} 1", inside.gid, account.gid))
    }

    fn write(&self, pid: Pid, file: &str, text: &str) -> Result<()> {
        let path = format!("{}/{file}", pid.as_raw_nonzero());
        let file = openat(&self.proc, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        write(file, text.as_bytes()).map(drop)
    }

    /// Shows the files of `tree`'s owner as files of the account. Returns `Ok(false)` if the kernel
    /// or the file system can't do that.
    pub(super) fn map_owner(&mut self, tree: BorrowedFd<'_>, account: Account) -> Result<bool> {
        if account.is_caller || !self.can_map_owners {
            return Ok(account.is_caller);
        }
        let owner = fstat(tree)?;
        let owner = Owner { uid: owner.st_uid, gid: owner.st_gid };
        let user_namespace = self.owner_map(owner, account)?;
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

    /// Returns a user namespace that only maps `owner` to `account`. It is made once.
    fn owner_map(&mut self, owner: Owner, account: Account) -> Result<BorrowedFd<'_>> {
        let key = (owner, account.uid);
        if !self.owner_maps.contains_key(&key) {
            let namespace = self.make_owner_map(owner, account)?;
            self.owner_maps.insert(key, namespace);
        }
        Ok(self.owner_maps[&key].as_fd())
    }

    fn make_owner_map(&self, owner: Owner, account: Account) -> Result<OwnedFd> {
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

/// Returns a detached copy of the mount at `path` with everything mounted below it. Later changes
/// there don't reach the copy.
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

/// Adds attributes to a detached mount.
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

/// Keeps a namespace alive until it was opened.
fn stay_until_killed() {
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let _ = nanosleep(&Timespec { tv_sec: 1, tv_nsec: 0 });
}

fn this_mount_namespace() -> Result<OwnedFd> {
    open(c"/proc/self/ns/mnt", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Enters a mount namespace at its root.
fn enter(namespace: &OwnedFd) -> Result<()> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
}

fn open_path(path: &CStr) -> Result<OwnedFd> {
    open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}
