//! Assembles the instructions of a system call filter: see `seccomp(2)` and, for classic BPF,
//! `bpf(2)`.

use libc::{BPF_ABS, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ERRNO, sock_filter};

// These are offsets in the kernel's `seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCH: u32 = 4;
pub(super) const FIRST_ARGUMENT: u32 = 16;
pub(super) const LAST_ARGUMENT: u32 = 56;

pub(super) fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

/// Skips `then` instructions if the comparison holds, and `otherwise` instructions if it does not.
pub(super) fn jump(comparison: u32, with: u32, then: u8, otherwise: u8) -> sock_filter {
    instruction(BPF_JMP | comparison | BPF_K, then, otherwise, with)
}

pub(super) fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, 0, 0, value)
}

pub(super) fn errno(error: i32) -> u32 {
    SECCOMP_RET_ERRNO | error as u32
}

pub(super) fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}
