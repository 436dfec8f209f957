//! Runs in process 1 of a command, from the clone to the moment at which the program runs.
//!
//! [`set_up`] shows the steps in order. It runs in the cloned process and only calls the kernel:
//! the spawner has prepared everything that needs memory. The first failure is reported by its step
//! and ends the process, and with it its namespaces and everything that is mounted there. This
//! process is number 1 of the new process namespace. It starts the program as number 2, and stays
//! to wait for it and for orphans (see [`init`]).

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Gid, Mode, OFlags, Uid, mkdir, open, symlink};
use rustix::io::{Errno, write};
use rustix::mount::{
    MountAttrFlags, MountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, open_tree, unmount,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{
    DumpableBehavior, Pid, chdir, fchdir, pivot_root, set_dumpable_behavior, setsid, umask,
};
use rustix::system::{setdomainname, sethostname};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::hide::{FOLDER, hide, open_existing, seal};
use super::init::{self, CommandProcesses};
use super::limits::set_limits;
use super::prepared::{Inherited, Prepared, PreparedDeterminism, PreparedKind, PreparedMount};
use super::program::{connect_stdio, die_with, execute, for_good, keep_only, report_end};
use super::tracer::Tracer;
use crate::linux::sys::files::write_setting;
use crate::linux::sys::limits::offer_to_oom_killer;
use crate::linux::sys::{self, MountAttributes, attach, mount_setattr};
use crate::linux::wire::channel;
use crate::linux::wire::report::Report;
use crate::linux::wire::step::{AtStep, Failure, Step};

type Done = Result<(), Failure>;

/// Sets the sandbox up, runs the program and reports its end.
pub(in crate::linux) fn become_command(prepared: &Prepared, inherited: Inherited<'_>) {
    let started =
        set_up(prepared, inherited.spawner).and_then(|()| start_program(prepared, inherited));
    match started {
        // From here on this process may allocate memory: it is an ordinary process with one thread.
        Ok((program, listener)) => {
            let listener = listener.map(for_good);
            let fds: Vec<_> = [inherited.channel].into_iter().chain(listener).collect();
            let kept = keep_only(&fds);
            let layer = prepared.determinism.as_ref().zip(kept.get(1));
            let layer = layer.map(|(layer, listener)| layer.begin(*listener));
            let tracer = layer.map(|layer| Tracer::new(program, Some(layer), None));
            let (report, missing) =
                init::wait(program, prepared.bounds, tracer, CommandProcesses::Namespace);
            report.into_iter().for_each(|report| report_end(kept[0], report, &missing));
        }
        Err(failure) => report_end(inherited.channel, Report::Failed(failure), &[]),
    }
}

/// Takes every step from the clone into the sandbox.
fn set_up(prepared: &Prepared, spawner: BorrowedFd<'_>) -> Done {
    // 1. Become another user, and die with the spawner.
    offer_to_oom_killer().at(Step::Limits)?;
    wait_for_maps(prepared, spawner)?;
    become_inner_user(prepared).at(Step::Identity)?;
    die_with(spawner)?;
    // 2. Get a host name and a network that nobody shares.
    name_host(&prepared.view.host).at(Step::HostName)?;
    raise_loopback().at(Step::Loopback)?;
    // 3. Mount a new root. The stage, which was the root until now, stays open until everything was
    // taken from it.
    let stage = open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(Step::Root)?;
    mount_root().at(Step::Root)?;
    pivot_root(c".", c".").at(Step::PivotRoot)?;
    fchdir(&stage).at(Step::PivotRoot)?;
    // 4. Add the fixed view.
    write_system_files(&prepared.system_files).at(Step::SystemFiles)?;
    mount_dev(&stage).at(Step::Devices)?;
    mount_proc().at(Step::Proc)?;
    number_processes(prepared.last_process.as_deref()).at(Step::Proc)?;
    mount_tmp(&prepared.tmp_options).at(Step::Tmp)?;
    // 5. Add the mounts of the plan, outer folders first.
    for (index, mount) in prepared.mounts.iter().enumerate() {
        add(mount).map_err(|failure| failure.of_mount(index))?;
    }
    // 6. Give everything else up, and make sure that nothing of this can be changed again.
    unmount(c".", UnmountFlags::DETACH).at(Step::DetachHost)?;
    forbid_namespaces().at(Step::ForbidNamespaces)?;
    if let Some(PreparedDeterminism { covers, .. }) = &prepared.determinism {
        hide(covers).at(Step::HideMachine)?;
    }
    seal(c"/proc", libc::AT_RECURSIVE).at(Step::Seal)?;
    seal(c"/", 0).at(Step::Seal)?;
    // 7. Set limits, and the state that a program finds.
    set_limits(&prepared.limits, prepared.cpus.as_ref())?;
    umask(Mode::from_raw_mode(prepared.view.umask));
    chdir(&prepared.cwd).at(Step::WorkingDirectory)?;
    // 8. Drop the privileges by which this could be undone.
    drop_privileges().at(Step::Privileges)
}

/// Waits until the spawner has written the maps of our user namespace. Until then this process has
/// no user.
fn wait_for_maps(prepared: &Prepared, spawner: BorrowedFd<'_>) -> Done {
    let mut events = [
        PollFd::new(&prepared.mapped, PollFlags::IN),
        PollFd::from_borrowed_fd(spawner, PollFlags::IN),
    ];
    rustix::io::retry_on_intr(|| poll(&mut events, None)).at(Step::Identity)?;
    match events[1].revents().is_empty() {
        true => Ok(()),
        false => sys::exit(1),
    }
}

fn become_inner_user(prepared: &Prepared) -> rustix::io::Result<()> {
    let user = prepared.view.user;
    let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
    if prepared.may_drop_groups {
        set_thread_groups(&[])?;
    }
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

fn name_host(name: &str) -> rustix::io::Result<()> {
    sethostname(name.as_bytes())?;
    setdomainname(b"(none)")
}

fn raise_loopback() -> rustix::io::Result<()> {
    let any = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    sys::raise_loopback(any.as_fd())
}

/// Mounts the root and goes there.
fn mount_root() -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(c"tmpfs", c"root", c"tmpfs", flags, c"mode=0755,size=4m,nr_inodes=65536")?;
    chdir(c"root")?;
    [c"etc", c"dev", c"proc", c"tmp"].iter().try_for_each(|folder| mkdir(*folder, FOLDER))
}

fn write_system_files(files: &[(CString, String)]) -> rustix::io::Result<()> {
    files.iter().try_for_each(|(path, content)| {
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::from_raw_mode(0o644))?;
        write(&file, content.as_bytes()).map(drop)
    })
}

