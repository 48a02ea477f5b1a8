//! What a warmer fills.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cache::Cache;
use crate::error::{BoxError, LoadError};
use crate::load::loaded::Loaded;
use crate::store::Store;
use crate::store::codec::Codec;
use crate::tiered::Tiered;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmed {
    /// It was fetched and given to the cache.
    Loaded,
    /// It was left alone, because the cache has it, fresh until the next round.
    Skipped,
}

/// What a warmer can fill: [`Cache`] and [`Tiered`]. A clone is another handle of the same.
pub trait Target<K, V>: Clone + Send + Sync + 'static {
    /// Fetches `key` and keeps it, unless it is there and stays fresh for longer than `stay`.
    ///
    /// Cancel safety: as the implementor says; a warmer drops it when it takes too long.
    fn warm<F, Fut>(
        &self,
        key: K,
        stay: Duration,
        fetch: F,
    ) -> impl Future<Output = Result<Warmed, LoadError>> + Send
    where
        F: FnOnce(K) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, BoxError>> + Send + 'static;
}

impl<K, V> Target<K, V> for Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    async fn warm<F, Fut>(&self, key: K, stay: Duration, fetch: F) -> Result<Warmed, LoadError>
    where
        F: FnOnce(K) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, BoxError>> + Send + 'static,
    {
        // Fresh now, but not until the next round, would be a gap.
        let stays = |left: Option<Duration>| left.is_none_or(|left| left > stay);
        if self.get_with_ttl(&key).is_some_and(|(_, left)| stays(left)) {
            return Ok(Warmed::Skipped);
        }
        let own = key.clone();
        // In the flight: who asks for the key meanwhile waits for this very fetch.
        self.reload(key, move || fetch(own)).await.map(|_| Warmed::Loaded)
    }
}

/// What the store has, fresh for long enough, is brought into memory and not fetched.
impl<K, V, S, C> Target<K, V> for Tiered<V, S, C>
where
    K: AsRef<str> + Send + 'static,
    V: Clone + Send + Sync + 'static,
    S: Store,
    C: Codec<V>,
{
    async fn warm<F, Fut>(&self, key: K, stay: Duration, fetch: F) -> Result<Warmed, LoadError>
    where
        F: FnOnce(K) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, BoxError>> + Send + 'static,
    {
        if self.is_near(key.as_ref(), stay) {
            return Ok(Warmed::Skipped);
        }
        let (name, fetched) = (Arc::<str>::from(key.as_ref()), Arc::new(AtomicBool::new(false)));
        let fetching = Arc::clone(&fetched);
        let load = move || {
            fetching.store(true, Ordering::Relaxed);
            fetch(key)
        };
        self.renew(&name, Some(stay), load).await?;
        Ok(if fetched.load(Ordering::Relaxed) { Warmed::Loaded } else { Warmed::Skipped })
    }
}
