//! Connections of their own to the servers that hold keys.

use ::redis::RedisError;
use ::redis::aio::{AsyncPushSender, MultiplexedConnection};
use ::redis::io::tcp::TcpSettings;
use ::redis::{AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

use crate::store::redis::{RedisBuildError, RedisConfig};

/// Makes the connections.
pub(super) struct Dialer {
    info: ConnectionInfo,
    limit: std::time::Duration,
}

pub(super) struct Dedicated {
    pub(super) address: String,
    pub(super) connection: MultiplexedConnection,
}

impl Dialer {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, RedisBuildError> {
        let url = |error: RedisError| RedisBuildError::Url(error.into());
        let info = config.url.as_str().into_connection_info().map_err(url)?;
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self { info: info.set_redis_settings(redis), limit: config.timeout })
    }

    pub(super) async fn dedicated<P: AsyncPushSender>(
        &self,
        push: impl Fn(&str) -> P,
    ) -> Result<Vec<Dedicated>, RedisError> {
        let address = self.info.addr().to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limit))
            .set_response_timeout(None)
            .set_push_sender(push(&address));
        let client = Client::open(self.info.clone())?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(vec![Dedicated { address, connection }])
    }
}
