//! An answer as it is kept, and as bytes.
//!
//! ```text
//! 0      version, 1
//! 1      what follows: 1 an answer, 2 nothing, because it was too large
//! 2..4   status
//! 4..    fields: number (u16), each name length (u16), name, value length (u32), value
//!        trailers, likewise; all ones as the number where there are none
//!        the content
//! ```

use std::time::SystemTime;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use vhttp::{Body, BodyError, hop};

const VERSION: u8 = 1;
const ANSWER: u8 = 1;
const TOO_LARGE: u8 = 2;
/// Stands for "no trailers"; a message has never so many fields.
const NONE: u16 = u16::MAX;
/// Pieces of a body above which it counts as too large: each costs a place in a queue.
const MAX_PIECES: usize = 1 << 16;

/// What is kept of a request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    Answer(Box<Answer>),
    TooLarge,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    trailers: Option<HeaderMap>,
    content: Bytes,
}

impl Kept {
    pub(crate) fn to_bytes(&self) -> Bytes {
        let Self::Answer(answer) = self else {
            return Bytes::from_static(&[VERSION, TOO_LARGE]);
        };
        let mut bytes = BytesMut::with_capacity(answer.content.len() + 512);
        bytes.put_slice(&[VERSION, ANSWER]);
        bytes.put_u16(answer.status.as_u16());
        put_fields(&mut bytes, &answer.headers);
        match &answer.trailers {
            Some(trailers) => put_fields(&mut bytes, trailers),
            None => bytes.put_u16(NONE),
        }
        bytes.put_slice(&answer.content);
        bytes.freeze()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote; `None` for anything else.
    pub(crate) fn from_bytes(mut bytes: Bytes) -> Option<Self> {
        let (version, kind) = (bytes.try_get_u8().ok()?, bytes.try_get_u8().ok()?);
        match (version, kind) {
            (VERSION, TOO_LARGE) => Some(Self::TooLarge),
            (VERSION, ANSWER) => {
                let status = StatusCode::from_u16(bytes.try_get_u16().ok()?).ok()?;
                let headers = get_fields(&mut bytes)?.unwrap_or_default();
                let trailers = get_fields(&mut bytes)?;
                Some(Self::Answer(Box::new(Answer { status, headers, trailers, content: bytes })))
            }
            _ => None,
        }
    }
}

fn put_fields(bytes: &mut BytesMut, headers: &HeaderMap) {
    let short = |n: usize| u16::try_from(n).unwrap_or(NONE);
    let count = headers.len().min(usize::from(NONE - 1));
    bytes.put_u16(short(count));
    for (name, value) in headers.iter().take(count) {
        bytes.put_u16(short(name.as_str().len()));
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        bytes.put_slice(value.as_bytes());
    }
}

/// `Some(None)` where it is written that there are none.
#[expect(clippy::option_option, reason = "not readable, and none, are different things")]
fn get_fields(bytes: &mut Bytes) -> Option<Option<HeaderMap>> {
    let count = bytes.try_get_u16().ok()?;
    if count == NONE {
        return Some(None);
    }
    let mut headers = HeaderMap::new();
    for _ in 0..count {
        let length = usize::from(bytes.try_get_u16().ok()?);
        let name = HeaderName::from_bytes(&take(bytes, length)?).ok()?;
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        let value = HeaderValue::from_bytes(&take(bytes, length)?).ok()?;
        headers.try_append(name, value).ok()?;
    }
    Some(Some(headers))
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

impl Answer {
    /// The answer once more.
    pub(crate) fn into_response(self) -> Response<Body> {
        let body = match self.trailers {
            None => Body::full(self.content),
            Some(trailers) => Body::new(Whole { content: self.content, trailers: Some(trailers) }),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let replayed = HeaderName::from_static("idempotency-replayed");
        response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
        response
    }
}

/// A content with trailers.
struct Whole {
    content: Bytes,
    trailers: Option<HeaderMap>,
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match self.content.is_empty() {
            true => self.trailers.take().map(Frame::trailers),
            false => Some(Frame::data(std::mem::take(&mut self.content))),
        };
        std::task::Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_empty() && self.trailers.is_none()
    }
}

/// Takes an answer down while it goes to its client.
#[derive(Debug)]
pub(crate) struct Recorder {
    status: StatusCode,
    headers: HeaderMap,
    trailers: Option<HeaderMap>,
    content: BytesMut,
    pieces: usize,
    max: usize,
}

impl Recorder {
    /// Begins with the head: without what is of one hop only, and with the time at which it was
    /// made (RFC 9110 §6.6.1).
    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, max: usize) -> Self {
        let mut headers = headers.clone();
        hop::remove(&mut headers);
        if !headers.contains_key(DATE)
            && let Ok(now) = HeaderValue::try_from(vhttp::date::format(SystemTime::now()))
        {
            headers.insert(DATE, now);
        }
        Self { status, headers, trailers: None, content: BytesMut::new(), pieces: 0, max }
    }

    /// Adds a piece of the content; false when it is too large to be kept.
    pub(crate) fn add(&mut self, piece: &Bytes) -> bool {
        self.pieces += 1;
        if self.content.len() + piece.len() > self.max || self.pieces > MAX_PIECES {
            return false;
        }
        self.content.extend_from_slice(piece);
        true
    }

    pub(crate) fn add_trailers(&mut self, trailers: &HeaderMap) {
        self.trailers = Some(trailers.clone());
    }

    /// What is kept when the answer has come to its end.
    pub(crate) fn finish(mut self) -> Kept {
        let length = self.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        if length.is_some_and(|length| length != self.content.len().to_string().as_bytes()) {
            self.headers.remove(CONTENT_LENGTH);
        }
        Kept::Answer(Box::new(Answer {
            status: self.status,
            headers: self.headers,
            trailers: self.trailers,
            content: self.content.freeze(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use proptest::prelude::*;

    use super::*;

    fn recorded(fields: &[(&'static str, &str)], pieces: &[&'static [u8]]) -> Kept {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let mut recorder = Recorder::new(StatusCode::CREATED, &headers, 100);
        for piece in pieces {
            assert!(recorder.add(&Bytes::from_static(piece)));
        }
        recorder.finish()
    }

    fn response(kept: &Kept) -> Response<Body> {
        let Some(Kept::Answer(answer)) = Kept::from_bytes(kept.to_bytes()) else {
            panic!("no answer");
        };
        answer.into_response()
    }

    #[tokio::test]
    async fn an_answer_is_written_and_read() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let kept = recorded(
            &[("set-cookie", "a"), ("date", date), ("set-cookie", "b"), ("content-length", "3")],
            &[b"o", b"ne"],
        );
        assert_eq!(Kept::from_bytes(kept.to_bytes()), Some(kept.clone()));
        let response = response(&kept);
        assert_eq!(response.status(), 201);
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a", "b"]);
        assert_eq!(response.headers()["date"], date);
        assert_eq!(response.headers()["content-length"], "3");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "one");
    }

    #[test]
    fn what_is_of_one_hop_is_not_kept_and_a_missing_date_is() {
        let fields = [("connection", "x-hop"), ("x-hop", "1"), ("transfer-encoding", "chunked")];
        let response = response(&recorded(&fields, &[]));
        let mut names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["date", "idempotency-replayed"]);
    }

    #[test]
    fn a_length_that_is_not_the_contents_is_not_repeated() {
        let response = response(&recorded(&[("content-length", "9")], &[b"one"]));
        assert!(!response.headers().contains_key(CONTENT_LENGTH));
    }

    #[tokio::test]
    async fn trailers_come_after_the_content() {
        let trailers = HeaderMap::from_iter([(
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]);
        let mut recorder = Recorder::new(StatusCode::OK, &HeaderMap::new(), 100);
        assert!(recorder.add(&Bytes::from_static(b"x")));
        recorder.add_trailers(&trailers);
        let body = response(&recorder.finish()).into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&trailers));
        assert_eq!(body.to_bytes(), "x");
    }

    #[test]
    fn too_much_is_told() {
        let mut recorder = Recorder::new(StatusCode::OK, &HeaderMap::new(), 3);
        assert!(recorder.add(&Bytes::from_static(b"abc")));
        assert!(!recorder.add(&Bytes::from_static(b"d")));
        assert_eq!(Kept::from_bytes(Kept::TooLarge.to_bytes()), Some(Kept::TooLarge));
    }

    proptest! {
        /// Foreign bytes are refused or read, and what is read is written as it was.
        #[test]
        fn foreign_bytes_do_no_harm(mut bytes: Vec<u8>, kind in 0u8..4) {
            bytes.splice(0..0, [VERSION, kind, 0, 200]);
            if let Some(kept) = Kept::from_bytes(bytes.into()) {
                prop_assert_eq!(Kept::from_bytes(kept.to_bytes()), Some(kept));
            }
        }
    }
}
