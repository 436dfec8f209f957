//! A server in a thread of this process, over a store of its own, and the clients that talk to it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bazel_remote_apis::build::bazel::remote::execution::v2 as reapi;
use bazel_remote_apis::google::bytestream::byte_stream_client::ByteStreamClient;
use cache::{Digest, DigestFunction, DiskStore};
use reapi::action_cache_client::ActionCacheClient;
use reapi::capabilities_client::CapabilitiesClient;
use reapi::content_addressable_storage_client::ContentAddressableStorageClient;
use reapi::digest_function::Value;
use server::{Access, Handle, Server, Settings, Token};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

pub(crate) const MAX_BLOB: u64 = 16 << 20;

/// A server that stops when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) store: DiskStore,
    pub(crate) handle: Handle,
    pub(crate) log: Arc<Mutex<Vec<Access>>>,
    thread: Option<JoinHandle<server::Served>>,
    _folder: TempDir,
}

impl Served {
    /// Starts a server that everybody may use.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| {})
    }

    /// Starts a server with other settings.
    pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let store = DiskStore::open(&path, DigestFunction::Blake3).unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let mut settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            store: store.clone(),
            instance: None,
            read_token: None,
            write_token: None,
            tls: None,
            max_blob: MAX_BLOB,
            max_size: Some(1 << 30),
            read_only: false,
            access_log: Some(Box::new(move |access| lines.lock().unwrap().push(access.clone()))),
            collect: None,
        };
        change(&mut settings);
        let server = Server::bind(settings).unwrap();
        let (address, handle) = (server.address(), server.handle());
        let run = move || server.run(std::future::pending(), Duration::from_secs(3)).unwrap();
        let thread = Some(std::thread::spawn(run));
        Self { address, store, handle, log, thread, _folder: folder }
    }

    /// Stops the server and waits for its end.
    pub(crate) fn stop(&mut self) -> server::Served {
        self.handle.stop();
        self.thread.take().unwrap().join().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url("")).unwrap().connect().await.unwrap()
    }

    pub(crate) async fn cas(&self) -> ContentAddressableStorageClient<Channel> {
        ContentAddressableStorageClient::new(self.channel().await)
    }

    pub(crate) async fn actions(&self) -> ActionCacheClient<Channel> {
        ActionCacheClient::new(self.channel().await)
    }

    pub(crate) async fn streams(&self) -> ByteStreamClient<Channel> {
        ByteStreamClient::new(self.channel().await)
    }

    pub(crate) async fn capabilities(&self) -> CapabilitiesClient<Channel> {
        CapabilitiesClient::new(self.channel().await)
    }

    /// Stores bytes without the server.
    pub(crate) fn put(&self, function: DigestFunction, bytes: &[u8]) -> Digest {
        let digest = Digest::of(function, bytes);
        assert!(self.store.put_as(&digest, bytes).unwrap());
        digest
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            // A test that fails is told why; a server that panicked too adds nothing.
            _ = thread.join();
        }
    }
}

/// Runs a test's requests.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// Returns bytes that do not repeat soon.
pub(crate) fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// The sizes of blobs that are tried: empty, tiny, in memory, and in a file.
pub(crate) const SIZES: [usize; 4] = [0, 1, 64 << 10, (5 << 20) + 3];

pub(crate) fn wire(digest: &Digest) -> reapi::Digest {
    let wire = digest.to_reapi();
    reapi::Digest { hash: wire.hash, size_bytes: wire.size_bytes }
}

pub(crate) fn number(function: DigestFunction) -> i32 {
    match function {
        DigestFunction::Blake3 => Value::Blake3 as i32,
        DigestFunction::Sha256 => Value::Sha256 as i32,
    }
}

pub(crate) fn token(secret: &str) -> Option<Token> {
    Some(Token::new(secret).unwrap())
}

/// Returns a client for plain HTTP.
pub(crate) fn client() -> reqwest::Client {
    client_builder().build().unwrap()
}

/// Returns a client that can be changed.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    // Only the first call in this process can install something.
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy()
}

/// Waits until something is so, which should not take long.
pub(crate) fn wait_until(what: &str, is_done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}
