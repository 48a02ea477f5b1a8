//! Making connections: to one server, to the primary that Sentinel names, to a Cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection};
use ::redis::cluster::{ClusterClient, ClusterClientBuilder};
use ::redis::cluster_async::ClusterConnection;
use ::redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use ::redis::io::tcp::TcpSettings;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, RedisError, Value,
};
use tokio::time::timeout;

use super::config::RedisConfig;
use super::error::RedisBuildError;
use super::nodes::{self, Node};
use super::sentinel::Sentinels;

/// Tries of a Cluster's client for one call: it follows a slot that moves, and no more than that
/// fits into a call's time.
const TRIES: u32 = 6;

/// Makes connections with the settings of one store. Each making ends within the time to connect.
#[derive(Clone)]
pub(crate) struct Dialer {
    place: Arc<Place>,
    /// How to talk to a server: all but the address is right.
    like: ConnectionInfo,
    limit: Duration,
    /// Commands that a connection queues without waiting.
    queue: usize,
}

enum Place {
    One,
    Sentinel(Sentinels),
    Cluster(Box<ClusterClient>, Vec<ConnectionInfo>),
}

/// A connection that calls share.
#[derive(Clone)]
pub(super) enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// A connection of its own to one server that holds keys, with pushes (RESP3).
pub(crate) struct Dedicated {
    /// The server's `host:port`, or the path of its socket.
    pub(crate) address: String,
    /// Commands go here. Pushes, and the news that it broke, go to the sender given.
    pub(crate) connection: MultiplexedConnection,
}

impl Dialer {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self, RedisBuildError> {
        let like = info(&config.url, config)?;
        let mut nodes = vec![like.clone()];
        for url in &config.urls {
            nodes.push(info(url, config)?);
        }
        let place = match &config.sentinel {
            _ if config.cluster => Place::Cluster(Box::new(cluster(config, &nodes)?), nodes),
            Some(sentinel) => {
                let urls = sentinel.urls.iter();
                let clients: Result<Vec<_>, _> =
                    urls.map(|url| opened(info(url, config)?, url)).collect();
                Place::Sentinel(Sentinels::new(sentinel.primary.clone(), clients?))
            }
            None => Place::One,
        };
        Ok(Self {
            place: Arc::new(place),
            like,
            limit: config.connect_timeout,
            queue: config.max_in_flight.max(1),
        })
    }

