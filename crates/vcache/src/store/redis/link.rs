//! How calls get to the server and back: connections that are made when needed and replaced when
//! broken, limits for each wait, and a breaker in front.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Cmd, RedisError, Value};
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::breaker::{Breaker, Probed, Spot};
use super::config::RedisConfig;
use super::dial::{Connection, Dialer};
use super::error::{failure, is_broken, is_read_only, is_unknown_script};
use super::key::slot;
use super::metrics::RedisMeters;
use super::nodes::{self, Node};
use super::script::Script;
use crate::store::StoreError;

/// Connections that calls share: commands are queued and answered in order.
pub(super) struct Link(Arc<Inner>);

pub(super) struct Inner {
    dialer: Dialer,
    lanes: Box<[Lane]>,
    turns: Semaphore,
    enqueue: Duration,
    reply: Duration,
    breaker: Breaker,
}

/// One of the connections.
#[derive(Default)]
struct Lane {
    state: Mutex<State>,
    /// Held by the one who connects. Waiters wait no longer than that takes.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Counts connections, so that an old one's failure does not close its successor.
    number: u64,
    /// Counts attempts to connect that failed, and why the last one did.
    failures: u64,
    failed: Option<RedisError>,
}

/// What came back, before it is read: an answer, or errors in the midst of several.
type Answer = Result<Value, RedisError>;

impl Link {
    pub(super) fn new(dialer: Dialer, config: &RedisConfig, meters: Arc<RedisMeters>) -> Self {
        let lanes = (0..config.connections).map(|_| Lane::default()).collect();
        Self(Arc::new(Inner {
            dialer,
            lanes,
            turns: Semaphore::new(config.max_in_flight),
            enqueue: config.enqueue_timeout,
            reply: config.timeout,
            breaker: Breaker::new(config.breaker_failures, meters),
        }))
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.0.dialer
    }

    /// The way to the server of a key as Redis has it.
    pub(super) fn spot(&self, key: &str) -> Spot {
        let cluster = self.0.dialer.is_cluster();
        if !cluster && self.0.lanes.len() < 2 {
            return Spot::default();
        }
        let slot = slot(key.as_bytes());
        let lane = usize::from(slot) % self.0.lanes.len().max(1);
        let group = if cluster { usize::from(slot >> 8) } else { 0 };
        Spot { lane, groups: 1 << group, slot }
    }

    /// The way for a command over several keys.
    pub(super) fn spot_of(&self, keys: &[String]) -> Spot {
        let spots = keys.iter().map(|key| self.spot(key));
        spots
            .reduce(|one, other| Spot { groups: one.groups | other.groups, ..one })
            .unwrap_or_default()
    }

    /// Sends `command` and waits for the answer. A command that a broken connection swallowed is
    /// sent once more, so it must be harmless to repeat.
    pub(super) async fn call(&self, spot: Spot, command: &Cmd) -> Result<Value, StoreError> {
        let _turn = self.admitted(spot).await?;
        self.tried(spot, Request::One(command)).await
    }

    /// Sends several commands without waiting in between; their answers in order, each an error
    /// of the server or not.
    pub(super) async fn call_all(
        &self,
        spot: Spot,
        commands: &[Cmd],
    ) -> Result<Vec<Value>, StoreError> {
        let _turn = self.admitted(spot).await?;
        match self.tried(spot, Request::All(commands)).await? {
            Value::Array(values) => Ok(values),
            value => Ok(vec![value]),
        }
    }

    /// Runs a script on the server of `keys`, all in one slot, and sends it whole only where the
    /// server does not know it yet.
    pub(super) async fn run(
        &self,
        spot: Spot,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let (short, whole) = (script.short(keys, args), script.whole(keys, args));
        let _turn = self.admitted(spot).await?;
        let request = Request::Script { short: &short, whole: &whole };
        self.tried(spot, request).await
    }

    /// The primaries of a Cluster; where there is none, one node that stands for the server.
    pub(super) async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        if !self.0.dialer.is_cluster() {
            return Ok(vec![Node { host: String::new(), port: 0 }]);
        }
        let slots = self.call(Spot::default(), &nodes::question()).await?;
        nodes::primaries(&slots, "").map_err(failure)
    }

    /// Sends `command` to one of [`nodes`](Self::nodes).
    pub(super) async fn call_node(&self, node: &Node, command: &Cmd) -> Result<Value, StoreError> {
        let spot = Spot::default();
        let _turn = self.admitted(spot).await?;
        self.tried(spot, Request::Node(node, command)).await
    }

    /// A turn, unless the breaker is open.
    async fn admitted(&self, spot: Spot) -> Result<SemaphorePermit<'_>, StoreError> {
        let inner = &self.0;
        if !inner.breaker.admits(spot) {
            inner.breaker.watch(&self.0, spot);
            return Err(StoreError::Unreachable(Open.into()));
        }
        if let Ok(turn) = inner.turns.try_acquire() {
            return Ok(turn);
        }
        match timeout(inner.enqueue, inner.turns.acquire()).await {
            Ok(turn) => turn.map_err(|_| StoreError::Closed),
            Err(_) => Err(StoreError::Timeout(inner.enqueue)),
        }
    }

    /// Sends once, and once more if the connection was broken already.
    async fn tried(&self, spot: Spot, request: Request<'_>) -> Result<Value, StoreError> {
        let fresh = !self.0.is_connected(spot.lane);
        match self.sent(spot, request).await {
            Ok(Err(error)) if !fresh && self.0.is_lost(&error) => {
                self.sent(spot, request).await?.map_err(failure)
            }
            result => result?.map_err(failure),
        }
    }

    async fn sent(&self, spot: Spot, request: Request<'_>) -> Result<Answer, StoreError> {
        let inner = &self.0;
        let (connection, number) = match inner.connection(spot.lane).await {
            Ok(connection) => connection,
            Err(error) => {
                inner.breaker.trip(&self.0, spot, &error);
                return Err(failure(error));
            }
        };
        let Ok(answer) = timeout(inner.reply, request.sent(connection)).await else {
            if inner.breaker.failed(&self.0, spot, &"no answer in time") {
                // A half-open connection says nothing for ever.
                inner.suspect();
            }
            return Err(StoreError::Timeout(inner.reply));
        };
        match &answer {
            Err(error) if inner.is_lost(error) => {
                inner.breaker.failed(&self.0, spot, error);
                inner.lose(spot.lane, number);
            }
            Err(error) if failure(error.clone()).is_transient() => {
                inner.breaker.failed(&self.0, spot, error);
            }
            _ => inner.breaker.succeeded(spot),
        }
        Ok(answer)
    }
}

