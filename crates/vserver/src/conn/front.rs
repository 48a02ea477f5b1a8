//! The user's service behind hyper: adds the connection, refuses what is over a limit, and marks
//! when a request begins and ends.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use pin_project_lite::pin_project;
use tower_service::Service;
use vhttp::{Body, Connection, Outbox, Reject};

use crate::conn::activity::{Activity, InFlight};
use crate::conn::patience::Patience;
use crate::conn::tracked::Tracked;
use crate::conn::upload::Upload;

/// What a request's head may be, beyond what hyper refuses by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub(crate) uri_bytes: usize,
    pub(crate) headers: usize,
}

/// The user's service, on one connection.
pub(crate) struct Front<S> {
    pub(crate) service: S,
    pub(crate) connection: Connection,
    pub(crate) limits: HeadLimits,
    /// Longest wait for more of a request's body.
    pub(crate) body_read: Duration,
    pub(crate) activity: Arc<Activity>,
    /// Where interim responses go, if the protocol is one over which we send them.
    pub(crate) outbox: Option<Outbox>,
}

impl<S> hyper::service::Service<Request<Incoming>> for Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Tracked>;
    type Error = Infallible;
    type Future = Answer<S, S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = self.activity.begin(!request.body().is_end_stream());
        let connect = request.method() == Method::CONNECT;
        // A client of HTTP/1.0 does not know them (RFC 9110 §15.2).
        let outbox = self.outbox.as_ref().filter(|_| request.version() == Version::HTTP_11);
        let state = match self.limits.check(&request) {
            Some(refusal) => State::Refused { refusal: Some(refusal) },
            None => {
                let patience = Patience::new(self.body_read);
                let mut request = request.map(|body| Upload::wrap(body, patience, &self.activity));
                request.extensions_mut().insert(self.connection);
                if let Some(outbox) = outbox {
                    request.extensions_mut().insert(outbox.open());
                }
                State::Waiting { service: self.service.clone(), request: Some(request) }
            }
        };
        Answer { state, connect, outbox: outbox.cloned(), in_flight: Some(in_flight) }
    }
}

impl HeadLimits {
    /// The refusal of a head over a limit: 414 (RFC 9110 §15.5.15) or 431 (RFC 6585 §5).
    fn check<B>(self, request: &Request<B>) -> Option<Response<Body>> {
        let (status, reason) = if target_len(request.uri()) > self.uri_bytes {
            (StatusCode::URI_TOO_LONG, "uri-too-long")
        } else if request.headers().len() > self.headers {
            (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too-many-fields")
        } else {
            return None;
        };
        Some(Reject::new(status, reason).into_response())
    }
}

fn target_len(uri: &Uri) -> usize {
    let path = uri.path_and_query().map_or(0, |target| target.as_str().len());
    path + uri.authority().map_or(0, |host| host.as_str().len())
}

pin_project! {
    /// The response to one request: readiness first, then the call.
    pub(crate) struct Answer<S, F> {
        #[pin]
        state: State<S, F>,
        connect: bool,
        outbox: Option<Outbox>,
        in_flight: Option<InFlight>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, F> {
        Waiting { service: S, request: Option<Request<Body>> },
        Called { #[pin] future: F },
        Refused { refusal: Option<Response<Body>> },
    }
}

impl<S> Future for Answer<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut response = loop {
            match this.state.as_mut().project() {
                StateProjection::Waiting { service, request } => {
                    let Ok(()) = ready!(service.poll_ready(cx));
                    // The request is there until it is handed over, right here.
                    let request = request.take().unwrap_or_default();
                    let future = service.call(request);
                    this.state.set(State::Called { future });
                }
                StateProjection::Called { future } => {
                    let Ok(response) = ready!(future.poll(cx));
                    break response;
                }
                StateProjection::Refused { refusal } => break refusal.take().unwrap_or_default(),
            }
        };
        this.outbox.take().iter().for_each(Outbox::close);
        name_unknown(&mut response);
        let in_flight = this.in_flight.take();
        let status = response.status();
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        if let Some(in_flight) = &in_flight {
            if switches || *this.connect && status.is_success() {
                in_flight.upgrade();
            }
            if in_flight.is_last() && !switches {
                // hyper reads this too, and closes the connection behind the answer.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
        }
        Poll::Ready(Ok(response.map(|body| Tracked::new(body, in_flight))))
    }
}

/// Gives a status without a name a reason phrase, in place of hyper's `<none>`.
fn name_unknown<B>(response: &mut Response<B>) {
    if response.status().canonical_reason().is_none()
        && response.extensions().get::<ReasonPhrase>().is_none()
    {
        let phrase = ReasonPhrase::from_static(b"Unknown");
        response.extensions_mut().insert(phrase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_of_each_limit() {
        let limits = HeadLimits { uri_bytes: 5, headers: 1 };
        let status = |uri: &str, headers: &[&str]| {
            let mut request = Request::builder().uri(uri);
            for name in headers {
                request = request.header(*name, "x");
            }
            let refusal = limits.check(&request.body(()).unwrap());
            refusal.map(|response| response.status().as_u16())
        };
        assert_eq!(status("/1234", &["a"]), None);
        assert_eq!(status("/12345", &["a"]), Some(414));
        assert_eq!(status("http://h.example/", &[]), Some(414));
        assert_eq!(status("/", &["a", "b"]), Some(431));
    }
}
