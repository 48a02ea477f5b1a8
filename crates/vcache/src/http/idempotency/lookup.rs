//! One request to be carried out once: read, claimed, and run, repeated or refused.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body::Body as HttpBody;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;
use vhttp::{Body, BoxError, Phase, ReplayVerdict, Timeline};

use crate::http::idempotency::answer::Kept;
use crate::http::idempotency::asked::{Asked, name};
use crate::http::idempotency::config::OnError;
use crate::http::idempotency::digest::Digest;
use crate::http::idempotency::lead::Lead;
use crate::http::idempotency::outcome::Outcome;
use crate::http::idempotency::presence::Presence;
use crate::http::idempotency::run::{Run, Unread, collect};
use crate::http::idempotency::runs::Runs;
use crate::http::idempotency::shared::Shared;
use crate::http::idempotency::store::Claim;

/// Who asks, and of whom.
pub(crate) struct Lookup<S> {
    pub(crate) service: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) asked: Asked,
}

/// What the store said in the end.
enum Found {
    /// The request is ours to carry out.
    Ours(Lead),
    /// It was carried out.
    Kept(Kept),
    /// The store cannot tell.
    Unknown,
    /// It is refused.
    Refused(Outcome),
}

impl<S> Lookup<S> {
    /// Answers `request`.
    ///
    /// Cancel safety: what was begun goes on without the client, see [`Run`]; a wait ends.
    pub(crate) async fn answer<ReqB, ResB>(
        self,
        request: Request<ReqB>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: HttpBody<Data = Bytes> + From<Bytes> + Send + 'static,
        ReqB::Error: Into<BoxError>,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let timeline = request.extensions().get::<Timeline>().cloned();
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let content = match collect(body, self.shared.config.max_body).await {
            Ok(content) => content,
            Err(unread) => return Ok(self.shared.refuse(&why(unread), timeline.as_ref())),
        };
        let fingerprint = Digest::of(&content);
        let parts = Request::from_parts(parts, ());
        let key = name(&parts, &self.asked, &fingerprint, &self.shared.caller);
        let lead = Lead::new(&self.shared, &self.runs, (key, fingerprint));
        let found = find(&self.shared, lead).await;
        if let Some(timeline) = &timeline {
            timeline.add(Phase::Replay, began.elapsed());
        }
        let (parts, ()) = parts.into_parts();
        self.act(found, (parts, content), timeline.as_ref()).await
    }

    async fn act<ReqB, ResB>(
        mut self,
        found: Found,
        (parts, content): (request::Parts, Bytes),
        timeline: Option<&Timeline>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: From<Bytes> + Send + 'static,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let refuse = |why: &Outcome| Ok(self.shared.refuse(why, timeline));
        match found {
            Found::Refused(why) => refuse(&why),
            Found::Kept(Kept::TooLarge) => refuse(&Outcome::AnswerTooLarge),
            Found::Kept(Kept::Answer(answer)) => {
                self.shared.count(ReplayVerdict::Replayed, timeline);
                Ok(answer.into_response())
            }
            Found::Unknown if self.shared.config.on_error == OnError::Closed => {
                refuse(&Outcome::StoreAway)
            }
            Found::Unknown => {
                self.shared.count(ReplayVerdict::Unprotected, timeline);
                std::future::poll_fn(|cx| self.service.poll_ready(cx)).await?;
                let request = Request::from_parts(parts, ReqB::from(content));
                Ok(self.service.call(request).await?.map(Body::new))
            }
            Found::Ours(lead) => {
                let request = Request::from_parts(parts, ReqB::from(content));
                self.run(lead, request, timeline).await
            }
        }
    }

    /// Lets the request be carried out, and waits for the head of its answer.
    async fn run<ReqB, ResB>(
        self,
        lead: Lead,
        request: Request<ReqB>,
        timeline: Option<&Timeline>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        ReqB: Send + 'static,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let Self { service, shared, runs, .. } = self;
        let Some(place) = shared.place() else {
            lead.release().await;
            return Ok(shared.refuse(&Outcome::Full, timeline));
        };
        let max_answer = usize::try_from(shared.config.max_answer).unwrap_or(usize::MAX);
        let alone = shared.config.finish_timeout;
        let (_presence, client, absence) = Presence::new();
        let run = Run { service, request, lead, max_answer, client, alone };
        let (reply, head) = oneshot::channel();
        let begun = runs.spawn(async move {
            run.run(reply, absence).await;
            drop(place);
        });
        if !begun {
            return Ok(shared.refuse(&Outcome::Full, timeline));
        }
        shared.count(ReplayVerdict::Ran, timeline);
        head.await.unwrap_or_else(|_| Ok(Outcome::Ended.response(None)))
    }
}

/// Claims the key, and waits while another holds it.
async fn find(shared: &Shared, mut lead: Lead) -> Found {
    let mut waiting: Option<(Instant, OwnedSemaphorePermit)> = None;
    loop {
        let claim = lead.claim().await;
        let (fingerprint, kept) = match claim {
            Err(_) => return Found::Unknown,
            Ok(Claim::Won) => return Found::Ours(lead),
            Ok(Claim::Running { fingerprint }) => (fingerprint, None),
            Ok(Claim::Done { fingerprint, answer }) => (fingerprint, Some(answer)),
        };
        if fingerprint != *lead.fingerprint() {
            return Found::Refused(Outcome::KeyReused);
        }
        if let Some(answer) = kept {
            return Kept::from_bytes(answer).map_or(Found::Unknown, Found::Kept);
        }
        waiting = waiting.or_else(|| begin_to_wait(shared));
        let Some((deadline, _)) = &waiting else {
            return Found::Refused(Outcome::InProgress);
        };
        let change = shared.store.changed(lead.key());
        if timeout_at(*deadline, change).await.is_err() {
            return Found::Refused(Outcome::InProgress);
        }
    }
}

/// Until when to wait, if at all.
fn begin_to_wait(shared: &Shared) -> Option<(Instant, OwnedSemaphorePermit)> {
    let wait = shared.config.wait;
    let deadline = Instant::now().checked_add(wait).filter(|_| !wait.is_zero())?;
    Some((deadline, shared.place_to_wait()?))
}

const fn why(unread: Unread) -> Outcome {
    match unread {
        Unread::TooLarge => Outcome::BodyTooLarge,
        Unread::Broken => Outcome::BodyBroken,
    }
}
