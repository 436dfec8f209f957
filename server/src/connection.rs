//! One connection: TLS or none, and HTTP/1.1 or HTTP/2, whichever the client begins with.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::front::Front;
use crate::patience::PatientStream;

/// The largest size of the head of a request in bytes.
const LARGEST_HEAD: u32 = 64 << 10;
/// The largest number of requests at once on a connection.
const MOST_STREAMS: u32 = 256;
/// The number of bytes that a client may send ahead in one request, and in all requests of a connection: enough for 300 MB/s
/// over a distance of 50 ms. A stream carries no more than this in each round trip.
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Serves connections.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) front: Front,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) patience: Duration,
}

impl Connections {
    /// Serves one connection until it ends. After `watcher` was told to stop, it ends with the requests in flight.
    pub(crate) async fn serve(self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Answers are often small, and the client waits for each.
        _ = stream.set_nodelay(true);
        let stream = PatientStream::new(stream, self.patience);
        match self.tls.clone() {
            None => self.serve_stream(stream, peer, watcher).await,
            Some(tls) => {
                let handshake = tokio::time::timeout(self.patience, tls.accept(stream)).await;
                if let Ok(Ok(stream)) = handshake {
                    self.serve_stream(stream, peer, watcher).await;
                }
            }
        }
    }

    async fn serve_stream<S>(self, stream: S, peer: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let front = self.front.clone();
        let service = service_fn(move |request| {
            let answer = front.clone().answer(peer, request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        // An error here means that the client is gone or speaks something else. Its requests were reported already.
        _ = watcher.watch(connection).await;
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .max_buf_size(LARGEST_HEAD as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.patience / 2)
            .keep_alive_timeout(self.patience / 2)
            .max_header_list_size(LARGEST_HEAD)
            .max_concurrent_streams(MOST_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        builder
    }
}
