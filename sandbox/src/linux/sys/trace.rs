//! Traces other processes: wraps those parts of `ptrace(2)` that process 1 needs for the
//! determinism layer and for the translation of paths.

use std::ffi::{CStr, CString};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::raw::c_int;
use std::ptr;

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::errors::{check, last_error};
#[cfg(target_arch = "x86_64")]
use super::processes::wait4;

/// The events that the kernel reports to a tracer besides signals.
const OPTIONS: c_int = libc::PTRACE_O_EXITKILL
    | libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACESECCOMP
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK;

/// Lets the parent trace this process, from the next program on that it becomes.
pub(in crate::linux) fn trace_me() -> Result<()> {
    // SAFETY: this call uses no memory of this process.
    check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })
}

/// Chooses the events that are reported of a stopped thread and of those that it starts.
pub(in crate::linux) fn trace_all_of(thread: Pid) -> Result<()> {
    request(libc::PTRACE_SETOPTIONS, thread, OPTIONS as usize)
}

/// Lets a stopped thread continue, with a signal or with none (0).
pub(in crate::linux) fn resume(thread: Pid, signal: c_int) -> Result<()> {
    request(libc::PTRACE_CONT, thread, signal as usize)
}

/// Lets a thread that has stopped before a system call continue until that call has been made.
pub(in crate::linux) fn resume_to_exit(thread: Pid) -> Result<()> {
    request(libc::PTRACE_SYSCALL, thread, 0)
}

/// Returns the number that comes with an event: the thread that was started, or the one that became
/// a program.
pub(in crate::linux) fn event_message(thread: Pid) -> Result<u64> {
    let mut message: libc::c_ulong = 0;
    request(libc::PTRACE_GETEVENTMSG, thread, &raw mut message as usize)?;
    Ok(message)
}

fn request(kind: libc::c_uint, thread: Pid, data: usize) -> Result<()> {
    let thread = thread.as_raw_nonzero().get();
    // SAFETY: the requests of this module read nothing of this process, and write at most where a
    // caller in this module has made room.
    check(unsafe { libc::ptrace(kind, thread, 0_usize, data) })
}

/// Holds the registers of a stopped thread, and gives access to those of its system call.
#[derive(Clone, Copy)]
pub(in crate::linux) struct Registers(libc::user_regs_struct);

impl Registers {
    pub(in crate::linux) fn of(thread: Pid) -> Result<Self> {
        let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
        let mut place = libc::iovec {
            iov_base: registers.as_mut_ptr().cast(),
            iov_len: size_of::<libc::user_regs_struct>(),
        };
        register_set(libc::PTRACE_GETREGSET, thread, NT_PRSTATUS, &mut place)?;
        // SAFETY: all-zero is valid for a structure of integers, and the kernel has filled it.
        Ok(Self(unsafe { registers.assume_init() }))
    }

    fn write(&mut self, thread: Pid) -> Result<()> {
        let mut place = libc::iovec {
            iov_base: ptr::from_mut(&mut self.0).cast(),
            iov_len: size_of::<libc::user_regs_struct>(),
        };
        register_set(libc::PTRACE_SETREGSET, thread, NT_PRSTATUS, &mut place)
    }

    /// Skips the system call that the thread is about to make, and has it return `result`.
    pub(in crate::linux) fn answer(mut self, thread: Pid, result: i64) -> Result<()> {
        self.set_call(thread, -1)?;
        self.leave_with(thread, result)
    }

    /// Replaces the system call that the thread is about to make by another one.
    pub(in crate::linux) fn replace_call(
        mut self,
        thread: Pid,
        call: i64,
        arguments: [u64; 6],
    ) -> Result<()> {
        self.set_call(thread, call)?;
        arguments.into_iter().enumerate().for_each(|(at, value)| *self.argument(at) = value);
        self.write(thread)
    }

    /// Sets the return value of the system call that the thread has just made.
    pub(in crate::linux) fn leave_with(mut self, thread: Pid, result: i64) -> Result<()> {
        self.set_result(result);
        self.write(thread)
    }

    /// Replaces arguments of the system call that the thread is about to make. Each comes with its
    /// position.
    pub(in crate::linux) fn replace_arguments(
        mut self,
        thread: Pid,
        values: &[(usize, u64)],
    ) -> Result<()> {
        values.iter().for_each(|(at, value)| *self.argument(*at) = *value);
        self.write(thread)
    }

    /// Restores the arguments of a system call that was made with others.
    pub(in crate::linux) fn restore_arguments(self, thread: Pid) -> Result<()> {
        let mut now = Self::of(thread)?;
        let arguments = self.arguments().into_iter().enumerate();
        arguments.skip(FIRST_KEPT).for_each(|(at, value)| *now.argument(at) = value);
        now.write(thread)
    }
}

const NT_PRSTATUS: c_int = 1;

