//! What a warmer fills.

use std::future::Future;
use std::hash::Hash;
use std::time::Duration;

use crate::cache::Cache;
use crate::error::{BoxError, LoadError};
use crate::load::loaded::Loaded;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmed {
    /// It was fetched and given to the cache.
    Loaded,
    /// It was left alone, because the cache has it, fresh until the next round.
    Skipped,
}

/// What a warmer can fill: [`Cache`]. A clone is another handle of the same.
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
