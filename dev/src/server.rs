//! The development server as a whole: it listens, builds, serves, and stops.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use runtime::{Buckets, Network, StartError};
use tokio::sync::watch;

use crate::board::Board;
use crate::compiled::Compiler;
use crate::front::{Front, Message};
use crate::grants::Offer;
use crate::http::{self, App};
use crate::seal::{Seal, SealError};
use crate::watch::{Area, Changes, Follower, WatchError};
use crate::work::{Commands, Loader, Parts, Workshop};

/// The time that requests have to end when the server is stopped.
const GRACE: Duration = Duration::from_millis(300);

/// The time that everything else has to end after that.
const LAST_WORK: Duration = Duration::from_millis(200);

/// Everything that the development server is started with.
pub struct Settings {
    /// The folder of the project, without symbolic links.
    pub folder: PathBuf,
    /// The address to listen on. Port 0 means any free port.
    pub address: SocketAddr,
    /// The name under which others may reach the server.
    pub own_host: Option<String>,
    /// The variables and values that components can be granted.
    pub offer: Offer,
    /// The network for requests of components. Without one, they fail.
    pub network: Option<Network>,
    /// The file with the secret by which this user knows the machine code that they have made.
    pub seal: PathBuf,
    /// The program that the server is a part of.
    pub front: Arc<dyn Front>,
}

/// A development server that listens already. Connections wait until it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    settings: Settings,
    compiler: Compiler,
    changes: Arc<Changes>,
    stop: watch::Sender<bool>,
}

/// Stops a server. Clones belong to the same server.
#[derive(Clone)]
pub struct Stop {
    changes: Arc<Changes>,
    stop: watch::Sender<bool>,
}

/// The reason why the development server can't run.
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
    /// Components can't be run.
    #[error(transparent)]
    Runtime(#[from] StartError),
    /// The secret can't be used.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Changes of files can't be heard of.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// Threads can't be started.
    #[error("cannot start the server's threads")]
    Threads(#[source] io::Error),
}

impl Stop {
    /// Stops the server, and the build in flight.
    pub fn stop(&self) {
        self.changes.stop();
        self.stop.send_replace(true);
    }
}

impl Server {
    /// Listens, and sets up everything that does not depend on the project.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let asked = settings.address;
        let cannot_listen = |source| ServeError::Listen { address: asked, source };
        let listener = TcpListener::bind(asked).map_err(cannot_listen)?;
        listener.set_nonblocking(true).map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let seal = Arc::new(Seal::open(&settings.seal)?);
        let compiler = Compiler::for_server(seal)?;
        let (changes, stop) = (Arc::default(), watch::Sender::new(false));
        Ok(Self { listener, address, settings, compiler, changes, stop })
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what stops the server.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        Stop { changes: Arc::clone(&self.changes), stop: self.stop.clone() }
    }

    /// Builds and serves until it is stopped. It has a tokio runtime of its own, so it must not be called in another one.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub fn run(self) -> Result<(), ServeError> {
        let Self { listener, address, settings, compiler, changes, stop } = self;
        let Settings { folder, own_host, offer, network, front, .. } = settings;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // tokio would read an environment variable if the number of threads were left out.
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(2))
            .thread_name("dev server")
            .enable_all()
            .build()
            .map_err(ServeError::Threads)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let board = Arc::new(Board::new(name));
        let app = Arc::new(App::new(board, Arc::default(), Arc::clone(&front), own_host));
        let warn = {
            let front = Arc::clone(&front);
            Box::new(move |text: &str| front.tell(&Message::Warning(text)))
        };
        let follower = Follower::new(Area::new(folder.clone()), Arc::clone(&changes), warn)?;
        let workshop = Workshop::new(Parts {
            app: Arc::clone(&app),
            changes: Arc::clone(&changes),
            follower,
            loader: Loader {
                compiler,
                handle: tokio.handle().clone(),
                offer,
                network,
                buckets: Buckets::default(),
            },
            commands: Commands::new(tokio.handle().clone(), front, Arc::clone(&app.board)),
            folder,
            url: format!("http://{address}"),
        });
        let worker = std::thread::Builder::new().name("builds".to_owned());
        let worker = worker.spawn(move || workshop.run()).map_err(ServeError::Threads)?;
        let mut told = stop.subscribe();
        let served = tokio.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            // The sender lives as long as this function, so an error can't happen.
            let stopped = async { _ = told.wait_for(|stop| *stop).await };
            http::serve(listener, app, stopped, GRACE).await;
            Ok(())
        });
        changes.stop();
        // A build that was cancelled kills its commands, and then the thread ends.
        let _ = worker.join();
        tokio.shutdown_timeout(LAST_WORK);
        served.map_err(|source| ServeError::Listen { address, source })
    }
}
