//! The outermost place: gives the request its timeline.

use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;
use vhttp::Timeline;

/// A service whose requests carry a [`Timeline`]; one that is there already stays.
#[derive(Debug, Clone)]
pub struct Begin<S> {
    pub(crate) inner: S,
}

impl<S, B> Service<Request<B>> for Begin<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if request.extensions().get::<Timeline>().is_none() {
            request.extensions_mut().insert(Timeline::new());
        }
        self.inner.call(request)
    }
}
