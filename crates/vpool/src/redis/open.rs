//! Opens and checks Redis connections: the manager for a pool.

use std::fmt;
use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{AsyncConnectionConfig, Client, IntoConnectionInfo};
use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};

use crate::redis::config::Config;
use crate::redis::connection::Connection;
use crate::redis::error::{ConnectError, UrlError};

/// Opens Redis connections for a [`Pool`](crate::Pool).
///
/// TCP_NODELAY is on. An idle connection is pinged only when it was idle for long, and one that
/// fails is replaced unseen.
pub struct Redis {
    client: Client,
    config: Config,
    settings: AsyncConnectionConfig,
}

impl Redis {
    /// Takes the settings; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Fails when the URL is not one of Redis.
    pub fn new(config: Config) -> Result<Self, UrlError> {
        let server = config.url.as_str().into_connection_info();
        let server = server.map_err(UrlError::new)?;
        let tcp = TcpSettings::default().set_nodelay(true);
        let client = Client::open(server.set_tcp_settings(tcp)).map_err(UrlError::new)?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            // Ours covers the queue before the socket too.
            .set_response_timeout(None);
        Ok(Self { client, config, settings })
    }

    fn response_limit(&self) -> Option<Duration> {
        let limit = self.config.response_timeout;
        (!limit.is_zero()).then_some(limit)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Manager for Redis {
    type Type = Connection;
    type Error = ConnectError;

    async fn create(&self) -> Result<Connection, ConnectError> {
        let limit = self.config.connect_timeout;
        let opening = self.client.get_multiplexed_async_connection_with_config(&self.settings);
        match tokio::time::timeout(limit, opening).await {
            Ok(Ok(opened)) => Ok(Connection::new(opened, self.response_limit())),
            Ok(Err(error)) if error.is_timeout() => Err(ConnectError::Timeout(limit)),
            Ok(Err(error)) => Err(ConnectError::Failed(error.into())),
            Err(_) => Err(ConnectError::Timeout(limit)),
        }
    }

    async fn recycle(&self, conn: &mut Connection, _: &Metrics) -> RecycleResult<ConnectError> {
        if let Some(why) = conn.unfit() {
            return Err(RecycleError::message(why));
        }
        let command = if conn.is_watching() {
            "UNWATCH"
        } else if conn.unused_for() >= self.config.check_after {
            "PING"
        } else {
            return Ok(());
        };
        let answered: Result<(), _> = ::redis::cmd(command).query_async(conn).await;
        answered.map_err(|error| RecycleError::Backend(ConnectError::Unusable(error.into())))
    }
}
