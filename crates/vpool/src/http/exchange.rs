//! One request and its response: get a connection, send, tell what went wrong.

use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::Instant;
use vhttp::{Body, Phase, Timeline};

use crate::http::body::Download;
use crate::http::conn::Lost;
use crate::http::dial::{Dialer, Opened};
use crate::http::error::{ClientError, ErrorKind};
use crate::http::explain::explain;
use crate::http::hold::Hold;
use crate::http::origin::OriginRef;
use crate::http::request;
use crate::http::site::{Checkout, Grant, Place, Unserved};
use crate::http::table::{NoSite, Table};
use crate::metrics::Outcome;

/// How often books may be closed under a request that looks them up. Each time needs an
/// eviction between two steps.
const LOOK_UPS: usize = 8;

/// What every request of a client shares.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) table: Table,
    pub(crate) dialer: Dialer,
    pub(crate) wait_timeout: Duration,
}

impl Exchange {
    /// Sends `request` to the origin in its URI.
    ///
    /// The request stays with the caller until it is written: each future between that carried it
    /// would be larger by it, and each move between them a copy of it.
    pub(crate) async fn run(
        &self,
        request: &mut Option<Request<Body>>,
    ) -> Result<Response<Body>, ClientError> {
        let refused = |why: &'static str| ClientError::new(ErrorKind::Request, None).because(why);
        let Some(asked) = request.as_ref() else {
            return Err(refused("there is no request"));
        };
        request::check(asked).map_err(refused)?;
        let uri = asked.uri().clone();
        let origin = OriginRef::of(&uri).map_err(refused)?;
        let timeline = asked.extensions().get::<Timeline>().cloned();
        let upgrade = request::wants_upgrade(asked);

        let mut hold = self.timed(timeline.as_ref(), self.acquire(origin)).await?;
        let (mut lost, reused) = match self.send(&mut hold, request, origin).await {
            Ok(response) => return finish(response, hold, upgrade, origin).await,
            Err(Failed::Lost(lost)) => (lost, hold.is_reused()),
            Err(Failed::Unfit(error)) => return Err(error),
        };
        // The origin closed an idle connection just now, and nothing was sent: the request is
        // whole, so it may go again, once, on a fresh connection.
        if lost.request.is_none() || !reused {
            return Err(explain(*lost, reused, origin));
        }
        *request = lost.request.take();
        // Boxed, because it is rare and would make every exchange larger.
        let again = async {
            let mut hold = self.timed(timeline.as_ref(), self.renew(hold, origin)).await?;
            match self.send(&mut hold, request, origin).await {
                Ok(response) => finish(response, hold, upgrade, origin).await,
                Err(Failed::Lost(lost)) => Err(explain(*lost, hold.is_reused(), origin)),
                Err(Failed::Unfit(error)) => Err(error),
            }
        };
        Box::pin(again).await
    }

    /// Gets a connection, and notes how long it took and how it ended.
    async fn timed(
        &self,
        timeline: Option<&Timeline>,
        get: impl Future<Output = Result<Hold, ClientError>>,
    ) -> Result<Hold, ClientError> {
        let begun = Instant::now();
        let got = get.await;
        let wait = begun.elapsed();
        if let Some(timeline) = timeline {
            timeline.add(Phase::Pool, wait);
        }
        self.table.meters().got(outcome(&got), wait);
        got
    }

    async fn acquire(&self, origin: OriginRef<'_>) -> Result<Hold, ClientError> {
        let error = |kind| ClientError::new(kind, Some(origin.to_origin()));
        for _ in 0..LOOK_UPS {
            let site = self.table.site(origin).map_err(|none| match none {
                NoSite::Full => error(ErrorKind::Busy),
                NoSite::Closed => error(ErrorKind::Closed),
            })?;
            let grant = match site.checkout(Instant::now()) {
                Checkout::Now(grant) => Ok(grant),
                Checkout::Wait(waiting) => waiting.grant(self.wait_timeout).await,
                Checkout::Busy => return Err(error(ErrorKind::Busy)),
                Checkout::Retired => Err(Unserved::Retired),
            };
            match grant {
                Ok(grant) => return self.take(grant).await,
                Err(Unserved::Timeout) => return Err(error(ErrorKind::WaitTimeout)),
                Err(Unserved::Retired) => {}
            }
        }
        Err(error(ErrorKind::Busy))
    }

