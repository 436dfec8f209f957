//! Stands between client and server: a line that breaks, TLS, and a proxy.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{
    AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Runs an accept loop on a thread of its own. Returns its address.
fn listen<F>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(handle(stream));
            }
        });
    });
    address
}

/// A line to `to` that breaks once, after `limit` bytes from the server. Later connections are whole.
pub(super) fn breaking(to: SocketAddr, limit: i64) -> SocketAddr {
    let left = Arc::new(AtomicI64::new(limit));
    listen(move |mut near| {
        let left = Arc::clone(&left);
        async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            let mut buffer = vec![0; 8 << 10];
            let (mut near_in, mut near_out) = near.split();
            let (mut far_in, mut far_out) = far.split();
            let down = async {
                while let Ok(count @ 1..) = far_in.read(&mut buffer).await {
                    let before = left.fetch_sub(i64::try_from(count).unwrap(), Ordering::Relaxed);
                    let breaks = before > 0 && before <= i64::try_from(count).unwrap();
                    if breaks || near_out.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                () = down => {}
                _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
            }
        }
    })
}

/// TLS in front of `to`.
pub(super) fn tls(to: SocketAddr, config: rustls::ServerConfig) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listen(move |near| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut near) = acceptor.accept(near).await else { return };
            let mut far = TcpStream::connect(to).await.unwrap();
            // It ends with the connection.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    })
}

/// A proxy that knows CONNECT only, wants a login, and leads every connection to `to`.
pub(super) fn proxy(to: SocketAddr) -> SocketAddr {
    listen(move |near| async move {
        let mut near = BufReader::new(near);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && near.read_line(&mut head).await.unwrap_or(0) > 0 {}
        let allowed = head.starts_with("CONNECT cache.example:9092 HTTP/1.1\r\n")
            && head.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz");
        if !allowed {
            let _ = near.write_all(b"HTTP/1.1 407 No\r\n\r\n").await;
            return;
        }
        let _ = near.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let mut far = TcpStream::connect(to).await.unwrap();
        let _ = copy_bidirectional(&mut near, &mut far).await;
    })
}
