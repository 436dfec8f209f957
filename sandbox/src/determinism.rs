//! What of a run a command may not see, so that the same inputs give the same bytes.

/// Hides from a command what differs from run to run: see [`Determinism::LAYER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Determinism {
    /// Where the command's clocks begin: seconds since 1970.
    pub epoch: u64,
    /// What the command's random numbers come from.
    pub seed: u64,
}

impl Determinism {
    /// Names what the layer does. It changes when that changes, so it belongs in an action key.
    ///
    /// Every process of the command is traced, however it calls the kernel: static binaries and raw
    /// system calls as well. Fixed are:
    /// - random numbers: `getrandom`, `/dev/random`, `/dev/urandom`, the kernel's `AT_RANDOM` bytes;
    ///   each thread has a sequence of its own;
    /// - clocks: they begin at the epoch and go on with each look at them, and by the time that a
    ///   thread sleeps; the kernel's fast way round system calls (vDSO) is switched off;
    /// - times of files: none is later than the epoch, access times and inode times are the epoch;
    /// - the order in which a folder's entries are listed, up to some thousand of them;
    /// - addresses: no address space layout randomisation;
    /// - the number of CPUs, the kernel's version, memory, load and times used.
    ///
    /// Not fixed are the order in which threads and processes run, process ids as far as they depend
    /// on it, inode numbers, and what the CPU itself tells (time stamp counter, features).
    ///
    /// What runs is an ordinary process in all other respects, but can't be debugged by another one.
    pub const LAYER: &'static str = "determinism-1";

    /// The number of CPUs that a command sees, unless its limits say another one.
    pub const CPUS: u32 = 4;
}
