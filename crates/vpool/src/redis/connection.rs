//! A Redis connection that knows whether it may be used again.

use std::io;
use std::time::Duration;

use ::redis::aio::{ConnectionLike, MultiplexedConnection};
use ::redis::{Arg, Cmd, Pipeline, RedisFuture, RedisResult, Value};
use tokio::time::Instant;

/// Commands that leave something behind which the next user must not find.
const STATEFUL: [&str; 12] = [
    "ASKING",
    "AUTH",
    "CLIENT",
    "HELLO",
    "MONITOR",
    "MULTI",
    "PSUBSCRIBE",
    "READONLY",
    "RESET",
    "SELECT",
    "SSUBSCRIBE",
    "SUBSCRIBE",
];

/// A connection to Redis for one caller at a time.
///
/// Implements redis-rs's `aio::ConnectionLike`, so that its commands run on it. It watches what
/// is sent: after a command that was cut short or timed out, or that changes the connection
/// itself (`SELECT`, `MULTI`, `SUBSCRIBE`…), the pool does not hand it out again; a `WATCH`
/// left open is undone.
///
/// Cancel safety: a dropped command may have been executed; the connection is then not used
/// again, because a blocking command would hold up the next one.
#[derive(Debug)]
pub struct Connection {
    inner: MultiplexedConnection,
    limit: Option<Duration>,
    last_used: Instant,
    /// Whether a command is under way, or was cut short.
    pending: bool,
    broken: bool,
    stateful: bool,
    watching: bool,
}

impl Connection {
    pub(crate) fn new(inner: MultiplexedConnection, limit: Option<Duration>) -> Self {
        Self {
            inner,
            limit,
            last_used: Instant::now(),
            pending: false,
            broken: false,
            stateful: false,
            watching: false,
        }
    }

    /// Why the connection must not be used again, if so.
    pub(crate) const fn unfit(&self) -> Option<&'static str> {
        if self.broken {
            Some("lost or too slow")
        } else if self.pending {
            Some("a command was cut short")
        } else if self.stateful {
            Some("its state was changed")
        } else {
            None
        }
    }

    /// Whether a `WATCH` is open.
    pub(crate) const fn is_watching(&self) -> bool {
        self.watching
    }

    /// How long nothing was asked on it.
    pub(crate) fn unused_for(&self) -> Duration {
        self.last_used.elapsed()
    }

    fn note(&mut self, command: &Cmd) {
        let Some(Arg::Simple(name)) = command.args_iter().next() else {
            return;
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("WATCH") {
            self.watching = true;
        } else if ["UNWATCH", "EXEC", "DISCARD"].into_iter().any(is) {
            self.watching = false;
        } else if STATEFUL.into_iter().any(is) {
            self.stateful = true;
        }
    }

    fn ended<T>(&mut self, result: &RedisResult<T>) {
        self.pending = false;
        self.last_used = Instant::now();
        if let Err(error) = result {
            self.broken |= error.is_unrecoverable_error() || error.is_timeout();
        }
    }
}

/// Runs a command within the limit, which redis-rs's own would not put on the queue before the
/// socket.
async fn within<T>(
    limit: Option<Duration>,
    command: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    let Some(limit) = limit else {
        return command.await;
    };
    match tokio::time::timeout(limit, command).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.note(cmd);
        Box::pin(async move {
            self.pending = true;
            let result = within(self.limit, self.inner.req_packed_command(cmd)).await;
            self.ended(&result);
            result
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        for command in pipeline.cmd_iter() {
            self.note(command);
        }
        if pipeline.is_transaction() {
            // It ends with an EXEC, which ends every WATCH too.
            self.watching = false;
        }
        Box::pin(async move {
            self.pending = true;
            let sent = self.inner.req_packed_commands(pipeline, offset, count);
            let result = within(self.limit, sent).await;
            self.ended(&result);
            result
        })
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }
}
