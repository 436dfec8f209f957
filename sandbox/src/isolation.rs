//! Names the means by which commands are kept apart from the machine.

/// Names the means by which commands are kept apart from the machine.
/// [`Namespaces`](Self::Namespaces) is the default. The others are weaker, for machines without
/// namespaces, and are used only if they are asked for by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The command has its own file tree, processes, users, network and host name.
    #[default]
    Namespaces,
    /// Landlock and a system call filter keep the command from reading and writing what its
    /// specification does not mount, from the network and from other processes. The paths in its
    /// system calls are translated, so that it sees its file tree. It can still find out the
    /// machine's user, host name, processors and mounts, and the names of all processes. Root can't
    /// use this.
    Weak,
    /// The paths in the command's system calls are translated, so that it sees its file tree.
    /// Nothing keeps it from going around the translation.
    None,
}

impl Isolation {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Weak, Self::None];

    /// Returns the name that the command line uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Weak => "weak",
            Self::None => "none",
        }
    }

    /// Returns the isolation with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isolation| isolation.name() == name)
    }

    /// Names the fixed part of what a command sees. The name changes whenever that part changes, so
    /// it belongs in an action key.
    ///
    /// With namespaces, the fixed part is this: `/` is a read-only tmpfs;
    /// `/etc/{passwd,group,hosts,nsswitch.conf,resolv.conf}` exist;
    /// `/dev/{null,zero,full,random,urandom,shm}` and the links to `/proc/self/fd` exist; `/proc`
    /// is read-only; `/tmp` is writable and empty. The user is in no other group, and the only
    /// network interface is the loopback interface. The rest is in
    /// [`View::STANDARD`](crate::View::STANDARD). The weaker means show the same files.
    pub const fn view(self) -> &'static str {
        match self {
            Self::Namespaces => "linux-namespaces-2",
            Self::Weak => "linux-weak-3",
            Self::None => "linux-none-3",
        }
    }
}