fn mount_dev(stage: &OwnedFd) -> rustix::io::Result<()> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let dev = open_tree(stage, c"dev", clone | OpenTreeFlags::AT_RECURSIVE)?;
    let read_only = MountAttributes {
        set: MountAttrFlags::MOUNT_ATTR_RDONLY.bits().into(),
        ..Default::default()
    };
    mount_setattr(dev.as_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &read_only)?;
    attach(&dev, CWD, c"/dev")
}

fn mount_proc() -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"proc", c"/proc", c"proc", flags, None)
}

/// Gives the next process that is created the number after `last`.
fn number_processes(last: Option<&str>) -> rustix::io::Result<()> {
    let Some(last) = last else { return Ok(()) };
    match write_setting(c"/proc/sys/kernel/ns_last_pid", last.as_bytes()) {
        // The kernel was built without support for checkpoints.
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Mounts one tmpfs for `/tmp` and `/dev/shm`, which gives them one limit.
fn mount_tmp(options: &CStr) -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(c"tmpfs", c"tmp", c"tmpfs", flags, options)?;
    for (part, target) in [(c"tmp/tmp", c"/tmp"), (c"tmp/shm", c"/dev/shm")] {
        mkdir(part, Mode::from_raw_mode(0o1777))?;
        mount_bind(part, target)?;
    }
    Ok(())
}

/// Makes one entry of the file tree, and the folders that lead to it.
fn add(mount: &PreparedMount) -> Done {
    mount.parents.iter().try_for_each(|folder| make_folder(folder)).at(Step::MountPoint)?;
    match &mount.kind {
        PreparedKind::Folder => make_folder(&mount.target).at(Step::MountPoint),
        PreparedKind::Symlink(to) => symlink(to, &mount.target).at(Step::Symlink),
        PreparedKind::Tree { tree, is_folder } => {
            let make = if *is_folder { make_folder } else { make_file };
            make(&mount.target).at(Step::MountPoint)?;
            attach(tree, CWD, &mount.target).at(Step::Attach)
        }
        PreparedKind::Scratch { lower, upper } => {
            make_folder(&mount.target).at(Step::MountPoint)?;
            attach(lower, CWD, c"lower").at(Step::Attach)?;
            attach(upper, CWD, c"upper").at(Step::Attach)?;
            mount_overlay(&mount.target).at(Step::Overlay)
        }
    }
}

/// Mounts an overlay over two folders of the stage. They stay in use, out of reach, when the stage
/// is gone.
fn mount_overlay(target: &CStr) -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = c"lowerdir=lower,upperdir=upper/upper,workdir=upper/work,userxattr,volatile";
    rustix::mount::mount(c"overlay", target, c"overlay", flags, options)
}

