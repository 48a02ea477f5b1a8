//! The request's body on its way out, which tells the connection when it is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use vhttp::{Body, BodyError};

use crate::http::traffic::Traffic;

/// A request's body; hyper drops it when it is sent.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    body: Body,
    traffic: Option<Arc<Traffic>>,
}

impl Upload {
    /// A body whose end nobody asks for.
    pub(crate) const fn plain(body: Body) -> Self {
        Self { body, traffic: None }
    }

    /// A body on a connection that must not be used again before the body is gone.
    pub(crate) fn on(body: Body, traffic: &Arc<Traffic>) -> Self {
        let uploading = !body.is_end_stream();
        traffic.begin(uploading);
        Self { body, traffic: uploading.then(|| Arc::clone(traffic)) }
    }

    /// The body again, when nothing of it was sent.
    pub(crate) fn into_body(mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(traffic) = &self.traffic {
            traffic.upload_ended();
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
