//! By which means commands are kept apart from the machine.

/// By which means commands are kept apart from the machine. [`Namespaces`](Self::Namespaces) is the one
/// to use; the others are for machines that don't offer them, and for those who ask for it by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// A command has a file tree, processes, users, a network and a host name of its own.
    #[default]
    Namespaces,
    /// Landlock and a system call filter keep a command from reading and writing what its
    /// specification does not mount, from the network and from other processes. It sees its file tree
    /// by translation of the paths in its system calls; of the machine it can find out its user, host
    /// name, processors, mounts and the names of all processes. Not for root.
    Weak,
    /// A command sees its file tree by translation of paths; nothing keeps it from going around that.
    None,
}

impl Isolation {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::Namespaces, Self::Weak, Self::None];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Weak => "weak",
            Self::None => "none",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|isolation| isolation.name() == name)
    }

    /// Names the fixed part of what a command sees. It changes when that part changes, so it belongs
    /// in an action key.
    ///
    /// The fixed part, with namespaces: `/` is a read-only tmpfs;
    /// `/etc/{passwd,group,hosts,nsswitch.conf,resolv.conf}`;
    /// `/dev/{null,zero,full,random,urandom,shm}` and the links to `/proc/self/fd`; `/proc`,
    /// read-only; `/tmp`, writable and empty. There are no other groups than the user's, the only
    /// network interface is the loopback one, and the rest is what
    /// [`View::STANDARD`](crate::View::STANDARD) says. The others show the same files.
    pub const fn view(self) -> &'static str {
        match self {
            Self::Namespaces => "linux-namespaces-2",
            Self::Weak => "linux-weak-3",
            Self::None => "linux-none-3",
        }
    }
}
