//! The bodies of responses: one that adds the script to a page, and one that is filled while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

use super::inject::Injector;

/// An error of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// Makes a body of bytes that are there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> ResponseBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The body of a page, to which the script is added.
pub(crate) struct Injected<B> {
    body: B,
    injector: Injector,
    /// The trailers of the page, which come after the script.
    last: Option<Frame<Bytes>>,
    is_done: bool,
}

impl<B> Injected<B> {
    pub(crate) fn new(body: B, injector: Injector) -> Self {
        Self { body, injector, last: None, is_done: false }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Injected<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        loop {
            if this.is_done {
                return Poll::Ready(this.last.take().map(Ok));
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(frame))) => frame.into_data(),
                Poll::Ready(None) => {
                    this.is_done = true;
                    let end = this.injector.finish();
                    return Poll::Ready((!end.is_empty()).then(|| Ok(Frame::data(end))));
                }
            };
            match frame {
                Ok(data) => {
                    let data = this.injector.push(data);
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Err(trailers) => {
                    this.is_done = true;
                    this.last = Some(trailers);
                    let end = this.injector.finish();
                    if !end.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(end))));
                    }
                }
            }
        }
    }
}

/// A body that is filled while it is sent.
pub(crate) struct Filled(mpsc::Receiver<Bytes>);

impl Filled {
    /// Makes a body, and the sender that fills it. The body ends when the sender is dropped.
    pub(crate) fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (sender, receiver) = mpsc::channel(4);
        (sender, Self(receiver))
    }
}

impl Body for Filled {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::time::Duration;

    use hyper::HeaderMap;
    use runtime::Patient;
    use tokio::time::Instant;

    use super::*;

    /// A body that was made beforehand.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    #[tokio::test]
    async fn the_script_comes_before_the_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-end", "yes".parse().unwrap());
        let frames = [
            Frame::data(Bytes::from_static(b"a</bo")),
            Frame::data(Bytes::from_static(b"dy>")),
            Frame::trailers(trailers.clone()),
        ];
        let body = Injected::new(Frames(frames.into()), Injector::new("<S>"));
        let collected = body.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "a<S></body>");
        let body = Injected::new(Frames(VecDeque::new()), Injector::new("<S>"));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "<S>");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_given_up() {
        let (sender, body) = Filled::new();
        let mut body = Patient::new(body, Duration::from_secs(10));
        sender.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
        let start = Instant::now();
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the client sent nothing for 10 s");
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }
}
