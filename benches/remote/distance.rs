//! A proxy that makes a server seem far away: all bytes arrive later by half of the round-trip time, and a connection needs
//! one round trip to be made. Bandwidth is not limited, and no packet is lost.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The bytes that are read at once, and the number of such pieces that are on their way.
const PIECE: usize = 256 << 10;
const PIECES: usize = 512;

/// A server at some distance.
pub(super) struct Distance {
    /// The URL of the server as it is seen from here.
    pub(super) url: String,
    _proxy: Option<Runtime>,
}

impl Distance {
    pub(super) fn new(url: &str, round_trip: Duration) -> Self {
        if round_trip.is_zero() {
            return Self { url: url.to_owned(), _proxy: None };
        }
        let (scheme, address) = url.split_once("://").unwrap();
        let to: SocketAddr = address.trim_end_matches('/').parse().unwrap();
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let near = listener.local_addr().unwrap();
        runtime.handle().spawn(serve(listener, to, round_trip / 2));
        Self { url: format!("{scheme}://{near}"), _proxy: Some(runtime) }
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, delay: Duration) {
    let mut connections = JoinSet::new();
    loop {
        let (near, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            // The client believes to be connected already.
            tokio::time::sleep(2 * delay).await;
            let far = TcpStream::connect(to).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::join!(carry(near_in, far_out, delay), carry(far_in, near_out, delay));
        });
    }
}

/// Carries bytes in one direction, until either side ends.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let read = async move {
        let mut piece = vec![0; PIECE];
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            let arrives = Instant::now() + delay;
            if sender.send((arrives, piece[..count].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((arrives, piece)) = receiver.recv().await {
            tokio::time::sleep_until(arrives.into()).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown().await;
    };
    tokio::join!(read, write);
}
