//! Replaces the clock that programs read without a system call.
//!
//! The kernel maps code into every process that returns the time (the vDSO, see `vdso(7)`), and
//! programs call it a million times a second. Its functions are overwritten: the clock becomes code
//! that counts, with one number for each thread in a page of memory, and the others make system
//! calls.

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::linux::sys::trace::{Registers, poke, read_memory, write_memory};

/// The clock advances by this many nanoseconds whenever it is read.
const STEP: u32 = 1000;

/// A page of memory has this many bytes.
const PAGE: u64 = 4096;

/// The clock of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VdsoClocks {
    /// The address of the nanoseconds that have passed for each thread, by [`slot`].
    numbers: u64,
}

impl VdsoClocks {
    /// Overwrites the vDSO at `base` of a program that has not begun.
    pub(super) fn install(pid: Pid, base: u64, start: u64, epoch: u64) -> Result<Self> {
        let mut image = vec![0; 4 * PAGE as usize];
        let length = read_memory(pid, base, &mut image)?;
        let image = VdsoImage(&image[..length]);
        let syscall = base + image.find(&SYSCALL).ok_or(Errno::NOEXEC)?;
        let numbers = map(pid, syscall, libc::PROT_READ | libc::PROT_WRITE)?;
        let code = map(pid, syscall, libc::PROT_READ | libc::PROT_EXEC)?;
        write_code(pid, code, &clock_gettime(numbers, start, epoch.saturating_mul(1_000_000_000)))?;
        for (name, address) in image.functions().ok_or(Errno::NOEXEC)? {
            let replacement = match name {
                b"__vdso_clock_gettime" => jump(code),
                b"__vdso_gettimeofday" => system_call(libc::SYS_gettimeofday),
                b"__vdso_time" => system_call(libc::SYS_time),
                b"__vdso_getcpu" => system_call(libc::SYS_getcpu),
                // The C library then makes the system call.
                b"__vdso_getrandom" => fail(libc::ENOSYS),
                _ => continue,
            };
            write_code(pid, base + address, &replacement)?;
        }
        Ok(Self { numbers })
    }

    /// Lets time pass for a thread that has slept.
    pub(super) fn advance(self, pid: Pid, nanoseconds: u64) -> Result<()> {
        let mut word = [0; 8];
        read_exactly(pid, Registers::of(pid)?.thread_pointer(), &mut word)?;
        let at = self.numbers + 8 * slot(u64::from_ne_bytes(word));
        read_exactly(pid, at, &mut word)?;
        let passed = u64::from_ne_bytes(word).saturating_add(nanoseconds);
        write_memory(pid, at, &passed.to_ne_bytes())
    }
}

/// Returns the position of a thread's number. `word` is the first word of its thread-local memory,
/// which differs from thread to thread.
const fn slot(word: u64) -> u64 {
    word >> 12 & 0x1ff
}

const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Has a stopped thread map a page of memory.
fn map(pid: Pid, syscall: u64, protection: i32) -> Result<u64> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let arguments = [0, PAGE, protection as u64, flags as u64, u64::MAX, 0];
    let result = Registers::of(pid)?.make_call(pid, syscall, libc::SYS_mmap, arguments)?;
    match u64::try_from(result) {
        Ok(address) => Ok(address),
        Err(_) => Err(Errno::from_raw_os_error(-result as i32)),
    }
}

fn read_exactly(pid: Pid, from: u64, buffer: &mut [u8]) -> Result<()> {
    let length = buffer.len();
    if read_memory(pid, from, buffer)? == length { Ok(()) } else { Err(Errno::FAULT) }
}

/// Writes code, although the program itself can't write there.
fn write_code(pid: Pid, at: u64, code: &[u8]) -> Result<()> {
    for (index, chunk) in code.chunks(8).enumerate() {
        let at = at + 8 * index as u64;
        let mut word = [0; 8];
        read_exactly(pid, at, &mut word)?;
        word[..chunk.len()].copy_from_slice(chunk);
        poke(pid, at, u64::from_ne_bytes(word))?;
    }
    Ok(())
}

/// Assembles `jmp address`.
fn jump(address: u64) -> Vec<u8> {
    [&[0x48, 0xb8], &address.to_le_bytes()[..], &[0xff, 0xe0]].concat()
}

/// Assembles code that makes a system call and returns its result.
fn system_call(number: i64) -> Vec<u8> {
    [&[0xb8], &(number as u32).to_le_bytes()[..], &SYSCALL, &[0xc3]].concat()
}

fn fail(error: i32) -> Vec<u8> {
    [&[0xb8], &(-error).to_le_bytes()[..], &[0xc3]].concat()
}

