//! The events that report progress of fetching and unpacking. The command line draws them.
//!
//! The code that sends an event does not know who receives it, so other front ends can show it differently.

use crate::platform::Platform;

/// A receiver for the events of a sync or an install, which come from several threads at once.
pub trait Events: Send + Sync {
    /// Takes one event. It is called by the thread that does the work, so it should pass the event on and
    /// return quickly.
    fn event(&self, event: Event<'_>);

    /// Returns true if the user wants the work to stop. It is called often. Once it returns true, the running
    /// work ends soon, with an error that says that it was cancelled.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Something that happened while packages were fetched or unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Pinning begins.
    Begun {
        /// The number of images that will be pinned. A toolchain counts once for each platform.
        images: usize,
    },
    /// The versions of a toolchain's packages are being looked up.
    Resolving {
        /// The toolchain's name.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform that the image is for.
        platform: Platform,
    },
    /// The packages of a toolchain are known, and its image is being assembled because parts of it are not in
    /// the store.
    Installing {
        /// The toolchain's name.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform that the image is for.
        platform: Platform,
    },
    /// A toolchain is pinned, and its image is in the store.
    Pinned {
        /// The toolchain's name.
        toolchain: &'a str,
        /// Its version.
        version: &'a str,
        /// The platform that the image is for.
        platform: Platform,
        /// The number of packages that were not in the store and had to be fetched.
        fetched: usize,
        /// The number of packages that the toolchain has.
        packages: usize,
        /// True if no registry was asked for the list of packages, because the network is switched off. The
        /// list is then that of the last time, and another machine may pin other packages.
        remembered: bool,
    },
    /// A client of a registry is running and does not report its progress.
    Client {
        /// The client, such as `rustup` or `pip`.
        client: &'a str,
        /// The work that the client does, such as `install 1.95.0`.
        what: &'a str,
    },
    /// Some bytes of a package have arrived.
    Fetching {
        /// The package's file name.
        package: &'a str,
        /// The number of bytes that have arrived so far.
        done: u64,
        /// The number of bytes in all, if it is known.
        total: Option<u64>,
    },
    /// A package is complete, and its bytes are the pinned ones.
    Fetched {
        /// The package's file name.
        package: &'a str,
        /// The package's size in bytes.
        size: u64,
    },
    /// A try to fetch a package failed. The next try begins after a pause.
    Retrying {
        /// The package's file name.
        package: &'a str,
        /// The number of the try that failed, from 1.
        attempt: u32,
        /// The reason why the try failed.
        reason: &'a str,
    },
    /// A package has been unpacked into the store.
    Unpacked {
        /// The package's file name.
        package: &'a str,
    },
    /// A part of an image has been hashed.
    Verifying {
        /// The toolchain's name.
        toolchain: &'a str,
        /// The number of bytes hashed so far.
        done: u64,
    },
    /// A message about something that does not stop the work, but that the user should know.
    Warning(&'a str),
}
