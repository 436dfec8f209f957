//! The server as a whole: it listens, serves, and stops.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::connection::Connections;
use crate::front::Front;
use crate::settings::{Collect, Settings};
use crate::stats::Totals;
use crate::tls::{self, TlsError};
use crate::upkeep::look_after;

/// The time for which a silent client is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest number of connections. Further ones wait until one ends.
const MOST_CONNECTIONS: usize = 4096;
/// The number of threads that read and write the store.
const STORE_THREADS: usize = 64;
/// The time after which the server tries again to accept connections, for instance because too many files are open.
const PAUSE: Duration = Duration::from_millis(100);
/// The time for which work on the store may go on when everything else has ended.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// A server that listens already, and serves as soon as it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    collect: Option<Collect>,
    app: Arc<App>,
    stop: watch::Sender<bool>,
}

/// The reason why a server can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The certificate can't be used.
    #[error("cannot use the TLS certificate")]
    Tls(#[from] TlsError),
    /// The threads can't be started.
    #[error("cannot start the server's threads")]
    Threads(#[source] io::Error),
}

/// The work of a server from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The numbers of the whole time.
    pub totals: Totals,
    /// The number of connections that were still busy after the grace period, and were cut off.
    pub cut_off: usize,
}

/// Stops a server, and tells what it did so far. Clones belong to the same server.
#[derive(Clone)]
pub struct Handle {
    app: Arc<App>,
    stop: watch::Sender<bool>,
}

impl Handle {
    /// Makes the server stop, as the future that [`Server::run`] gets may do, too.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns what the server did so far.
    pub fn stats(&self) -> Totals {
        self.app.stats.snapshot().totals()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Checks the certificate and listens. Connections wait until [`Server::run`] is called.
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let (listener, address) = listen(settings.listen)
            .map_err(|source| ServeError::Listen { address: settings.listen, source })?;
        let collect = settings.collect.clone();
        let app = Arc::new(App::new(settings));
        Ok(Self { listener, address, tls, collect, app, stop: watch::Sender::new(false) })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a handle to the server for other threads.
    pub fn handle(&self) -> Handle {
        Handle { app: Arc::clone(&self.app), stop: self.stop.clone() }
    }

    /// Serves until `stop` is ready or [`Handle::stop`] is called. Then no connection is accepted any more, requests in flight may
    /// go on for at most `grace`, and what is left is cut off. What was not finished leaves nothing in the store.
    ///
    /// It has a runtime of its own, in which `stop` is polled, so it must not be called in another one.
    pub fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
        grace: Duration,
    ) -> Result<Served, ServeError> {
        let runtime = runtime().map_err(ServeError::Threads)?;
        let app = Arc::clone(&self.app);
        let address = self.address;
        let served = runtime.block_on(self.serve(stop, grace));
        runtime.shutdown_timeout(LAST_WRITES);
        let cut_off = served.map_err(|source| ServeError::Listen { address, source })?;
        Ok(Served { totals: app.stats.snapshot().totals(), cut_off })
    }

    /// Returns the number of connections that were cut off.
    async fn serve(
        self,
        stop: impl Future<Output = ()> + Send,
        grace: Duration,
    ) -> io::Result<usize> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let front = Front::new(&self.app, PATIENCE);
        let connections = Connections { front, tls: self.tls, patience: PATIENCE };
        let mut upkeep = JoinSet::new();
        upkeep.spawn(look_after(self.app, self.collect));
        let graceful = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        let mut told = self.stop.subscribe();
        tokio::select! {
            () = stop => {}
            // The sender lives as long as this function, so an error can't happen.
            _ = told.wait_for(|stop| *stop) => {}
            () = accept(listener, &connections, &graceful, &mut tasks) => {}
        }
        let busy = tokio::time::timeout(grace, finish(graceful, &mut tasks)).await;
        // Those that ended meanwhile are still in the set.
        while tasks.try_join_next().is_some() {}
        let cut_off = if busy.is_ok() { 0 } else { tasks.len() };
        tasks.shutdown().await;
        upkeep.shutdown().await;
        Ok(cut_off)
    }
}

/// Accepts connections for ever.
async fn accept(
    listener: tokio::net::TcpListener,
    connections: &Connections,
    graceful: &GracefulShutdown,
    tasks: &mut JoinSet<()>,
) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = Arc::clone(&room).acquire_owned().await.expect("nobody closes the semaphore");
        let (stream, peer) = loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => break accepted,
                    // A client that left already, or too many open files.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Some(_) = tasks.join_next() => {}
            }
        };
        let (connections, watcher) = (connections.clone(), graceful.watcher());
        tasks.spawn(async move {
            connections.serve(stream, peer, watcher).await;
            drop(place);
        });
    }
}

/// Tells all connections to end, and waits until they have.
async fn finish(graceful: GracefulShutdown, tasks: &mut JoinSet<()>) {
    graceful.shutdown().await;
    // Connections that are still in their handshake have no requests in flight.
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn runtime() -> io::Result<Runtime> {
    // tokio would read an environment variable if the number of threads were left out.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(STORE_THREADS)
        .thread_name("cache server")
        .enable_all()
        .build()
}
