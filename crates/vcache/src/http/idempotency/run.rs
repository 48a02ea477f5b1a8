//! A request that is carried out, whether its client stays or not.

use std::future::poll_fn;
use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::future::select;
use http::{Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::http::idempotency::answer::{Kept, Recorder};
use crate::http::idempotency::lead::Lead;
use crate::http::idempotency::presence::{Absence, Join};
use crate::http::idempotency::relay::{Item, Relay};

/// Where the head of the answer goes.
pub(crate) type Reply<E> = oneshot::Sender<Result<Response<Body>, E>>;

/// What there is to do, and under which bounds.
pub(crate) struct Run<S, ReqB> {
    pub(crate) service: S,
    pub(crate) request: Request<ReqB>,
    pub(crate) lead: Lead,
    pub(crate) max_answer: usize,
    pub(crate) client: Join,
    /// How long to go on without the client.
    pub(crate) alone: std::time::Duration,
}

impl<S, ReqB> Run<S, ReqB> {
    /// Carries the request out, renews the lease meanwhile, and gives up some time after the
    /// client has left.
    pub(crate) async fn run<ResB>(self, reply: Reply<S::Error>, mut absence: Absence)
    where
        S: Service<Request<ReqB>, Response = Response<ResB>>,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let (renewal, alone) = (pin!(self.lead.renewal()), self.alone);
        let left = pin!(async move {
            absence.begins().await;
            tokio::time::sleep(alone).await;
        });
        let work = pin!(self.carry_out(reply));
        select(work, select(renewal, left)).await;
    }

    async fn carry_out<ResB>(mut self, reply: Reply<S::Error>)
    where
        S: Service<Request<ReqB>, Response = Response<ResB>>,
        ResB: HttpBody<Data = Bytes> + Send + 'static,
        ResB::Error: Into<BoxError>,
    {
        let response = match ask(&mut self.service, self.request).await {
            Ok(response) if is_kept(response.status()) => response,
            other => {
                self.lead.release().await;
                let _ = reply.send(other.map(|response| response.map(Body::new)));
                return;
            }
        };
        let (parts, body) = response.into_parts();
        let recorder = Recorder::new(parts.status, &parts.headers, self.max_answer);
        let hint = body.size_hint();
        let announced = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
        if announced > self.max_answer || body.is_end_stream() {
            let kept = if announced > 0 { Kept::TooLarge } else { recorder.finish() };
            self.lead.complete(kept.to_bytes()).await;
            let _ = reply.send(Ok(Response::from_parts(parts, Body::new(body))));
            return;
        }
        let to_client = self.client.presence().and_then(|presence| {
            let (to_client, relay) = Relay::new(hint.exact(), presence);
            let response = Response::from_parts(parts, Body::new(relay));
            reply.send(Ok(response)).ok().map(|()| to_client)
        });
        copy(body, recorder, &Client(to_client), self.lead).await;
    }
}

/// Reads the answer to its end, for the client and for the store.
async fn copy<B>(body: B, mut recorder: Recorder, client: &Client, lead: Lead)
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut body = Body::new(body);
    loop {
        let frame = match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                lead.release().await;
                return client.send(Item::Failed(error));
            }
            None => {
                lead.complete(recorder.finish().to_bytes()).await;
                return client.send(Item::End);
            }
        };
        if let Some(trailers) = frame.trailers_ref() {
            recorder.add_trailers(trailers);
        }
        if frame.data_ref().is_some_and(|piece| !recorder.add(piece)) {
            lead.complete(Kept::TooLarge.to_bytes()).await;
            client.send(Item::Frame(frame));
            return client.send(Item::Rest(body));
        }
        client.send(Item::Frame(frame));
    }
}

/// The client, as long as it is there.
struct Client(Option<UnboundedSender<Item>>);

impl Client {
    fn send(&self, item: Item) {
        if let Some(sender) = &self.0 {
            // One that has left misses nothing.
            let _ = sender.send(item);
        }
    }
}

async fn ask<S, ReqB>(service: &mut S, request: Request<ReqB>) -> Result<S::Response, S::Error>
where
    S: Service<Request<ReqB>>,
{
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

/// Whether an answer is final: not one that invites to try again, nor a change of protocol.
fn is_kept(status: StatusCode) -> bool {
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    !status.is_informational() && !status.is_server_error() && !again.contains(&status)
}

/// Reads a content of at most `max` bytes.
pub(crate) async fn collect<B>(body: B, max: u64) -> Result<Bytes, Unread>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > max {
        return Err(Unread::TooLarge);
    }
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let mut body = pin!(body);
    let mut content = bytes::BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame: Frame<Bytes> = frame.map_err(|_| Unread::Broken)?;
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        if content.len() + piece.len() > max {
            return Err(Unread::TooLarge);
        }
        content.extend_from_slice(&piece);
    }
    Ok(content.freeze())
}

/// Why a content was not read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unread {
    TooLarge,
    Broken,
}