    async fn take(&self, grant: Grant) -> Result<Hold, ClientError> {
        match grant {
            Grant::Stream(stream) => Ok(Hold::Stream(stream)),
            Grant::Open(place) => self.dial(place).await,
            Grant::Reuse(mut lease) => {
                if lease.conn.settle().await {
                    Ok(Hold::Whole(lease))
                } else {
                    self.dial(lease.reopen()).await
                }
            }
        }
    }

    /// A fresh connection in the place of one that failed.
    async fn renew(&self, hold: Hold, origin: OriginRef<'_>) -> Result<Hold, ClientError> {
        match hold {
            Hold::Whole(lease) => self.dial(lease.reopen()).await,
            Hold::Stream(stream) => {
                drop(stream);
                self.acquire(origin).await
            }
        }
    }

    async fn dial(&self, place: Place) -> Result<Hold, ClientError> {
        let origin = place.origin().clone();
        // Boxed, because it is seldom needed and larger than all the rest of an exchange.
        match Box::pin(self.dialer.dial(&origin)).await {
            Ok(Opened::One(conn)) => Ok(Hold::Whole(place.opened(conn))),
            Ok(Opened::Many(conn)) => place
                .opened_shared(conn)
                .map(Hold::Stream)
                .ok_or_else(|| ClientError::new(ErrorKind::Connect, Some(origin))),
            Err(failed) => {
                place.failed();
                Err(ClientError::new(failed.kind, Some(origin)).because(failed.source))
            }
        }
    }

    async fn send(
        &self,
        hold: &mut Hold,
        request: &mut Option<Request<Body>>,
        origin: OriginRef<'_>,
    ) -> Result<Response<Incoming>, Failed> {
        let fit = match request {
            Some(request) if hold.is_http2() => request::for_http2(request, origin.is_tls()),
            Some(request) => request::for_http1(request),
            None => Err("there is no request".into()),
        };
        if let Err(source) = fit {
            let error = ClientError::new(ErrorKind::Request, Some(origin.to_origin()));
            return Err(Failed::Unfit(error.because(source)));
        }
        // It is there: what is fit is some request.
        hold.send(request.take().unwrap_or_default()).await.map_err(Failed::Lost)
    }
}

/// Why there is no response.
enum Failed {
    /// The connection was lost, or said something else than HTTP.
    Lost(Box<Lost>),
    /// The request cannot be written in the connection's protocol.
    Unfit(ClientError),
}

fn outcome(got: &Result<Hold, ClientError>) -> Outcome {
    match got {
        Ok(hold) if hold.is_reused() => Outcome::Reused,
        Ok(_) => Outcome::Opened,
        Err(error) => match error.kind() {
            ErrorKind::Busy => Outcome::Busy,
            ErrorKind::WaitTimeout => Outcome::WaitTimeout,
            ErrorKind::ConnectTimeout => Outcome::ConnectTimeout,
            ErrorKind::Closed => Outcome::Closed,
            _ => Outcome::Failed,
        },
    }
}

/// Binds the connection to the response's body.
async fn finish(
    response: Response<Incoming>,
    hold: Hold,
    upgrade: bool,
    origin: OriginRef<'_>,
) -> Result<Response<Body>, ClientError> {
    let (parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let Hold::Whole(mut lease) = hold else {
            return Err(unasked(origin));
        };
        if !upgrade {
            return Err(unasked(origin));
        }
        // hyper hands the socket over to the response's upgrade and lets go of it.
        lease.conn.ended().await;
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    if body.is_end_stream() {
        hold.finish();
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    let body = Body::new(Download::new(body, hold));
    Ok(Response::from_parts(parts, body))
}

fn unasked(origin: OriginRef<'_>) -> ClientError {
    ClientError::new(ErrorKind::Answer, Some(origin.to_origin()))
        .because("101 Switching Protocols, but no upgrade was asked for")
}