/// What is sent.
#[derive(Clone, Copy)]
enum Request<'a> {
    One(&'a Cmd),
    All(&'a [Cmd]),
    /// A script by its name, and whole.
    Script {
        short: &'a Cmd,
        whole: &'a Cmd,
    },
    Node(&'a Node, &'a Cmd),
}

impl Request<'_> {
    async fn sent(self, mut connection: Connection) -> Answer {
        match self {
            Self::One(command) => connection.send(command).await.and_then(Value::extract_error),
            Self::All(commands) => connection.send_all(commands).await.and_then(usable),
            Self::Script { short, whole } => {
                let answer = connection.send(short).await.and_then(Value::extract_error);
                match answer {
                    Err(error) if is_unknown_script(&error) => {
                        connection.send(whole).await.and_then(Value::extract_error)
                    }
                    answer => answer,
                }
            }
            Self::Node(node, command) => {
                let answer = connection.send_to(node, command.clone()).await;
                answer.and_then(Value::extract_error)
            }
        }
    }
}

/// Several answers, unless one of them is an error that says something of the server as a whole.
fn usable(answers: Value) -> Answer {
    let Value::Array(values) = &answers else { return Ok(answers) };
    for value in values {
        if let Value::ServerError(error) = value {
            let error = RedisError::from(error.clone());
            if is_read_only(&error) || failure(error.clone()).is_transient() {
                return Err(error);
            }
        }
    }
    Ok(answers)
}

/// The breaker lets nothing through.
#[derive(Debug, thiserror::Error)]
#[error("it has not answered, and is probed in the background")]
struct Open;

impl Inner {
    /// Whether the connection has to be made anew.
    fn is_lost(&self, error: &RedisError) -> bool {
        if self.dialer.is_cluster() {
            // It makes the connections to its nodes anew by itself, unless its own task is gone.
            return error.is_unrecoverable_error() && !error.is_io_error();
        }
        is_broken(error) || (self.dialer.may_move() && is_read_only(error))
    }

    fn is_connected(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| lane.state().connection.is_some())
    }

    /// The connection there is, or a new one.
    async fn connection(&self, lane: usize) -> Result<(Connection, u64), RedisError> {
        let Some(lane) = self.lanes.get(lane) else {
            return Err(std::io::Error::other("no such connection").into());
        };
        if let Some(present) = lane.present() {
            return Ok(present);
        }
        let before = lane.state().failures;
        let _connecting = lane.connecting.lock().await;
        if let Some(present) = lane.present() {
            return Ok(present);
        }
        if let Some(error) = lane.failed_since(before) {
            // A thousand callers must not knock a thousand times, one after the other.
            return Err(error);
        }
        let made = self.dialer.dial().await;
        let mut state = lane.state();
        match made {
            Ok(made) => {
                state.number += 1;
                state.connection = Some(made.clone());
                Ok((made, state.number))
            }
            Err(error) => {
                state.failures += 1;
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Forgets a connection, if it is still that one.
    fn lose(&self, lane: usize, number: u64) {
        let Some(lane) = self.lanes.get(lane) else { return };
        let mut state = lane.state();
        if state.number == number {
            state.connection = None;
        }
    }

    /// Makes all connections anew, but those of a Cluster, whose other nodes may be well.
    fn suspect(&self) {
        if !self.dialer.is_cluster() {
            self.lose_all();
        }
    }

    fn lose_all(&self) {
        for lane in &self.lanes {
            lane.state().connection = None;
        }
    }

    async fn pinged(&self, spot: Spot, anew: bool) -> Result<(), RedisError> {
        if anew {
            self.lose_all();
        }
        let (mut connection, number) = self.connection(spot.lane).await?;
        let mut ping = Cmd::new();
        ping.arg("PING");
        let result = match timeout(self.reply, connection.ping(spot.slot, ping)).await {
            Ok(answer) => answer.and_then(|value| value.extract_error().map(drop)),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        };
        if result.is_err() && !self.dialer.is_cluster() {
            self.lose(spot.lane, number);
        }
        result
    }
}

impl Probed for Inner {
    fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    fn probe(&self, spot: Spot, anew: bool) -> BoxFuture<'_, Result<(), RedisError>> {
        Box::pin(self.pinged(spot, anew))
    }
}

impl Lane {
    fn present(&self) -> Option<(Connection, u64)> {
        let state = self.state();
        state.connection.clone().map(|connection| (connection, state.number))
    }

    /// Why connecting has failed, if it did after so many failures before.
    fn failed_since(&self, before: u64) -> Option<RedisError> {
        let state = self.state();
        state.failed.clone().filter(|_| state.failures > before)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
