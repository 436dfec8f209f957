//! The settings that a server is made of. The crate reads no file, environment variable or argument for its configuration.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use cache::DiskStore;

use crate::auth::Token;
use crate::exchange::Access;

/// Everything that a [`Server`](crate::Server) depends on.
pub struct Settings {
    /// The address to listen on. Port 0 takes a free port, which [`Server::address`](crate::Server::address) tells.
    pub listen: SocketAddr,
    /// The store that is served. Both digest functions are served, whichever one the store's own is.
    pub store: DiskStore,
    /// The only instance name that gRPC requests may have. With `None`, every name is accepted, and all names share one
    /// cache.
    pub instance: Option<String>,
    /// The token that reading needs. With `None`, anyone may read.
    pub read_token: Option<Token>,
    /// The token that writing needs; whoever has it may also read. With `None`, whoever may read may write as well.
    pub write_token: Option<Token>,
    /// The server's certificate. With `None`, connections are not encrypted.
    pub tls: Option<Tls>,
    /// The largest size in bytes of a blob that may be uploaded.
    pub max_blob: u64,
    /// The size in bytes that the store should stay below. The server only shows it; [`Settings::collect`] enforces it.
    pub max_size: Option<u64>,
    /// Refuses every upload, whatever token comes with it.
    pub read_only: bool,
    /// Is called once for each request, after its answer has been sent or has failed.
    pub access_log: Option<AccessLog>,
    /// Removes from the store what has not been used for the longest time, until the store is small enough. Is called when the
    /// server starts, every minute, and after many bytes were uploaded, but never by two threads at once.
    pub collect: Option<Collect>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("store", &self.store.root())
            .field("instance", &self.instance)
            .field("max_blob", &self.max_blob)
            .field("max_size", &self.max_size)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

/// A function that hears of every request.
pub type AccessLog = Box<dyn Fn(&Access) + Send + Sync>;

/// A function that makes the store smaller if it is too large. The error is a message for the operator.
pub type Collect = Arc<dyn Fn() -> Result<Collected, String> + Send + Sync>;

/// The outcome of one [`Collect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// The number of bytes that were removed.
    pub removed_bytes: u64,
    /// The size of the store afterwards, in bytes.
    pub kept_bytes: u64,
}

/// A certificate with its key, in PEM form.
#[derive(Clone)]
pub struct Tls {
    /// The server's certificate, and after it those that lead to a root.
    pub certificates: Vec<u8>,
    /// The private key of the server's certificate.
    pub key: Vec<u8>,
    /// Root certificates. If given, only clients with a certificate that leads to one of them may connect.
    pub client_roots: Option<Vec<u8>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
