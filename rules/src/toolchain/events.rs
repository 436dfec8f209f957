//! What fetching and unpacking tell while they go on. The command line draws it.

use super::Platform;

/// Receives the events of a sync or an install, from several threads at once.
pub trait Events: Send + Sync {
    /// Takes one event. Called on the way of the work: hand it on and return.
    fn event(&self, event: Event<'_>);

    /// Whether the user wants it to stop. Asked often; what runs then ends soon, with an error that says so.
    fn cancelled(&self) -> bool {
        false
    }
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// So many images are going to be pinned.
    Begun {
        /// A toolchain counts once for each platform.
        images: usize,
    },
    /// The versions of a toolchain's packages are looked up.
    Resolving {
        /// The toolchain.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform it is for.
        platform: Platform,
    },
    /// The packages of a toolchain are known, and some of its image is not in the store: it is put together.
    Installing {
        /// The toolchain.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform it is for.
        platform: Platform,
    },
    /// A toolchain is pinned, and its image is in the store.
    Pinned {
        /// The toolchain.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform it is for.
        platform: Platform,
        /// How many packages were not in the store.
        fetched: usize,
        /// How many packages it has.
        packages: usize,
        /// Whether no registry was asked which packages these are, as the network is switched off: they are
        /// those of the last time, and another machine may pin others.
        remembered: bool,
    },
    /// A client of a registry works, and does not say how far it is.
    Client {
        /// The client: `rustup`, `pip`.
        client: &'a str,
        /// What it does, such as `install 1.95.0`.
        what: &'a str,
    },
    /// Bytes of a package came in.
    Fetching {
        /// The package's file name.
        package: &'a str,
        /// How many so far.
        done: u64,
        /// How many in all, if that is known.
        total: Option<u64>,
    },
    /// A package is complete and has the pinned bytes.
    Fetched {
        /// The package's file name.
        package: &'a str,
        /// How long it is.
        size: u64,
    },
    /// A try failed; the next one begins after a pause.
    Retrying {
        /// The package's file name.
        package: &'a str,
        /// The number of the try that failed, from 1.
        attempt: u32,
        /// Why it failed.
        reason: &'a str,
    },
    /// A package is unpacked into the store.
    Unpacked {
        /// The package's file name.
        package: &'a str,
    },
    /// So many bytes of an image have been hashed.
    Verifying {
        /// The toolchain.
        toolchain: &'a str,
        /// How many bytes so far.
        done: u64,
    },
    /// Something that does not stop the work, but that the user should know.
    Warning(&'a str),
}
