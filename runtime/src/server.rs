//! Serves a component that handles HTTP requests on a loopback address.
//!
//! The tasks of a server belong to its [`Server`] and end with it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wasmtime_wasi_http::io::TokioIo;

use crate::handler::{Handler, NotAHandler};
use crate::host::Loaded;
use crate::tasks::Tasks;

/// A running server. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// The task that accepts connections.
    acceptor: JoinSet<()>,
    tasks: Tasks,
}

/// The reason why a component could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It does not handle HTTP requests.
    #[error(transparent)]
    NoHandler(#[from] NotAHandler),
    /// The address is not a loopback address, so other machines could reach it.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The server can't listen on the address.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Loaded {
    /// Serves the component over HTTP/1.1. `address` must be a loopback address; port 0 means any free port.
    pub async fn serve(&self, address: SocketAddr) -> Result<Server, ServeError> {
        self.handler()?.serve(address).await
    }

    /// Serves the component by the handler with this name, as [`Loaded::handler_by`] finds it.
    pub async fn serve_by(&self, handler: &str, address: SocketAddr) -> Result<Server, ServeError> {
        self.handler_by(handler)?.serve(address).await
    }
}

impl Handler {
    async fn serve(self, address: SocketAddr) -> Result<Server, ServeError> {
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let cannot_listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let tasks = self.tasks.clone();
        let mut acceptor = JoinSet::new();
        acceptor.spawn(accept(listener, self));
        Ok(Server { address, acceptor, tasks })
    }
}

impl Server {
    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections, aborts the requests that are being handled, and waits until they have ended.
    pub async fn shutdown(mut self) {
        self.acceptor.shutdown().await;
        if let Some(mut tasks) = self.tasks.close() {
            tasks.shutdown().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.close();
    }
}

async fn accept(listener: TcpListener, handler: Handler) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => handler.tasks.spawn(converse(connection, handler.clone())),
            // This process has probably no free descriptor, so another connection has to end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn converse(connection: TcpStream, handler: Handler) {
    let service = service_fn(move |request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(handler.answer(request).await.response) }
    });
    // A connection that breaks off concerns only the client, which knows of it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

#[cfg(test)]
mod tests;
