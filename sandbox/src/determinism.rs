//! Configures the determinism layer, which hides from a command what differs from run to run, so
//! that the same inputs give the same bytes.

/// The settings of the determinism layer: [`Determinism::LAYER`] says what it hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Determinism {
    /// The time at which the command's clocks begin, in seconds since 1970.
    pub epoch: u64,
    /// The seed of the command's random numbers.
    pub seed: u64,
    /// The number of CPUs that the command sees, unless its limits set another one.
    pub cpus: u32,
    /// The order in which the entries of a folder are listed.
    pub listing: Listing,
}

/// The order of the entries of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The names are sorted byte by byte.
    Sorted,
    /// The names are sorted the other way round. This finds commands that depend on the order.
    Reversed,
}

impl Determinism {
    /// The name of what the layer does. It changes whenever the layer does something else, so it
    /// belongs in an action key.
    ///
    /// The layer traces every process of the command. It does not matter how a process calls the
    /// kernel, so static binaries and raw system calls are covered as well. It fixes:
    /// - random numbers: `getrandom`, `/dev/random`, `/dev/urandom` and the kernel's `AT_RANDOM`
    ///   bytes. Each process has its own sequence. All threads that it starts have the same
    ///   sequence, so it makes no difference which of them does a piece of work;
    /// - clocks: they begin at the epoch, and advance whenever they are read and by the time that a
    ///   thread sleeps. The code that the kernel provides for reading clocks without a system call
    ///   (the vDSO) is replaced;
    /// - files: no modification time is later than the epoch, access and change times are the
    ///   epoch, inodes and devices are numbered in the order in which they are seen, the number of
    ///   links is always 1, and all folders have the same size;
    /// - the order in which the entries of a folder are listed;
    /// - what `/proc` says about the machine and about how a process runs: mounts, users,
    ///   processors, times, memory and kernel settings;
    /// - file systems: their kind, size, free space and identity, and where a file lies and has
    ///   holes;
    /// - addresses: their layout is not randomised;
    /// - the number of CPUs and the one in use, the kernel's version, memory, load, the times used
    ///   by the process and its children, and their scheduling priority;
    /// - the rest of a timer or a timeout, and the time at which a packet arrived;
    /// - the ports of sockets that don't choose one, and the numbers of pipes, sockets and
    ///   namespaces.
    ///
    /// It does not fix the order in which threads and processes run, process ids as far as they
    /// depend on that order, and what the CPU itself says (time stamp counter, features).
    /// docs/reproducibility.md has the whole list.
    ///
    /// In all other respects a program runs as an ordinary process, but no debugger can attach to
    /// it.
    pub const LAYER: &'static str = "determinism-3";

    /// Returns the layer as builds use it: with four CPUs, as many as compilers can make use of.
    #[must_use]
    pub const fn at(epoch: u64) -> Self {
        Self { epoch, seed: 0, cpus: 4, listing: Listing::Sorted }
    }
}
