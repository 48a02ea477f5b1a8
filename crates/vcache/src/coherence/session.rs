//! The task that listens: it connects, has itself told of changes, and sees that it still is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, PushInfo, RedisError};
use futures_util::future::try_join_all;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use vtask::Backoff;

use super::config::{CoherenceConfig, CoherenceMode};
use super::push::{Ear, Figures};
use crate::store::StoreError;
use crate::store::redis::{Dedicated, RedisStore};
use crate::tiered::near::Near;

/// The first wait before connecting again stays below this, and doubles up to the longest.
const WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Who tells the others.
#[derive(Clone)]
pub(super) enum Voice {
    /// It is not known yet.
    Unknown,
    /// The server does.
    Server,
    /// This process publishes.
    Own(Publisher),
    /// It would, and is out of touch.
    Lost,
}

/// Publishes where the others listen.
#[derive(Clone)]
pub(super) struct Publisher {
    connection: MultiplexedConnection,
    channel: Arc<str>,
}

impl Publisher {
    pub(super) async fn publish(&self, message: &[u8]) -> Result<(), StoreError> {
        let publish = Cmd::publish(&*self.channel, message);
        let told = publish.exec_async(&mut self.connection.clone()).await;
        told.map_err(|error| StoreError::Unreachable(error.into()))
    }
}

/// What the task works with.
pub(super) struct Listener {
    name: Box<str>,
    store: RedisStore,
    config: CoherenceConfig,
    channel: Arc<str>,
    own: u64,
    near: Arc<Near>,
    tell: watch::Sender<Voice>,
}

/// Why a connection has ended.
enum Ended {
    /// The server does not track.
    Refused(RedisError),
    /// It could not be made, or is gone.
    Lost(Option<RedisError>),
}

impl From<RedisError> for Ended {
    fn from(error: RedisError) -> Self {
        Self::Lost(Some(error))
    }
}

impl Listener {
    pub(super) fn new(
        name: &str,
        store: &RedisStore,
        config: CoherenceConfig,
        own: u64,
        near: Arc<Near>,
        tell: watch::Sender<Voice>,
    ) -> Self {
        Self {
            name: name.into(),
            store: store.clone(),
            config,
            // No entry is called so: it is no key.
            channel: format!("{}{{coherence}}", store.prefix()).into(),
            own,
            near,
            tell,
        }
    }

    pub(super) async fn run(self, figures: Arc<Figures>) {
        let mut backoff = Backoff::new(WAIT, LONGEST_WAIT);
        let mut mode = match self.config.mode {
            CoherenceMode::Publish => CoherenceMode::Publish,
            CoherenceMode::Auto | CoherenceMode::Tracking => CoherenceMode::Tracking,
        };
        let cache = &*self.name;
        loop {
            let number = self.near.attempt();
            let ended = self.session(number, mode, &figures, &mut backoff).await;
            self.near.lost(number);
            if matches!(*self.tell.borrow(), Voice::Own(_)) {
                self.tell.send_replace(Voice::Lost);
            }
            match ended {
                Ended::Refused(error) if self.config.mode == CoherenceMode::Auto => {
                    let error = error.to_string();
                    tracing::warn!(
                        cache,
                        error,
                        "the server does not track: changes are published"
                    );
                    mode = CoherenceMode::Publish;
                    continue;
                }
                Ended::Refused(error) | Ended::Lost(Some(error)) if backoff.attempts() == 0 => {
                    let error = error.to_string();
                    tracing::warn!(cache, error, "no connection for invalidations");
                }
                _ => {}
            }
            sleep(backoff.next_wait()).await;
        }
    }

    /// One connection from its making to its end.
    async fn session(
        &self,
        number: u64,
        mode: CoherenceMode,
        figures: &Arc<Figures>,
        backoff: &mut Backoff,
    ) -> Ended {
        let gone = Arc::new(Notify::new());
        let mut servers = match self.begin(number, mode, figures, &gone).await {
            Ok(servers) => servers,
            Err(ended) => return ended,
        };
        let cache = &*self.name;
        figures.meters.connected(true);
        tracing::info!(cache, ?mode, "hearing of the changes that others make");
        backoff.reset();
        let why = self.keep(number, &mut servers, &gone).await;
        figures.meters.connected(false);
        figures.losses.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(cache, "lost touch: memory was emptied");
        Ended::Lost(why)
    }

