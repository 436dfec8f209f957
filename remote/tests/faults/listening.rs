//! Listens, and has each request of each connection answered by a function.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::exchange::{Body, Error, RUNTIME};

/// Listens at an address, and serves until the tasks are dropped. Returns the address, whose port may have been chosen.
pub(crate) fn listen<A, F>(address: SocketAddr, answer: A) -> (SocketAddr, JoinSet<()>)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Error>> + Send + 'static,
{
    let listener = RUNTIME.block_on(TcpListener::bind(address)).unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn_on(serve(listener, answer), RUNTIME.handle());
    (address, tasks)
}

async fn serve<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Error>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(tower::service_fn(answer.clone()));
        connections.spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // It ends with the connection, in whichever way.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
