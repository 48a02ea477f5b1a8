//! What every request meets first: normalise, find the route, hand over to its stack.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, StatusCode};
use tokio::time::Instant;
use tower_service::Service;
use verve::http::{Body, ClientAddr, Connection, Reason, Reject, Timeline};

use crate::access_log::{AccessLog, Entry};
use crate::build::graph::Graph;
use crate::logged_body::LoggedBody;
use crate::normalise;
use crate::route::handler::Answer;
use crate::state::State;

/// The service of one worker.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    worker: usize,
    state: Arc<State>,
}

impl Front {
    pub(crate) const fn new(worker: usize, state: Arc<State>) -> Self {
        Self { worker, state }
    }

    fn answer(&self, mut request: Request<Body>) -> FrontFuture {
        let graph = self.state.graph();
        let timeline = Timeline::new();
        let refusal = normalise::normalise(&mut request).err();
        identify(&graph, &mut request);
        request.extensions_mut().insert(timeline.clone());
        let logged = self
            .state
            .access_log()
            .map(|log| (log.clone(), Entry::new(&request, timeline.clone()), Instant::now()));
        let answer = match refusal {
            Some(reject) => self.state.refuse(request, reject),
            None => self.route(&graph, &timeline, request),
        };
        FrontFuture { answer, timeline, logged, _graph: graph }
    }

    fn route(&self, graph: &Graph, timeline: &Timeline, request: Request<Body>) -> Answer {
        let place = graph.find(&normalise::host(&request), request.uri().path());
        match place.and_then(|place| graph.route(self.worker, place)) {
            Some((name, handler)) => {
                timeline.update(|record| record.route = Some(Arc::clone(name)));
                handler.handle(request)
            }
            None => {
                let reject = Reject::new(StatusCode::NOT_FOUND, "no-route")
                    .detail("no route takes this host and path");
                self.state.refuse(request, reject)
            }
        }
    }
}

/// The answer to one request.
pub(crate) struct FrontFuture {
    answer: Answer,
    timeline: Timeline,
    logged: Option<(AccessLog, Entry, Instant)>,
    /// Lives as long as a request on it is under way.
    _graph: Arc<Graph>,
}

impl Future for FrontFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(response) = ready!(self.answer.as_mut().poll(cx));
        note_reason(&self.timeline, &response);
        Poll::Ready(Ok(match self.logged.take() {
            Some((log, entry, begun)) => LoggedBody::wrap(response, log, entry, begun),
            None => response,
        }))
    }
}

/// Says who asks: the peer, or whom a trusted proxy names.
fn identify(graph: &Graph, request: &mut Request<Body>) {
    let Some(connection) = request.extensions().get::<Connection>().copied() else {
        return;
    };
    let client = graph.trusted().client(connection.peer.ip(), request.headers());
    request.extensions_mut().insert(ClientAddr(client));
}

fn note_reason(timeline: &Timeline, response: &Response<Body>) {
    if let Some(Reason(reason)) = response.extensions().get::<Reason>().copied() {
        timeline.update(|record| record.reason = Some(reason));
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = FrontFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> FrontFuture {
        self.answer(request)
    }
}