/// Assembles `clock_gettime(clock, timespec)`. It adds to the thread's number, and returns that
/// number in seconds and nanoseconds, counted from `start`, or from `epoch` for clocks that count
/// from 1970. Both are in nanoseconds.
fn clock_gettime(numbers: u64, start: u64, epoch: u64) -> Vec<u8> {
    let clocks = |clocks: &[i32]| clocks.iter().fold(0_u32, |set, clock| set | 1 << clock);
    let wall = clocks(&[
        libc::CLOCK_REALTIME,
        libc::CLOCK_REALTIME_COARSE,
        libc::CLOCK_REALTIME_ALARM,
        libc::CLOCK_TAI,
    ]);
    let known = wall
        | clocks(&[
            libc::CLOCK_MONOTONIC,
            libc::CLOCK_MONOTONIC_RAW,
            libc::CLOCK_MONOTONIC_COARSE,
            libc::CLOCK_BOOTTIME,
            libc::CLOCK_BOOTTIME_ALARM,
        ]);
    let tell: Vec<u8> = [
        &[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0][..], // mov rax, fs:[0]
        &[0x48, 0xc1, 0xe8, 0x0c],                       // shr rax, 12
        &[0x25, 0xff, 0x01, 0, 0],                       // and eax, 0x1ff
        &[0x48, 0xba],                                   // mov rdx, numbers
        &numbers.to_le_bytes(),
        &[0x41, 0xb8], // mov r8d, STEP
        &STEP.to_le_bytes(),
        &[0xf0, 0x4c, 0x0f, 0xc1, 0x04, 0xc2], // lock xadd [rdx + 8 * rax], r8
        &[0xb8],                               // mov eax, wall
        &wall.to_le_bytes(),
        &[0x0f, 0xa3, 0xf8], // bt eax, edi
        &[0x48, 0xb8],       // mov rax, epoch
        &epoch.to_le_bytes(),
        &[0x72, 0x0a], // jc over the next
        &[0x48, 0xb8], // mov rax, start
        &start.to_le_bytes(),
        &[0x4c, 0x01, 0xc0], // add rax, r8
        &[0x31, 0xd2],       // xor edx, edx
        &[0xb9],             // mov ecx, 1_000_000_000
        &1_000_000_000_u32.to_le_bytes(),
        &[0x48, 0xf7, 0xf1],       // div rcx
        &[0x48, 0x89, 0x06],       // mov [rsi], rax
        &[0x48, 0x89, 0x56, 0x08], // mov [rsi + 8], rdx
        &[0x31, 0xc0],             // xor eax, eax
        &[0xc3],                   // ret
    ]
    .concat();
    let to_call = |after: usize| (tell.len() + after) as u8;
    [
        &[0x83, 0xff, 0x0b][..],     // cmp edi, 11
        &[0x77, to_call(5 + 3 + 2)], // ja to the system call
        &[0xb8],                     // mov eax, known
        &known.to_le_bytes(),
        &[0x0f, 0xa3, 0xf8], // bt eax, edi
        &[0x73, to_call(0)], // jnc to the system call
        &tell,
        &system_call(libc::SYS_clock_gettime),
    ]
    .concat()
}

/// Holds the bytes of a vDSO. It is a small ELF file with section headers, and is loaded as it is.
struct VdsoImage<'a>(&'a [u8]);

impl<'a> VdsoImage<'a> {
    fn find(&self, pattern: &[u8]) -> Option<u64> {
        let at = self.0.windows(pattern.len()).position(|window| window == pattern)?;
        Some(at as u64)
    }

    fn number<const N: usize>(&self, at: usize) -> Option<u64> {
        let bytes = self.0.get(at..at + N)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Returns the names and the addresses of the functions in the dynamic symbol table.
    fn functions(&self) -> Option<Vec<(&'a [u8], u64)>> {
        const DYNAMIC_SYMBOLS: u64 = 11;
        let (headers, size, count) =
            (self.number::<8>(0x28)?, self.number::<2>(0x3a)?, self.number::<2>(0x3c)?);
        let header = |index: u64| (headers + index * size) as usize;
        let section =
            |at: usize| Some((self.number::<8>(at + 0x18)?, self.number::<8>(at + 0x20)?));
        let table =
            (0..count).map(header).find(|at| self.number::<4>(at + 4) == Some(DYNAMIC_SYMBOLS))?;
        let (symbols, length) = section(table)?;
        let (names, _) = section(header(self.number::<4>(table + 0x28)?))?;
        let symbol = |at: usize| {
            let name = self.0.get((names + self.number::<4>(at)?) as usize..)?;
            Some((name.split(|byte| *byte == 0).next()?, self.number::<8>(at + 8)?))
        };
        (0..length / 24).map(|index| symbol((symbols + 24 * index) as usize)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_this_machine_are_found() {
        let base = auxiliary_vector();
        let mut image = vec![0; 4 * PAGE as usize];
        let length = read_memory(rustix::process::getpid(), base, &mut image).unwrap();
        let image = VdsoImage(&image[..length]);
        let functions = image.functions().unwrap();
        for name in [&b"__vdso_clock_gettime"[..], b"__vdso_time", b"__vdso_getcpu"] {
            assert!(functions.iter().any(|(found, _)| *found == name), "{functions:?}");
        }
        assert!(image.find(&SYSCALL).is_some());
        assert_eq!(VdsoImage(&image.0[..100]).functions(), None);
    }

    /// Returns the address of this process's vDSO.
    fn auxiliary_vector() -> u64 {
        let bytes = std::fs::read("/proc/self/auxv").unwrap();
        let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
        let entries = bytes.chunks_exact(16).map(|entry| (word(&entry[..8]), word(&entry[8..])));
        entries.into_iter().find(|(kind, _)| *kind == libc::AT_SYSINFO_EHDR).unwrap().1
    }

    #[test]
    fn jumps_lead_where_they_are_to() {
        let code = clock_gettime(1, 2, 3);
        let call = code.len() - system_call(libc::SYS_clock_gettime).len();
        assert_eq!(code[call..], system_call(libc::SYS_clock_gettime));
        assert_eq!(5 + usize::from(code[4]), call, "ja");
        assert_eq!(15 + usize::from(code[14]), call, "jnc");
    }
}
