//! Lends a request's body to one try after another, as long as nobody has read of it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use vhttp::{Body, BodyError};

/// Keeps the body of a request while tries come and go.
///
/// A body that is at hand is lent any number of times. A stream is lent again only while no frame
/// of it was read: then a try that failed before it wrote anything costs nothing, and nothing is
/// buffered.
#[derive(Debug, Clone)]
pub(crate) enum Lender {
    Whole(Bytes),
    Stream(Arc<Stream>),
}

/// How far the sending of the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upload {
    /// Everything that the client sent was taken, and more is to come.
    AwaitsClient,
    /// Something was taken then; `None` when nothing was taken.
    Moved(Option<Instant>),
}

#[derive(Debug)]
pub(crate) struct Stream {
    /// The body, while it is not read.
    body: Mutex<Option<Body>>,
    hint: SizeHint,
    began: Instant,
    /// Milliseconds after `began`, plus one, when a frame was taken last.
    moved: AtomicU64,
    awaits_client: AtomicBool,
    failed: AtomicBool,
}

impl Lender {
    pub(crate) fn new(body: Body) -> Self {
        if body.is_end_stream() {
            return Self::Whole(Bytes::new());
        }
        if let Some(bytes) = body.as_bytes() {
            return Self::Whole(bytes);
        }
        Self::Stream(Arc::new(Stream {
            hint: body.size_hint(),
            body: Mutex::new(Some(body)),
            began: Instant::now(),
            moved: AtomicU64::new(0),
            awaits_client: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }))
    }

    /// The body for one try; `None` when an earlier one has read of it.
    pub(crate) fn lend(&self) -> Option<Body> {
        match self {
            Self::Whole(bytes) => Some(Body::full(bytes.clone())),
            Self::Stream(stream) => stream
                .lock()
                .is_some()
                .then(|| Body::new(Lent { stream: Arc::clone(stream), body: None, read: false })),
        }
    }

    /// Whether another try can have the body.
    pub(crate) fn can_lend(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(stream) => stream.lock().is_some(),
        }
    }

    /// Whether the client broke its body off.
    pub(crate) fn failed(&self) -> bool {
        match self {
            Self::Whole(_) => false,
            Self::Stream(stream) => stream.failed.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn upload(&self) -> Upload {
        match self {
            Self::Whole(_) => Upload::Moved(None),
            Self::Stream(stream) => stream.upload(),
        }
    }
}

impl Stream {
    fn upload(&self) -> Upload {
        if self.awaits_client.load(Ordering::Relaxed) {
            return Upload::AwaitsClient;
        }
        let moved = self.moved.load(Ordering::Relaxed).checked_sub(1);
        Upload::Moved(moved.and_then(|ms| self.began.checked_add(Duration::from_millis(ms))))
    }

    fn note(&self, polled: &Poll<Option<Result<Frame<Bytes>, BodyError>>>) {
        self.awaits_client.store(polled.is_pending(), Ordering::Relaxed);
        if let Poll::Ready(frame) = polled {
            let ms = self.began.elapsed().as_millis();
            let ms = u64::try_from(ms).unwrap_or(u64::MAX - 1).saturating_add(1);
            self.moved.store(ms, Ordering::Relaxed);
            if matches!(frame, Some(Err(_))) {
                self.failed.store(true, Ordering::Relaxed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Body>> {
        // Moved in and out whole.
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body as one try sees it.
#[derive(Debug)]
struct Lent {
    stream: Arc<Stream>,
    /// The body, once this try has begun to read.
    body: Option<Body>,
    /// Whether a frame was read.
    read: bool,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.body.is_none() {
            this.body = this.stream.lock().take();
        }
        let Some(body) = &mut this.body else {
            // An end here would make a shorter request, complete for the origin.
            return Poll::Ready(Some(Err(BodyError::new("another try has read the body"))));
        };
        let polled = Pin::new(body).poll_frame(cx);
        this.read |= polled.is_ready();
        this.stream.note(&polled);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => self.stream.hint,
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.read && self.body.is_some() {
            *self.stream.lock() = self.body.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use http_body_util::channel::{Channel, Sender};

    use super::*;

    fn stream() -> (Sender<Bytes, BodyError>, Lender) {
        let (sender, body) = Channel::new(4);
        (sender, Lender::new(Body::new(body)))
    }

    #[tokio::test]
    async fn a_stream_is_lent_again_until_it_is_read() {
        let (mut sender, lender) = stream();
        drop(lender.lend().unwrap());
        // Asked for, but there was nothing yet: it is given back.
        let mut body = lender.lend().unwrap();
        assert!(poll_once(&mut body).is_pending());
        assert!(!lender.can_lend());
        drop(body);
        let mut body = lender.lend().unwrap();
        sender.send_data(Bytes::from_static(b"a")).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "a");
        drop(body);
        assert!(lender.lend().is_none());
    }

    #[tokio::test]
    async fn bytes_at_hand_are_lent_any_number_of_times() {
        let lender = Lender::new(Body::full("abc"));
        for _ in 0..3 {
            let body = lender.lend().unwrap();
            assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_knows_who_is_waiting_for_whom() {
        let (mut sender, lender) = stream();
        assert_eq!(lender.upload(), Upload::Moved(None));
        let mut body = lender.lend().unwrap();
        assert!(poll_once(&mut body).is_pending());
        assert_eq!(lender.upload(), Upload::AwaitsClient);
        tokio::time::advance(Duration::from_secs(3)).await;
        sender.send_data(Bytes::from_static(b"a")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        assert_eq!(lender.upload(), Upload::Moved(Some(Instant::now())));
        sender.abort(BodyError::new("gone"));
        assert!(body.frame().await.unwrap().is_err());
        assert!(lender.failed());
    }

    fn poll_once(body: &mut Body) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(body).poll_frame(&mut cx)
    }
}
