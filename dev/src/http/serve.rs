//! Accepts connections and serves them, within limits that no client can exceed at the expense of others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::app::App;

/// The largest number of connections. Further ones wait until one ends.
const MOST_CONNECTIONS: usize = 768;

/// The time that a client has for the head of a request, and for which a connection without one is kept.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// The largest size of the head of a request, in bytes.
const LONGEST_HEAD: usize = 64 << 10;

/// The largest number of headers of a request.
const MOST_HEADERS: usize = 128;

/// The time after which the server tries again to accept connections, for instance because too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop` is ready. Then no connection is accepted any more, and requests in flight may go on for `grace`.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let mut tasks = JoinSet::new();
    tokio::select! {
        () = stop => {}
        () = accept(&listener, &app, &graceful, &mut tasks) => {}
    }
    drop(listener);
    // Pages that listen to events would do so for ever.
    drop(app.tasks.close());
    let finish = async {
        graceful.shutdown().await;
        while tasks.join_next().await.is_some() {}
    };
    // Whoever is still busy after that is cut off.
    let _ = tokio::time::timeout(grace, finish).await;
}

/// Accepts connections for ever.
async fn accept(
    listener: &TcpListener,
    app: &Arc<App>,
    graceful: &GracefulShutdown,
    tasks: &mut JoinSet<()>,
) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&room).acquire_owned() => place.expect("nobody closes the semaphore"),
            Some(_) = tasks.join_next() => continue,
        };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            Some(_) = tasks.join_next() => continue,
        };
        let (app, watcher) = (Arc::clone(app), graceful.watcher());
        tasks.spawn(async move {
            converse(stream, app, watcher).await;
            drop(place);
        });
    }
}

async fn converse(stream: TcpStream, app: Arc<App>, watcher: Watcher) {
    // Without this, small responses wait for an acknowledgement. If it can't be set, they do.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(app.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks off concerns only the client, which knows of it.
    let _ = watcher.watch(connection).await;
}
