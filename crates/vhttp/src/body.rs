//! `Body`: the one body type, which unwraps itself instead of nesting.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended before it was complete.
///
/// What the sender or the transport said is in [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct BodyError {
    source: BoxError,
}

impl BodyError {
    /// Keeps `source` as the cause; a `BodyError` is taken as it is, not wrapped again.
    pub fn new(source: impl Into<BoxError>) -> Self {
        match source.into().downcast::<Self>() {
            Ok(already) => *already,
            Err(source) => Self { source },
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body ended before it was complete")
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}

/// The body of a request or a response.
///
/// A concrete type, so that layers need no type parameter for it, and an enum inside, so that the
/// common bodies need no box: nothing, one chunk, what hyper received, and anything else boxed.
/// Wrapping a `Body` in a `Body` gives the inner one back.
///
/// Cancel safety: a body that is dropped has simply not been read to its end.
///
/// ```
/// use http_body::Body as _;
/// use vhttp::Body;
///
/// let body = Body::full("hello");
/// assert_eq!(body.size_hint().exact(), Some(5));
/// let same = Body::new(body);
/// assert_eq!(same.as_bytes().as_deref(), Some(&b"hello"[..]));
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    #[cfg(feature = "hyper")]
    Incoming(hyper::body::Incoming),
    Boxed(Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>),
}

impl Body {
    /// A body of no bytes.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body of one chunk; no bytes at all make an empty body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self(Kind::Empty) } else { Self(Kind::Full(bytes)) }
    }

    /// Takes any body. A `Body`, or hyper's `Incoming` with the feature `hyper`, is taken as it
    /// is; everything else costs one box.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut slot = Some(body);
        if let Some(own) = (&mut slot as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        #[cfg(feature = "hyper")]
        if let Some(incoming) =
            (&mut slot as &mut dyn Any).downcast_mut::<Option<hyper::body::Incoming>>()
        {
            return incoming.take().map(|body| Self(Kind::Incoming(body))).unwrap_or_default();
        }
        slot.map(|body| Self(Kind::Boxed(Box::pin(Erased { body })))).unwrap_or_default()
    }

    /// The whole body, when it is at hand as one chunk (or as none).
    #[must_use]
    pub fn as_bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Kind::Empty => Some(Bytes::new()),
            Kind::Full(bytes) => Some(bytes.clone()),
            #[cfg(feature = "hyper")]
            Kind::Incoming(_) => None,
            Kind::Boxed(_) => None,
        }
    }

    /// A second body of the same bytes, when the whole body is at hand.
    ///
    /// A request with such a body can be sent again.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        self.as_bytes().map(Self::full)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match &mut this.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                this.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            #[cfg(feature = "hyper")]
            Kind::Incoming(body) => {
                Pin::new(body).poll_frame(cx).map(|frame| frame.map(|f| f.map_err(BodyError::new)))
            }
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            #[cfg(feature = "hyper")]
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            #[cfg(feature = "hyper")]
            Kind::Incoming(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            #[cfg(feature = "hyper")]
            Kind::Incoming(_) => "incoming",
            Kind::Boxed(_) => "boxed",
        };
        let size = self.size_hint();
        f.debug_struct("Body")
            .field("kind", &kind)
            .field("at_least", &size.lower())
            .field("at_most", &size.upper())
            .finish()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::full(text)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::full(text)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::full(bytes)
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

#[cfg(feature = "hyper")]
impl From<hyper::body::Incoming> for Body {
    fn from(body: hyper::body::Incoming) -> Self {
        Self(Kind::Incoming(body))
    }
}

pin_project_lite::pin_project! {
    /// Turns a foreign body's error into ours.
    struct Erased<B> {
        #[pin]
        body: B,
    }
}

impl<B> HttpBody for Erased<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.project().body.poll_frame(cx).map(|frame| frame.map(|f| f.map_err(BodyError::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[test]
    fn a_body_of_a_body_is_the_inner_one() {
        let body = Body::new(Body::new(Body::full("x")));
        assert!(matches!(body.0, Kind::Full(_)));
    }

    #[tokio::test]
    async fn a_foreign_body_keeps_its_bytes_and_size() {
        let body = Body::new(Full::new(Bytes::from_static(b"abc")));
        assert_eq!(body.size_hint().exact(), Some(3));
        assert!(body.as_bytes().is_none());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
    }

    #[tokio::test]
    async fn a_full_body_ends_after_its_chunk() {
        let mut body = Body::full("abc");
        assert!(!body.is_end_stream());
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "abc");
        assert!(body.is_end_stream());
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn an_error_is_wrapped_once() {
        let error = BodyError::new(BodyError::new("cut"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "cut");
    }
}