fn register_set(
    kind: libc::c_uint,
    thread: Pid,
    set: c_int,
    place: &mut libc::iovec,
) -> Result<()> {
    let (thread, set) = (thread.as_raw_nonzero().get(), set as usize);
    // SAFETY: `place` names memory of this process, which the kernel fills or reads.
    check(unsafe { libc::ptrace(kind, thread, set, ptr::from_mut(place)) })
}

#[cfg(target_arch = "x86_64")]
impl Registers {
    /// Lets a thread that has stopped outside of a system call make one by the instruction at
    /// `place`, and returns the result. Afterwards the thread is where it was before.
    pub(in crate::linux) fn make_call(
        mut self,
        thread: Pid,
        place: u64,
        call: i64,
        [a, b, c, d, e, f]: [u64; 6],
    ) -> Result<i64> {
        let registers = libc::user_regs_struct {
            rip: place,
            orig_rax: u64::MAX,
            rax: call as u64,
            rdi: a,
            rsi: b,
            rdx: c,
            r10: d,
            r8: e,
            r9: f,
            ..self.0
        };
        Self(registers).write(thread)?;
        request(libc::PTRACE_SINGLESTEP, thread, 0)?;
        // This waits for one thread only, so the events of others are reported later.
        wait4(Some(thread), libc::__WALL)?;
        let result = Self::of(thread)?.result();
        self.write(thread)?;
        Ok(result)
    }

    /// Returns the address of the thread's own memory.
    pub(in crate::linux) fn thread_pointer(&self) -> u64 {
        self.0.fs_base
    }

    /// Returns the number of the system call.
    pub(in crate::linux) fn call(&self) -> i64 {
        self.0.orig_rax as i64
    }

    pub(in crate::linux) fn arguments(&self) -> [u64; 6] {
        let Self(r) = self;
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    /// Returns what the system call has returned.
    pub(in crate::linux) fn result(&self) -> i64 {
        self.0.rax as i64
    }

    pub(in crate::linux) fn stack_pointer(&self) -> u64 {
        self.0.rsp
    }

    /// Changes the number of the system call that the thread is about to make. With -1 it makes
    /// none.
    fn set_call(&mut self, _: Pid, call: i64) -> Result<()> {
        self.0.orig_rax = call as u64;
        Ok(())
    }

    fn set_result(&mut self, result: i64) {
        self.0.rax = result as u64;
    }

    /// Lets the thread make its system call again, after another one was made in its place.
    pub(in crate::linux) fn make_again(mut self, thread: Pid) -> Result<()> {
        self.0.rip -= SYSTEM_CALL;
        self.0.rax = self.0.orig_rax;
        self.0.orig_rax = u64::MAX;
        self.write(thread)
    }

    fn argument(&mut self, at: usize) -> &mut u64 {
        let Self(r) = self;
        match at {
            0 => &mut r.rdi,
            1 => &mut r.rsi,
            2 => &mut r.rdx,
            3 => &mut r.r10,
            4 => &mut r.r8,
            _ => &mut r.r9,
        }
    }
}

/// This is the length in bytes of the instruction that makes a system call.
#[cfg(target_arch = "x86_64")]
const SYSTEM_CALL: u64 = 2;
#[cfg(target_arch = "aarch64")]
const SYSTEM_CALL: u64 = 4;

/// This is the position of the first argument whose register does not get the result of a system
/// call.
#[cfg(target_arch = "x86_64")]
const FIRST_KEPT: usize = 0;
#[cfg(target_arch = "aarch64")]
const FIRST_KEPT: usize = 1;

#[cfg(target_arch = "aarch64")]
impl Registers {
    /// Returns the number of the system call.
    pub(in crate::linux) fn call(&self) -> i64 {
        self.0.regs[8] as i64
    }

    pub(in crate::linux) fn arguments(&self) -> [u64; 6] {
        std::array::from_fn(|index| self.0.regs[index])
    }

    /// Returns what the system call has returned.
    pub(in crate::linux) fn result(&self) -> i64 {
        self.0.regs[0] as i64
    }

    pub(in crate::linux) fn stack_pointer(&self) -> u64 {
        self.0.sp
    }

    /// Changes the number of the system call that the thread is about to make. With -1 it makes
    /// none.
    fn set_call(&mut self, thread: Pid, call: i64) -> Result<()> {
        const NT_ARM_SYSTEM_CALL: c_int = 0x404;
        let mut call = call as c_int;
        let mut place =
            libc::iovec { iov_base: ptr::from_mut(&mut call).cast(), iov_len: size_of::<c_int>() };
        register_set(libc::PTRACE_SETREGSET, thread, NT_ARM_SYSTEM_CALL, &mut place)
    }

    fn set_result(&mut self, result: i64) {
        self.0.regs[0] = result as u64;
    }

    /// Lets the thread make its system call again, after another one was made in its place.
    pub(in crate::linux) fn make_again(mut self, thread: Pid) -> Result<()> {
        self.0.pc -= SYSTEM_CALL;
        self.write(thread)
    }

