//! The body of a message whose sender may not be silent for too long.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The error that a client sent nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the client sent nothing for {} s", .0.as_secs())]
pub(crate) struct Silent(Duration);

/// A body that fails if its sender is silent for too long.
pub struct Patient<B> {
    body: B,
    patience: Duration,
    silence: Pin<Box<Sleep>>,
}

impl<B> Patient<B> {
    /// Makes a body that waits for this time between two pieces. It has to be called on a thread of a tokio runtime.
    pub fn new(body: B, patience: Duration) -> Self {
        Self { body, patience, silence: Box::pin(sleep(patience)) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Patient<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(frame) = frame {
            let later = Instant::now() + self.patience;
            self.silence.as_mut().reset(later);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match self.silence.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Silent(self.patience).into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
