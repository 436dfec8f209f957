//! Changes what the kernel gives to a new program besides its arguments: the auxiliary vector, see
//! `getauxval(3)`.

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use super::clock::START;
use super::settings::Settings;
use super::thread::Thread;
use super::vdso::VdsoClocks;
use crate::linux::sys::trace::{Registers, read_memory, write_memory};

/// The number of bytes in a word.
const WORD: u64 = 8;

/// No program can have more words of arguments and variables.
const MOST_WORDS: u64 = 1 << 22;

/// The kernel offers restartable sequences by these entries, and the layer refuses them.
const AT_RSEQ_FEATURE_SIZE: u64 = 27;
const AT_RSEQ_ALIGN: u64 = 28;

/// Prepares a program that has not begun: gives it random bytes of the layer and has it read the
/// layer's clocks. If the clocks can't be installed, the kernel's code is hidden from the program,
/// and it makes system calls for the time.
pub(super) fn prepare(pid: Pid, thread: &mut Thread, settings: Settings) -> Result<()> {
    thread.clocks = None;
    let mut stack = Stack { pid, base: 0, words: Vec::new() };
    let arguments = Registers::of(pid)?.stack_pointer();
    // The stack holds the number of arguments, the arguments and a null, and the variables and a
    // null.
    let mut at = arguments + WORD * (stack.word(arguments)? + 2);
    let mut count = 0;
    while stack.word(at)? != 0 {
        at += WORD;
        count += 1;
        if count > MOST_WORDS {
            return Err(Errno::TOOBIG);
        }
    }
    at += WORD;
    loop {
        let (kind, value) = (stack.word(at)?, stack.word(at + WORD)?);
        match kind {
            libc::AT_NULL => return Ok(()),
            libc::AT_SYSINFO_EHDR => {
                thread.clocks = VdsoClocks::install(pid, value, START, settings.epoch).ok();
                if thread.clocks.is_none() {
                    write_memory(pid, at, &libc::AT_IGNORE.to_ne_bytes())?;
                }
            }
            libc::AT_RANDOM => {
                let mut bytes = [0; 16];
                thread.fill(&mut bytes);
                write_memory(pid, value, &bytes)?;
            }
            AT_RSEQ_FEATURE_SIZE | AT_RSEQ_ALIGN => {
                write_memory(pid, at, &libc::AT_IGNORE.to_ne_bytes())?;
            }
            _ => {}
        }
        at += 2 * WORD;
    }
}

/// Reads the stack of a new program in pieces.
struct Stack {
    pid: Pid,
    base: u64,
    words: Vec<u8>,
}

impl Stack {
    fn word(&mut self, at: u64) -> Result<u64> {
        let is_there = at >= self.base && at + WORD <= self.base + self.words.len() as u64;
        if !is_there {
            self.base = at;
            self.words.resize(4096, 0);
            let length = read_memory(self.pid, at, &mut self.words)?;
            self.words.truncate(length);
        }
        let start = (at - self.base) as usize;
        let word = self.words.get(start..start + WORD as usize).ok_or(Errno::FAULT)?;
        Ok(u64::from_ne_bytes(word.try_into().expect("a word has eight bytes")))
    }
}
