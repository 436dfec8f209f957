//! An output stream whose last bytes are kept in memory.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Keeps the last `limit` bytes that were written. The end matters most when a component fails,
/// and a component that writes without end must neither fill the memory nor be stopped by a full
/// pipe.
#[derive(Clone, Debug)]
pub(crate) struct OutputTail {
    limit: usize,
    bytes: Arc<Mutex<Vec<u8>>>,
}

/// The largest number of bytes that is accepted in one write. WASI asks for such a bound.
const PERMIT: usize = 1 << 16;

impl OutputTail {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: Arc::default() }
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut *self.bytes());
        let surplus = bytes.len().saturating_sub(self.limit);
        bytes.drain(..surplus);
        bytes
    }

    pub(crate) fn push(&self, new: &[u8]) {
        let mut bytes = self.bytes();
        bytes.extend_from_slice(new);
        // The beginning is cut off only when twice the limit is reached, so that most writes move no bytes.
        if bytes.len() > self.limit.saturating_mul(2) {
            let surplus = bytes.len() - self.limit;
            bytes.drain(..surplus);
        }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for OutputTail {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for OutputTail {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for OutputTail {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[async_trait]
impl Pollable for OutputTail {
    async fn ready(&mut self) {}
}

impl AsyncWrite for OutputTail {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let capture = OutputTail::new(4);
        for byte in b"0123456789" {
            capture.push(&[*byte]);
        }
        assert_eq!(capture.take(), b"6789");
        assert_eq!(capture.take(), b"");
        capture.push(b"abc");
        assert_eq!(capture.take(), b"abc");
        capture.push(&[b'x'; 100]);
        assert_eq!(capture.take(), b"xxxx");
    }
}
