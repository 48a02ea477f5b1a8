//! What a request holds while it is under way: a whole connection, or room on a shared one.

use http::{Request, Response};
use hyper::body::Incoming;
use vhttp::Body;

use crate::http::conn::{Lost, send_stream};
use crate::http::site::{Lease, Stream};

/// A connection, or a part of one, in use by one request. Dropped, it is given up: a whole
/// connection is closed, a stream is reset.
#[derive(Debug)]
pub(crate) enum Hold {
    /// An HTTP/1.1 connection.
    Whole(Lease),
    /// A stream of an HTTP/2 connection.
    Stream(Stream),
}

impl Hold {
    /// Whether the connection carried a request before.
    pub(crate) const fn is_reused(&self) -> bool {
        match self {
            Self::Whole(lease) => lease.reused,
            Self::Stream(stream) => stream.reused,
        }
    }

    pub(crate) const fn is_http2(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Sends `request` and waits for the response's head.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Box<Lost>> {
        match self {
            Self::Whole(lease) => lease.conn.send(request).await,
            Self::Stream(stream) => send_stream(&mut stream.sender, request).await,
        }
    }

    /// The exchange is complete.
    pub(crate) fn finish(self) {
        match self {
            Self::Whole(lease) => lease.finish(),
            Self::Stream(stream) => drop(stream),
        }
    }
}
