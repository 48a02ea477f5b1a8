//! The answer to come of a measured request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use vhttp::BoxError;

use crate::http::body;
use crate::http::observe::Observation;
use crate::http::slots::Outcome;

pin_project_lite::pin_project! {
    /// The answer of a [`Metrics`](crate::http::Metrics) service. Dropping it counts the request
    /// as one whose client left.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        observation: Option<Observation>,
    }
}

impl<F> ResponseFuture<F> {
    pub(crate) const fn new(inner: F, observation: Observation) -> Self {
        Self { inner, observation: Some(observation) }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<vhttp::Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        let observation = this.observation.take();
        Poll::Ready(match (result, observation) {
            (Ok(response), Some(observation)) => Ok(body::observe(response, observation)),
            (Ok(response), None) => Ok(response.map(vhttp::Body::new)),
            (Err(error), observation) => {
                if let Some(observation) = observation {
                    observation.end(Outcome::Failed);
                }
                Err(error)
            }
        })
    }
}