    fn argument(&mut self, at: usize) -> &mut u64 {
        &mut self.0.regs[at]
    }
}

/// Reads memory of a traced process, and returns how many bytes could be read.
pub(in crate::linux) fn read_memory(thread: Pid, from: u64, buffer: &mut [u8]) -> Result<usize> {
    let there = libc::iovec { iov_base: from as *mut libc::c_void, iov_len: buffer.len() };
    let here = IoSliceMut::new(buffer);
    let thread = thread.as_raw_nonzero().get();
    let (here, there) = (ptr::from_ref(&here).cast(), ptr::from_ref(&there));
    // SAFETY: `IoSliceMut` is an `iovec` of memory that is ours; the other is not of this process.
    let count = unsafe { libc::process_vm_readv(thread, here, 1, there, 1, 0) };
    usize::try_from(count).map_err(|_| last_error())
}

/// Reads the path at an address. A path that is too long gives the kernel's error for it. Memory
/// that this process can't read gives `EFAULT`, although the kernel may be able to read it: there
/// is memory that only its own process can read.
pub(in crate::linux) fn path_at(pid: Pid, at: u64) -> Result<CString> {
    const PAGE: u64 = 4096;
    let mut bytes = [0; PAGE as usize];
    let mut length = 0;
    // It reads page by page, as the next page may not exist.
    while length < bytes.len() {
        let from = at.checked_add(length as u64).ok_or(Errno::FAULT)?;
        let end = bytes.len().min(length + (PAGE - from % PAGE) as usize);
        let read = read_memory(pid, from, &mut bytes[length..end]).map_err(|_| Errno::FAULT)?;
        length += read;
        if let Ok(path) = CStr::from_bytes_until_nul(&bytes[..length]) {
            return Ok(path.to_owned());
        }
        if read == 0 {
            return Err(Errno::FAULT);
        }
    }
    Err(Errno::NAMETOOLONG)
}

/// Writes all bytes to the memory of a traced process, or returns an error.
pub(in crate::linux) fn write_memory(thread: Pid, to: u64, bytes: &[u8]) -> Result<()> {
    let there = libc::iovec { iov_base: to as *mut libc::c_void, iov_len: bytes.len() };
    let here = IoSlice::new(bytes);
    let thread = thread.as_raw_nonzero().get();
    let (here, there) = (ptr::from_ref(&here).cast(), ptr::from_ref(&there));
    // SAFETY: `IoSlice` is an `iovec` of memory that is ours; the other is not of this process.
    let count = unsafe { libc::process_vm_writev(thread, here, 1, there, 1, 0) };
    match usize::try_from(count) {
        Ok(count) if count == bytes.len() => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(_) => Err(last_error()),
    }
}

/// Writes a word to the memory of a stopped thread, even where the thread itself can't write.
#[cfg(target_arch = "x86_64")]
pub(in crate::linux) fn poke(thread: Pid, at: u64, word: u64) -> Result<()> {
    let thread = thread.as_raw_nonzero().get();
    // SAFETY: the address belongs to another process.
    check(unsafe { libc::ptrace(libc::PTRACE_POKEDATA, thread, at as usize, word as usize) })
}

/// Gives this process, and every process that it starts, the same addresses each time. It also
/// keeps `select` and similar calls from writing the rest of their timeouts to memory.
pub(in crate::linux) fn fix_addresses() -> Result<()> {
    let flags = libc::ADDR_NO_RANDOMIZE | libc::STICKY_TIMEOUTS;
    // SAFETY: this sets flags for programs that are started later.
    check(unsafe { libc::personality(flags as libc::c_ulong) }.into())
}

/// These are the length in bytes of a signal's description, and the part of it that says what a
/// child has used.
const SIGNAL: usize = size_of::<libc::siginfo_t>();
const USED: std::ops::Range<usize> = 32..48;

/// Hides what a child has used from a thread that is about to receive the signal of the child's
/// end.
pub(in crate::linux) fn hide_use_of_child(thread: Pid) -> Result<()> {
    let mut told = [0_u8; SIGNAL];
    request(libc::PTRACE_GETSIGINFO, thread, told.as_mut_ptr() as usize)?;
    if !is_of_child(&told) || told[USED].iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    told[USED].fill(0);
    request(libc::PTRACE_SETSIGINFO, thread, told.as_ptr() as usize)
}

/// Hides the same in the memory of a thread, in the description of a signal at this address.
pub(in crate::linux) fn hide_use_of_child_at(thread: Pid, at: u64) -> Result<()> {
    let mut told = [0_u8; SIGNAL];
    match read_memory(thread, at, &mut told)? {
        SIGNAL if is_of_child(&told) => {
            write_memory(thread, at + USED.start as u64, &[0; USED.end - USED.start])
        }
        _ => Ok(()),
    }
}

/// Returns whether the kernel sent this signal because of a child. Others may send the same signal.
fn is_of_child(told: &[u8; SIGNAL]) -> bool {
    let number = |at: usize| told[at..].first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
    number(0) == libc::SIGCHLD && number(8) > 0
}
