//! From settings to tiers.

#[cfg(feature = "disk")]
use std::error::Error;

use tokio::sync::OnceCell;

use crate::http::config::{BuildError, Config};
use crate::http::tiers::desk::Desk;
use crate::http::tiers::inner::Inner;
use crate::http::tiers::journal::Journal;
use crate::http::tiers::metrics::Meters;
#[cfg(feature = "redis")]
use crate::http::tiers::remote::Remote;
use crate::http::tiers::shelf::{Held, Shelf};
use crate::http::tiers::trust::Trust;
#[cfg(feature = "disk")]
use crate::sqlite::failure::OpenError;
#[cfg(feature = "disk")]
use crate::store::disk::{DiskConfig, DiskStore};
#[cfg(feature = "redis")]
use crate::store::redis::{RedisConfig, RedisStore};
#[cfg(feature = "disk")]
use crate::tiered::{Tier, TierConfig};

/// The tiers, the disk first; `None` if no settings ask for any.
pub(super) fn inner(config: &Config) -> Result<Option<Inner>, BuildError> {
    let (mut shelves, mut absent) = (Vec::new(), Vec::new());
    #[cfg(feature = "disk")]
    if let Some(disk) = &config.disk {
        match on_disk(config, disk)? {
            Ok(shelf) => shelves.push(shelf),
            Err(why) => absent.push(("disk", why)),
        }
    }
    #[cfg(feature = "redis")]
    let remote = match &config.redis {
        Some(redis) => {
            let (shelf, remote) = in_redis(config, redis)?;
            shelves.push(shelf);
            Some(remote)
        }
        None => None,
    };
    if shelves.is_empty() && absent.is_empty() {
        return Ok(None);
    }
    let is_alone = shelves.iter().all(|shelf: &Shelf| !shelf.is_shared());
    let count = usize::try_from(config.max_pending_writes).unwrap_or(usize::MAX);
    absent.shrink_to_fit();
    Ok(Some(Inner {
        shelves,
        absent,
        journal: Journal::default(),
        loaded: OnceCell::new(),
        writing: tokio::sync::Mutex::default(),
        desk: Desk::new(config.max_pending_size, count),
        trust: Trust::new(is_alone, config.offline_ttl),
        meters: Meters::new(&config.name),
        #[cfg(feature = "redis")]
        remote,
        #[cfg(feature = "redis")]
        leases: dashmap::DashMap::new(),
    }))
}

/// The disk, or why there is none: a cache without it is better than no gateway.
#[cfg(feature = "disk")]
fn on_disk(config: &Config, disk: &DiskConfig) -> Result<Result<Shelf, String>, BuildError> {
    let name = format!("{}-disk", config.name);
    match DiskStore::named(&name, disk) {
        Ok(store) => {
            let limits = TierConfig { timeout: Some(config.disk_timeout), ..TierConfig::default() };
            let held = Held::Disk(Tier::new(&name, store, limits));
            let (most, limit) = (config.disk_max_object_size, config.disk_timeout);
            Ok(Ok(Shelf::new(&config.name, held, most, limit)))
        }
        Err(error @ OpenError::Setting { .. }) => Err(BuildError::Disk(said(&error))),
        Err(error) => {
            let (cache, error) = (&*config.name, said(&error));
            tracing::error!(cache, error, "no disk tier: what is cached is in memory only");
            Ok(Err(error))
        }
    }
}

/// An error with its causes.
#[cfg(feature = "disk")]
fn said(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(feature = "redis")]
fn in_redis(config: &Config, redis: &RedisConfig) -> Result<(Shelf, Remote), BuildError> {
    let prefix = format!("{}{}:", redis.prefix, config.name);
    let name = format!("{}-redis", config.name);
    let settings = RedisConfig { prefix, ..redis.clone() };
    let store = RedisStore::named(&name, &settings);
    let store = store.map_err(|error| BuildError::Redis(error.to_string()))?;
    let limit = redis.timeout.saturating_add(redis.enqueue_timeout);
    let held = Held::Redis(store.clone());
    let shelf = Shelf::new(&config.name, held, config.redis_max_object_size, limit);
    Ok((shelf, Remote::new(config, store)))
}
