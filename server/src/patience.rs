//! Limits on how long a silent peer is waited for.
//!
//! Each wait begins anew with every byte that moves. So a slow client may take as long as it needs, and one that is gone, or
//! holds a connection on purpose, does not keep a file or a connection for ever.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::failure::Failure;

/// Measures one wait at a time.
#[derive(Debug)]
struct Timer {
    limit: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn new(limit: Duration) -> Self {
        Self { limit, running: None }
    }

    fn reset(&mut self) {
        self.running = None;
    }

    /// Starts to wait, or goes on with it. Is ready when the limit is reached.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.running.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    }
}

/// A request's body that fails if no byte arrives for too long.
#[derive(Debug)]
pub(crate) struct PatientBody<B> {
    inner: B,
    timer: Timer,
}

impl<B> PatientBody<B> {
    pub(crate) fn new(inner: B, limit: Duration) -> Self {
        Self { inner, timer: Timer::new(limit) }
    }
}

impl<B> Body for PatientBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<tonic::codegen::StdError>,
{
    type Data = Bytes;
    type Error = tonic::codegen::StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.timer.reset();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.timer.poll(cx));
        // tonic hands a `Status` on to the service as it is.
        Poll::Ready(Some(Err(Status::from(Failure::Slow).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A connection that fails if the peer sends nothing at all at first, or later does not take what is sent to it.
#[derive(Debug)]
pub(crate) struct PatientStream<S> {
    inner: S,
    has_heard: bool,
    reading: Timer,
    writing: Timer,
}

impl<S> PatientStream<S> {
    pub(crate) fn new(inner: S, limit: Duration) -> Self {
        Self { inner, has_heard: false, reading: Timer::new(limit), writing: Timer::new(limit) }
    }

    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.writing.reset();
            return result;
        }
        ready!(self.writing.poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if result.is_ready() || self.has_heard {
            self.has_heard = true;
            self.reading.reset();
            return result;
        }
        ready!(self.reading.poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(cx, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_flush(cx);
        self.written(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_stream::StreamExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(80);

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Returns a body of three frames with a pause before each.
    fn body(pause: Duration) -> PatientBody<impl Body<Data = Bytes, Error = io::Error> + Unpin> {
        let frames = tokio_stream::iter(0..3).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, io::Error>(Frame::data(Bytes::from_static(b"abc")))
        });
        PatientBody::new(StreamBody::new(Box::pin(frames)), LIMIT)
    }

    #[test]
    fn a_slow_body_is_fine_and_a_silent_one_is_not() {
        runtime().block_on(async {
            let slow = body(LIMIT / 2).collect().await.unwrap();
            assert_eq!(slow.to_bytes().len(), 9);
            let error = body(LIMIT * 3).collect().await.unwrap_err();
            let status = error.downcast::<Status>().unwrap();
            assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        });
    }

    #[test]
    fn a_peer_has_to_speak_first_and_to_listen_later() {
        runtime().block_on(async {
            let (near, mut far) = tokio::io::duplex(16);
            let mut near = PatientStream::new(near, LIMIT);
            let silent = near.read_u8().await.unwrap_err();
            assert_eq!(silent.kind(), io::ErrorKind::TimedOut);
            far.write_u8(1).await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), 1);
            // Silence is no error any more, because a connection may be idle between requests.
            let idle = tokio::time::timeout(LIMIT * 3, near.read_u8()).await;
            assert!(idle.is_err());
            let deaf = near.write_all(&[0; 64]).await.unwrap_err();
            assert_eq!(deaf.kind(), io::ErrorKind::TimedOut);
        });
    }
}