    /// Whether entries are spread over several servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(*self.place, Place::Cluster(..))
    }

    /// Whether another server may be the primary the next time.
    pub(super) fn may_move(&self) -> bool {
        matches!(*self.place, Place::Sentinel(_))
    }

    /// A connection for calls.
    pub(super) async fn dial(&self) -> Result<Connection, RedisError> {
        self.limited(async {
            if let Place::Cluster(client, _) = &*self.place {
                return client.get_async_connection().await.map(Connection::Cluster);
            }
            let info = self.primary().await?;
            // Calls have limits of their own.
            let config = self.patient().set_pipeline_buffer_size(self.queue);
            let mut made =
                Client::open(info)?.get_multiplexed_async_connection_with_config(&config).await?;
            if self.may_move() {
                nodes::must_be_primary(&mut made).await?;
            }
            Ok(Connection::One(made))
        })
        .await
    }

    /// A connection of its own, with pushes, to each server that is a primary: one, or all of a
    /// Cluster. `push` makes the sender for the one at an address.
    pub(crate) async fn dedicated<P: AsyncPushSender>(
        &self,
        push: impl Fn(&str) -> P,
    ) -> Result<Vec<Dedicated>, RedisError> {
        let mut all = Vec::new();
        for info in self.limited(self.primaries()).await? {
            all.push(self.dedicate(info, &push).await?);
        }
        Ok(all)
    }

    /// Whether these are still the servers that hold keys, by what they say themselves.
    pub(crate) async fn still(&self, servers: &mut [Dedicated]) -> Result<bool, RedisError> {
        let Some(first) = servers.first_mut() else { return Ok(false) };
        match &*self.place {
            Place::One => Ok(true),
            Place::Sentinel(_) => {
                nodes::must_be_primary(&mut first.connection).await.map(|()| true)
            }
            Place::Cluster(..) => {
                let slots = first.connection.req_packed_command(&nodes::question()).await?;
                let now = nodes::primaries(&slots, &first.address)?;
                let now: BTreeSet<String> =
                    now.into_iter().map(|node| address(self.at(node).addr())).collect();
                Ok(now
                    .iter()
                    .eq(servers.iter().map(|server| &server.address).collect::<BTreeSet<_>>()))
            }
        }
    }

    /// A connection of its own, with pushes, to any one server: what is published reaches all.
    pub(crate) async fn listener<P: AsyncPushSender>(
        &self,
        push: impl Fn(&str) -> P,
    ) -> Result<Dedicated, RedisError> {
        let mut error = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node"));
        for info in self.limited(self.primaries()).await? {
            match self.dedicate(info, &push).await {
                Ok(made) => return Ok(made),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    async fn dedicate<P: AsyncPushSender>(
        &self,
        info: ConnectionInfo,
        push: impl Fn(&str) -> P,
    ) -> Result<Dedicated, RedisError> {
        let address = address(info.addr());
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let config = self.patient().set_push_sender(push(&address));
        let client = Client::open(info.set_redis_settings(settings))?;
        let made = client.get_multiplexed_async_connection_with_config(&config);
        let connection = self.limited(made).await?;
        Ok(Dedicated { address, connection })
    }

    /// The servers that hold keys.
    async fn primaries(&self) -> Result<Vec<ConnectionInfo>, RedisError> {
        let Place::Cluster(_, seeds) = &*self.place else {
            return Ok(vec![self.primary().await?]);
        };
        let mut error = RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node"));
        for seed in seeds {
            match self.ask(seed.clone()).await {
                Ok(nodes) => return Ok(nodes.into_iter().map(|node| self.at(node)).collect()),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    async fn ask(&self, seed: ConnectionInfo) -> Result<Vec<Node>, RedisError> {
        let here = address(seed.addr());
        let config = self.patient();
        let mut seed =
            Client::open(seed)?.get_multiplexed_async_connection_with_config(&config).await?;
        let slots = seed.req_packed_command(&nodes::question()).await?;
        nodes::primaries(&slots, &here)
    }

    async fn primary(&self) -> Result<ConnectionInfo, RedisError> {
        match &*self.place {
            Place::Sentinel(sentinels) => {
                sentinels.primary(&self.patient()).await.map(|node| self.at(node))
            }
            Place::One | Place::Cluster(..) => Ok(self.like.clone()),
        }
    }

    /// How to talk to the server at `node`.
    fn at(&self, node: Node) -> ConnectionInfo {
        let addr = match self.like.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: node.host,
                port: node.port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => ConnectionAddr::Tcp(node.host, node.port),
        };
        self.like.clone().set_addr(addr)
    }

    /// No limits inside of the one that all of it has.
    fn patient(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limit))
            .set_response_timeout(None)
    }

    /// What is tried within the time to connect.
    pub(super) async fn limited<T>(
        &self,
        making: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RedisError> {
        timeout(self.limit, making).await.unwrap_or_else(|_| {
            let slow = std::io::Error::from(std::io::ErrorKind::TimedOut);
            Err(RedisError::from(slow))
        })
    }
}

impl Connection {
    /// Sends a command to the server that has its key.
    pub(super) async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        match self {
            Self::One(connection) => connection.send_packed_command(command).await,
            Self::Cluster(connection) => connection.req_packed_command(command).await,
        }
    }

    /// Sends several commands in one write, or in a Cluster each for itself, which its client joins
    /// for each node; the answers in order, with the server's errors among them.
    pub(super) async fn send_all(&mut self, commands: &[Cmd]) -> Result<Value, RedisError> {
        let Self::One(connection) = self else {
            let sent = commands.iter().map(|command| {
                let mut connection = self.clone();
                async move { connection.send(command).await }
            });
            return futures_util::future::try_join_all(sent).await.map(Value::Array);
        };
        let mut pipeline = ::redis::Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let answers = connection.send_packed_commands(&pipeline, 0, commands.len()).await?;
        Ok(Value::Array(answers))
    }

    /// Sends a command without a key to the server that has the slot.
    pub(super) async fn ping(&mut self, slot: u16, command: Cmd) -> Result<Value, RedisError> {
        match self {
            Self::One(connection) => connection.send_packed_command(&command).await,
            Self::Cluster(connection) => {
                let route = Route::new(slot, SlotAddr::Master);
                let there = SingleNodeRoutingInfo::SpecificNode(route);
                connection.route_command(command, RoutingInfo::SingleNode(there)).await
            }
        }
    }

    /// Sends a command to one node of a Cluster; anywhere else to the server.
    pub(super) async fn send_to(&mut self, node: &Node, command: Cmd) -> Result<Value, RedisError> {
        match self {
            Self::One(connection) => connection.send_packed_command(&command).await,
            Self::Cluster(connection) => {
                let (host, port) = (node.host.clone(), node.port);
                let there = SingleNodeRoutingInfo::ByAddress { host, port };
                connection.route_command(command, RoutingInfo::SingleNode(there)).await
            }
        }
    }
}

fn address(addr: &ConnectionAddr) -> String {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
            format!("{host}:{port}")
        }
        ConnectionAddr::Unix(path) => path.display().to_string(),
        other => other.to_string(),
    }
}

fn opened(info: ConnectionInfo, url: &str) -> Result<Client, RedisBuildError> {
    Client::open(info).map_err(|error| RedisBuildError::url(url, error))
}

/// How to talk to the server of a URL.
fn info(url: &str, config: &RedisConfig) -> Result<ConnectionInfo, RedisBuildError> {
    let info = url.into_connection_info().map_err(|error| RedisBuildError::url(url, error))?;
    // Small commands must not wait for the acknowledgement of the one before (Nagle).
    let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    #[cfg(feature = "redis-tls")]
    let info = super::tls::equipped(info, &config.tls, url)?;
    #[cfg(not(feature = "redis-tls"))]
    let _ = config;
    if !info.addr().is_supported() {
        return Err(RedisBuildError::NoTls);
    }
    Ok(info)
}

fn cluster(
    config: &RedisConfig,
    nodes: &[ConnectionInfo],
) -> Result<ClusterClient, RedisBuildError> {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let builder = ClusterClientBuilder::new(nodes.iter().cloned())
        .connection_timeout(config.connect_timeout)
        .response_timeout(config.timeout)
        // Calls have limits of their own.
        .overall_response_timeout(None)
        .retries(TRIES)
        .min_retry_wait(5)
        .max_retry_wait(millis(config.timeout / TRIES).max(5))
        .retry_wait_formula(5, 2)
        .tcp_settings(TcpSettings::default().set_nodelay(true))
        .use_protocol(ProtocolVersion::RESP3);
    #[cfg(feature = "redis-tls")]
    let builder = super::tls::equip_cluster(builder, nodes, &config.tls)?;
    builder.build().map_err(|error| RedisBuildError::url(&config.url, error))
}