    /// Connects, and has the memory trusted once invalidations arrive.
    async fn begin(
        &self,
        number: u64,
        mode: CoherenceMode,
        figures: &Arc<Figures>,
        gone: &Arc<Notify>,
    ) -> Result<Vec<Dedicated>, Ended> {
        let ear = || Ear {
            near: Arc::clone(&self.near),
            figures: Arc::clone(figures),
            number,
            own: self.own,
            store: self.store.clone(),
            gone: Arc::clone(gone),
        };
        let push = |_: &str| {
            let ear = ear();
            move |push: PushInfo| -> Result<(), std::convert::Infallible> {
                ear.hear(&push);
                Ok(())
            }
        };
        let limit = self.config.timeout;
        let dialled = timeout(limit, self.store.dialer().dedicated(push)).await;
        let mut servers = dialled.map_err(|_| Ended::Lost(None))??;
        let asked = timeout(limit, self.ask(mode, &mut servers)).await;
        asked.map_err(|_| Ended::Lost(None))??;
        let sent = self.near.clock().now();
        self.pinged(&mut servers).await?;
        let cap = (mode == CoherenceMode::Publish).then_some(self.config.publish_ttl);
        if !self.near.begin(number, sent, cap) {
            return Err(Ended::Lost(None));
        }
        let voice = match (mode, servers.first()) {
            (CoherenceMode::Publish, Some(server)) => Voice::Own(Publisher {
                connection: server.connection.clone(),
                channel: Arc::clone(&self.channel),
            }),
            _ => Voice::Server,
        };
        self.tell.send_replace(voice);
        Ok(servers)
    }

    /// Has every server tell of changes.
    async fn ask(&self, mode: CoherenceMode, servers: &mut [Dedicated]) -> Result<(), Ended> {
        if mode == CoherenceMode::Publish {
            // What one node of a Cluster is told, it tells the others.
            if let Some(server) = servers.first_mut() {
                server.connection.subscribe(&*self.channel).await?;
            }
            return Ok(());
        }
        let mut track = Cmd::new();
        track.arg("CLIENT").arg("TRACKING").arg("ON");
        track.arg("BCAST").arg("PREFIX").arg(self.store.prefix());
        for server in servers {
            if let Err(error) = track.exec_async(&mut server.connection).await {
                let refused = matches!(error.code(), Some("ERR" | "NOPERM"));
                return Err(if refused { Ended::Refused(error) } else { error.into() });
            }
        }
        Ok(())
    }

    /// Keeps the memory trusted until a ping is not answered, or the connection is gone.
    async fn keep(
        &self,
        number: u64,
        servers: &mut [Dedicated],
        gone: &Notify,
    ) -> Option<RedisError> {
        loop {
            if timeout(self.config.ping, gone.notified()).await.is_ok() {
                return None;
            }
            let sent = self.near.clock().now();
            match self.pinged(servers).await {
                Ok(()) if self.near.extend(number, sent) => {}
                Err(Ended::Refused(error) | Ended::Lost(Some(error))) => return Some(error),
                Ok(()) | Err(Ended::Lost(None)) => return None,
            }
        }
    }

    /// Asks every server whether it is there, and whether it is these that hold the keys. Their
    /// answers come after all that they had to tell before.
    async fn pinged(&self, servers: &mut [Dedicated]) -> Result<(), Ended> {
        let asked = timeout(self.config.timeout, async {
            let pings = servers.iter_mut().map(|server| async {
                Cmd::new().arg("PING").exec_async(&mut server.connection).await
            });
            try_join_all(pings).await?;
            self.store.dialer().still(servers).await
        });
        match asked.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(false)) | Err(_) => Err(Ended::Lost(None)),
        }
    }
}