fn make_folder(path: &CStr) -> rustix::io::Result<()> {
    match mkdir(path, FOLDER) {
        // On a read-only mount the kernel may give this error before it looks whether the folder
        // exists.
        Err(Errno::EXIST | Errno::ROFS) => open_existing(path, OFlags::DIRECTORY),
        result => result,
    }
}

fn make_file(path: &CStr) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match open(path, flags, Mode::from_raw_mode(0o644)) {
        Err(Errno::EXIST | Errno::ROFS) => open_existing(path, OFlags::empty()),
        result => result.map(drop),
    }
}

/// Forbids further user namespaces by a setting. The system call filter can't do that, as it can't
/// see the flags of `clone3`.
fn forbid_namespaces() -> rustix::io::Result<()> {
    write_setting(c"/proc/sys/user/max_user_namespaces", b"0")
}

fn drop_privileges() -> rustix::io::Result<()> {
    // Nothing in the sandbox may look into this process, which was the spawner a moment ago.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    for capability in (0..64).map(|bit| CapabilitySet::from_bits_retain(1 << bit)) {
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // That was the last capability that the kernel knows.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Starts process 2, which becomes the program. If the program is traced, also returns the
/// descriptor at which its calls arrive.
fn start_program(
    prepared: &Prepared,
    inherited: Inherited<'_>,
) -> Result<(Pid, Option<OwnedFd>), Failure> {
    let is_traced = prepared.determinism.is_some() && !prepared.trial;
    let handover = is_traced.then(channel::pair).transpose().at(Step::Trace)?;
    // The new process shares this variable. 0 means that nothing failed.
    let failure = AtomicU64::new(0);
    let program = || {
        let tracer = handover.as_ref().map(|(_, to)| to.as_fd());
        if let Err(Failure { step, errno, .. }) = become_program(prepared, inherited, tracer) {
            failure.store(u64::from(errno as u32) << 8 | step as u64, Ordering::SeqCst);
        }
    };
    let pid = sys::clone_sharing_memory(&program).at(Step::Fork)?;
    match failure.into_inner() {
        0 => Ok((pid, handover.map(|(from, _)| take_listener(&from)).transpose()?)),
        code => Err(Failure {
            step: Step::try_from(code as u8).unwrap_or(Step::Execute),
            index: 0,
            errno: (code >> 8) as i32,
        }),
    }
}

fn take_listener(from: &OwnedFd) -> Result<OwnedFd, Failure> {
    let (_, fds) = channel::receive(from, &mut [0]).at(Step::Trace)?;
    fds.into_iter().next().ok_or(Failure::new(Step::Trace, Errno::BADF))
}

/// Becomes the program. Returns only after a failure or in a trial.
fn become_program(
    prepared: &Prepared,
    inherited: Inherited<'_>,
    tracer: Option<BorrowedFd<'_>>,
) -> Done {
    setsid().at(Step::Stdio)?;
    connect_stdio(inherited.streams).at(Step::Stdio)?;
    match tracer {
        None => sys::set_seccomp_filter(inherited.filter).at(Step::Filter)?,
        Some(tracer) => {
            sys::trace::fix_addresses().at(Step::Trace)?;
            sys::trace::trace_me().at(Step::Trace)?;
            let listener = sys::notify::set_filter_with_listener(inherited.filter);
            let listener = listener.at(Step::Filter)?;
            channel::send(tracer, &[0], &[listener.as_fd()]).at(Step::Trace)?;
        }
    }
    sys::close_from(3).at(Step::Stdio)?;
    if prepared.trial {
        return Ok(());
    }
    Err(Failure::new(Step::Execute, execute(&prepared.programs, &prepared.argv, &prepared.env)))
}
