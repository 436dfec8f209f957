//! What of a run a command may not see, so that the same inputs give the same bytes.

/// Hides from a command what differs from run to run: see [`Determinism::LAYER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Determinism {
    /// Where the command's clocks begin: seconds since 1970.
    pub epoch: u64,
    /// What the command's random numbers come from.
    pub seed: u64,
    /// The number of CPUs that the command sees, unless its limits say another one.
    pub cpus: u32,
    /// The order in which a folder's entries are listed.
    pub listing: Listing,
}

/// An order of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// Byte by byte.
    Sorted,
    /// The reverse of that: to find out who relies on an order.
    Reversed,
}

impl Determinism {
    /// Names what the layer does. It changes when that changes, so it belongs in an action key.
    ///
    /// Every process of the command is traced, however it calls the kernel: static binaries and raw
    /// system calls as well. Fixed are:
    /// - random numbers: `getrandom`, `/dev/random`, `/dev/urandom`, the kernel's `AT_RANDOM` bytes;
    ///   each process has a sequence of its own, and all threads that it starts have the same one, so
    ///   that it makes no difference which of them does a piece of work;
    /// - clocks: they begin at the epoch and go on with each look at them, and by the time that a
    ///   thread sleeps; the kernel's way round system calls for the time (vDSO) is replaced;
    /// - files: no time is later than the epoch, access times and inode times are the epoch; inodes and
    ///   devices are numbered as they are seen; links are not counted, and folders have one size;
    /// - the order in which a folder's entries are listed;
    /// - what `/proc` tells of the machine and of how a process is run: lists of mounts, users, processors,
    ///   times, memory, settings of the kernel;
    /// - file systems: kind, size, free space, identity, where a file lies and where it has holes;
    /// - addresses: no address space layout randomisation;
    /// - the number of CPUs and which of them runs, the kernel's version, memory, load and times used, the
    ///   process's own and its children's, and its share of the machine;
    /// - what is left of a timer or a timeout, and when a packet came;
    /// - the ports of sockets that don't choose one, and the numbers of pipes, sockets and namespaces.
    ///
    /// Not fixed are the order in which threads and processes run, process ids as far as they depend
    /// on it, and what the CPU itself tells (time stamp counter, features). docs/reproducibility.md has the
    /// whole list.
    ///
    /// What runs is an ordinary process in all other respects, but can't be debugged by another one.
    pub const LAYER: &'static str = "determinism-3";

    /// The layer as builds use it: with four CPUs, as many compilers can make use of.
    #[must_use]
    pub const fn at(epoch: u64) -> Self {
        Self { epoch, seed: 0, cpus: 4, listing: Listing::Sorted }
    }
}
