//! A client service that the test answers by hand.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use tokio::sync::{mpsc, oneshot};
use tower::Service;
use vbalance::{Config, Failure, Policy, Proxy, ProxyConfig, Upstream};
use vhttp::{Body, BoxError};

type Answer = Result<Response<Body>, BoxError>;

/// One request that the proxy sent, to be answered by the test.
pub struct Call {
    pub request: Request<Body>,
    pub answer: oneshot::Sender<Answer>,
}

impl Call {
    pub fn endpoint(&self) -> String {
        self.request.uri().authority().unwrap().to_string()
    }

    pub fn succeed(self, body: impl Into<Body>) {
        self.respond(Response::new(body.into()));
    }

    pub fn respond(self, response: Response<Body>) {
        // The proxy may have given up: that is for the test to see elsewhere.
        let _ = self.answer.send(Ok(response));
    }

    pub fn fail(self, failure: Failure) {
        let _ = self.answer.send(Err(Box::new(Scripted(failure))));
    }
}

#[derive(Debug, thiserror::Error)]
#[error("scripted {0:?}")]
pub struct Scripted(pub Failure);

#[derive(Clone)]
pub struct Client(mpsc::UnboundedSender<Call>);

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Call { request, answer });
        Box::pin(async move { answered.await.unwrap_or_else(|gone| Err(gone.into())) })
    }
}

pub fn upstream(endpoints: &[&str]) -> Upstream {
    let config = Config {
        endpoints: endpoints.iter().map(|url| url.parse().unwrap()).collect(),
        policy: Policy::RoundRobin,
        ..Config::default()
    };
    Upstream::builder("test").config(config).build().unwrap()
}

/// A proxy before `endpoints`, and the requests that it sends.
pub fn proxy(
    endpoints: &[&str],
    config: ProxyConfig,
) -> (Proxy<Client>, mpsc::UnboundedReceiver<Call>) {
    let (calls, called) = mpsc::unbounded_channel();
    let proxy = Proxy::builder(upstream(endpoints), Client(calls))
        .config(config)
        .classify(|error| {
            let scripted = error.downcast_ref::<Scripted>();
            scripted.map_or(Failure::Other, |scripted| scripted.0)
        })
        .build()
        .unwrap();
    (proxy, called)
}
