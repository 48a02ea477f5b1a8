//! Asking Sentinels for the primary.

use std::sync::atomic::{AtomicUsize, Ordering};

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError};

use super::nodes::Node;

/// The Sentinels that watch one primary.
pub(super) struct Sentinels {
    /// What they call it.
    name: String,
    clients: Vec<Client>,
    /// Which answered last, and is asked first.
    good: AtomicUsize,
}

impl Sentinels {
    pub(super) fn new(name: String, clients: Vec<Client>) -> Self {
        Self { name, clients, good: AtomicUsize::new(0) }
    }

    /// Where the primary is, by the first Sentinel that knows it. All are asked at once, since one
    /// that hangs must not use up the time of the others.
    pub(super) async fn primary(&self, config: &AsyncConnectionConfig) -> Result<Node, RedisError> {
        let first = self.good.load(Ordering::Relaxed);
        let numbered = self.clients.iter().enumerate().cycle().skip(first);
        let asked = numbered.take(self.clients.len()).map(|(number, client)| {
            Box::pin(async move { self.ask(client, config).await.map(|node| (number, node)) })
        });
        let ((number, node), _) = futures_util::future::select_ok(asked).await?;
        self.good.store(number, Ordering::Relaxed);
        Ok(node)
    }

    async fn ask(
        &self,
        client: &Client,
        config: &AsyncConnectionConfig,
    ) -> Result<Node, RedisError> {
        let mut sentinel: MultiplexedConnection =
            client.get_multiplexed_async_connection_with_config(config).await?;
        let mut command = Cmd::new();
        command.arg("SENTINEL").arg("get-master-addr-by-name").arg(&self.name);
        let told = sentinel.send_packed_command(&command).await?.extract_error()?;
        let told = Option::<(String, u16)>::from_redis_value(told)?;
        let (host, port) = told.ok_or((
            ErrorKind::MasterNameNotFoundBySentinel,
            "the Sentinel does not know the primary's name",
        ))?;
        Ok(Node { host, port })
    }
}
