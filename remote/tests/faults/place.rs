//! Stores and servers in folders of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use cache::{Digest, DigestFunction, DiskStore};
use server::{Handle, Server, Settings};
use tempfile::TempDir;

/// The largest blob that a server of a test takes.
const MAX_BLOB: u64 = 64 << 20;

/// The room that all cases together need at most.
const ROOM: u64 = 2 << 30;

/// Makes a folder: in memory if there is room, because the cases make and remove many small files.
pub(crate) fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    if room > ROOM { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A store.
pub(crate) struct Place {
    pub(crate) store: DiskStore,
    _folder: TempDir,
}

impl Place {
    pub(crate) fn new(function: DigestFunction) -> Self {
        let folder = folder();
        let store = DiskStore::open(&folder.path().join("store"), function).unwrap();
        Self { store, _folder: folder }
    }
}

/// Returns the blobs of a store that do not have their digest. Its threads begin on this one, so that they see the same
/// file systems.
pub(crate) fn damaged(store: &DiskStore) -> Vec<Digest> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    threads.install(|| store.verify_all(&|_| true)).unwrap().damaged
}

/// A server that stops when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) store: DiskStore,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves the store in a folder.
    pub(crate) fn start(folder: &Path, function: DigestFunction) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), folder, function)
    }

    fn start_at(listen: SocketAddr, folder: &Path, function: DigestFunction) -> Self {
        let store = DiskStore::open(folder, function).unwrap();
        let server = Server::bind(settings(listen, store.clone())).unwrap();
        let (address, handle) = (server.address(), server.handle());
        let run = move || {
            server.run(std::future::pending(), Duration::ZERO).unwrap();
        };
        Self { address, store, handle, thread: Some(std::thread::spawn(run)) }
    }

    /// Cuts all connections, and starts the server again at the same address over the same store.
    pub(crate) fn restart(&mut self) {
        let (folder, function) = (self.store.root().to_owned(), self.store.function());
        self.stop();
        *self = Self::start_at(self.address, &folder, function);
    }

    fn stop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // A server that panicked fails the checks that follow.
            let _ = thread.join();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

fn settings(listen: SocketAddr, store: DiskStore) -> Settings {
    Settings {
        listen,
        store,
        instance: None,
        read_token: None,
        write_token: None,
        tls: None,
        max_blob: MAX_BLOB,
        max_size: None,
        read_only: false,
        access_log: None,
        collect: None,
    }
}
