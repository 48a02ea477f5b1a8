//! One connection, from the accepted transport to its end.

mod activity;
mod bell;
mod drive;
mod front;
mod hold;
mod interim;
mod patience;
mod sniff;
mod stall;
mod streams;
mod tracked;
mod tunnel;
mod upload;
mod watch;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use vhttp::{Body, Connection, Outbox};

use crate::config::Http2Config;
use crate::conn::activity::Activity;
use crate::conn::drive::{Clock, Graceful, drive, waited_out};
use crate::conn::front::Front;
use crate::conn::interim::Interims;
use crate::conn::sniff::{First, sniff};
use crate::conn::stall::{Flow, Last, Stall};
use crate::conn::streams::Streams;
use crate::conn::watch::Watch;
use crate::fault::Fault;
use crate::stats::Tally;
use crate::tls::{Protocol, Tls};

pub(crate) use crate::conn::activity::Times;
pub(crate) use crate::conn::front::HeadLimits;
pub(crate) use crate::conn::hold::Hold;

/// The user's service, as the connection code needs it.
pub(crate) trait App:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> App for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// What all connections of a listener have in common.
pub(crate) struct Rules {
    pub(crate) tls: Option<Tls>,
    pub(crate) h2c: bool,
    pub(crate) handshake: Duration,
    pub(crate) body_read: Duration,
    pub(crate) write_stall: Duration,
    pub(crate) drain_idle: Duration,
    pub(crate) times: Times,
    pub(crate) limits: HeadLimits,
    pub(crate) http1: http1::Builder,
    pub(crate) http2: Http2Config,
}

/// A connection that was just accepted.
pub(crate) struct Accepted<IO> {
    pub(crate) io: IO,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) hold: Hold,
}

/// Serves one connection to its end, and counts an end that is not in peace.
pub(crate) async fn serve<IO, S>(
    accepted: Accepted<IO>,
    service: S,
    rules: &Rules,
    tally: &Arc<Tally>,
    drain: &CancellationToken,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: App,
{
    let peer = accepted.peer;
    let Accepted { io, hold, local, .. } = accepted;
    let last = Last { drain: drain.clone(), idle: rules.drain_idle };
    let (io, flow) = Stall::new(io, rules.write_stall, last, hold);
    let session = Session {
        service,
        connection: Connection::new(peer, local, rules.tls.is_some()),
        rules,
        tally,
        drain,
        flow,
    };
    if let Err(fault) = session.run(io).await {
        tally.failed(fault);
        tracing::debug!(%peer, kind = fault.name(), "connection failed");
    }
}

struct Session<'a, S> {
    service: S,
    connection: Connection,
    rules: &'a Rules,
    tally: &'a Arc<Tally>,
    drain: &'a CancellationToken,
    flow: Flow,
}

impl<S: App> Session<'_, S> {
    /// Finds out the protocol and speaks it.
    async fn run<IO>(self, mut io: Stall<IO>) -> Result<(), Fault>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Some(tls) = &self.rules.tls {
            self.run_tls(tls, io).await
        } else if self.rules.h2c {
            match sniff(&mut io, &self.rules.times, self.drain).await? {
                Some((first, protocol)) => self.speak(io, first, protocol).await,
                None => Ok(()),
            }
        } else {
            self.speak(io, First::default(), Protocol::Http1).await
        }
    }

    async fn run_tls<IO>(self, tls: &Tls, io: Stall<IO>) -> Result<(), Fault>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shaken = tokio::select! {
            biased;
            shaken = timeout(self.rules.handshake, tls.accept(io)) => shaken,
            // Nothing was asked yet, so nothing is lost.
            () = waited_out(self.drain, self.rules.times.closing) => return Ok(()),
        };
        let (io, protocol) = shaken.map_err(|_| Fault::TlsTimeout)?.map_err(|_| Fault::Tls)?;
        self.speak(io, First::default(), protocol).await
    }

    async fn speak<IO>(self, io: IO, first: First, protocol: Protocol) -> Result<(), Fault>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.tally.negotiated(protocol);
        let activity = Activity::new(protocol, self.flow.clone(), Arc::clone(self.tally));
        let clock = Clock::new(activity.clone(), self.flow, self.rules.times);
        let io = Watch::new(io, first, activity.clone());
        let front = Front {
            service: self.service,
            connection: self.connection,
            limits: self.rules.limits,
            body_read: self.rules.body_read,
            activity: Arc::clone(&activity),
            outbox: (protocol == Protocol::Http1).then(Outbox::new),
        };
        match protocol {
            Protocol::Http1 => {
                let outbox = front.outbox.clone().unwrap_or_default();
                let io = TokioIo::new(Interims::new(io, outbox));
                let connection = self.rules.http1.serve_connection(io, front);
                drive(connection.with_upgrades(), clock, self.drain).await
            }
            Protocol::Http2 => {
                let connection = Streams::new(self.rules.write_stall, activity)
                    .builder(&self.rules.http2)
                    .serve_connection(TokioIo::new(io), front);
                drive(connection, clock, self.drain).await
            }
        }
    }
}

impl<IO, S> Graceful for http1::UpgradeableConnection<IO, Front<S>>
where
    IO: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: App,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}

impl<IO, S> Graceful for http2::Connection<IO, Front<S>, Streams>
where
    IO: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: App,
{
    fn graceful_shutdown(self: Pin<&mut Self>) {
        Self::graceful_shutdown(self);
    }
}
