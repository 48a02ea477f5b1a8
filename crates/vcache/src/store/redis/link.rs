//! One multiplexed connection that is made when needed and replaced when broken.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};
use ::redis::{ServerErrorKind, Value};
use tokio::time::{Instant, timeout};

use crate::store::StoreError;

/// After a failed attempt to connect, calls fail at once for so long: a thousand callers must
/// not knock a thousand times.
const PAUSE: Duration = Duration::from_millis(100);
/// Calls in a row without an answer until the connection is taken for half-open.
const SILENT_CALLS: u32 = 3;

/// A connection that all calls share: commands are queued and answered in order.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    state: Mutex<State>,
    /// Held by the one who connects. Waiters keep within their own timeouts.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Counts connections, so that an old one's failure does not close its successor.
    number: u64,
    silent: u32,
    failed: Option<(Instant, RedisError)>,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, state: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Sends `command` and waits for the answer, connecting first if need be. A command that a
    /// broken connection swallowed is sent once more, so it must be harmless to repeat.
    pub(super) async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let value: Value = self.bounded(self.send(command)).await?;
        let value = value.extract_error().map_err(failure)?;
        ::redis::from_redis_value(value).map_err(|error| StoreError::Refused(error.into()))
    }

    async fn send(&self, command: &Cmd) -> Result<Value, RedisError> {
        let fresh = self.state().connection.is_none();
        match self.send_once(command).await {
            Err(error) if !fresh && is_broken(&error) => self.send_once(command).await,
            result => result,
        }
    }

    async fn send_once(&self, command: &Cmd) -> Result<Value, RedisError> {
        let (mut connection, number) = self.connection().await?;
        let result = connection.send_packed_command(command).await;
        let broken = result.as_ref().is_err_and(is_broken);
        let mut state = self.state();
        if state.number == number {
            state.silent = 0;
            if broken {
                state.connection = None;
            }
        }
        result
    }

    async fn bounded<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, StoreError> {
        let Ok(result) = timeout(self.timeout, call).await else {
            self.unanswered();
            return Err(StoreError::Timeout(self.timeout));
        };
        result.map_err(failure)
    }

    /// A half-open connection says nothing for ever; a slow server must not lose its connection
    /// to one slow call.
    fn unanswered(&self) {
        let mut state = self.state();
        state.silent += 1;
        if state.silent >= SILENT_CALLS {
            state.silent = 0;
            state.connection = None;
        }
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64), RedisError> {
        if let Some(connection) = self.present()? {
            return Ok(connection);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(connection) = self.present()? {
            return Ok(connection);
        }
        // The whole call is bounded already, the queue included.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut state = self.state();
        match made {
            Ok(connection) => {
                state.number += 1;
                state.silent = 0;
                state.failed = None;
                state.connection = Some(connection.clone());
                Ok((connection, state.number))
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// The connection there is, or the failure that is too fresh to try again.
    fn present(&self) -> Result<Option<(MultiplexedConnection, u64)>, RedisError> {
        let state = self.state();
        if let Some(connection) = &state.connection {
            return Ok(Some((connection.clone(), state.number)));
        }
        match &state.failed {
            Some((at, error)) if at.elapsed() < PAUSE => Err(error.clone()),
            _ => Ok(None),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing in the critical sections panics; a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error()
}

fn failure(error: RedisError) -> StoreError {
    let away = matches!(
        error.kind(),
        ErrorKind::Io
            | ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
            )
    );
    if away || is_broken(&error) {
        StoreError::Unreachable(error.into())
    } else {
        StoreError::Refused(error.into())
    }
}
