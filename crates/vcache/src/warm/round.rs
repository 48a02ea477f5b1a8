//! One round of warming.

use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::watch;

use super::pattern::Fetching;
use super::progress::Progress;
use crate::cache::Cache;

/// One round over all patterns.
pub(super) struct Round<'a, K, V> {
    pub(super) cache: &'a Cache<K, V>,
    pub(super) tell: &'a watch::Sender<Progress>,
    pub(super) concurrency: usize,
    pub(super) timeout: Duration,
    pub(super) until_next: Duration,
}

impl<K, V> Round<'_, K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Warms what the patterns want, one pattern after the other.
    pub(super) async fn run(&self, patterns: &[Fetching<K, V>]) {
        self.tell.send_modify(|all| *all = Progress { rounds: all.rounds, ..Progress::default() });
        for pattern in patterns {
            self.warm(pattern).await;
        }
        self.tell.send_modify(|all| all.rounds += 1);
    }

    async fn warm(&self, pattern: &Fetching<K, V>) {
        let making = AssertUnwindSafe(async { (pattern.keys)().await }).catch_unwind();
        let Ok(Ok(Ok(keys))) = tokio::time::timeout(self.timeout, making).await else {
            self.tell.send_modify(|all| all.failed_patterns += 1);
            return;
        };
        let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        self.tell.send_modify(|all| all.keys += count);
        stream::iter(keys)
            .for_each_concurrent(self.concurrency.max(1), |key| self.key(key, pattern))
            .await;
    }

    async fn key(&self, key: K, pattern: &Fetching<K, V>) {
        // Fresh now, but not until the next round, would be a gap.
        let stays = |left: Option<Duration>| left.is_none_or(|left| left > self.until_next);
        if self.cache.get_with_ttl(&key).is_some_and(|(_, left)| stays(left)) {
            self.tell.send_modify(|all| all.skipped += 1);
            return;
        }
        let (fetch, own) = (Arc::clone(&pattern.fetch), key.clone());
        // In the flight: who asks for the key meanwhile waits for this very fetch.
        let reload = self.cache.reload(key, move || fetch(own));
        let fetched = tokio::time::timeout(self.timeout, reload).await;
        let loaded = matches!(fetched, Ok(Ok(_)));
        self.tell.send_modify(|all| {
            *(if loaded { &mut all.loaded } else { &mut all.failed }) += 1;
        });
    }
}
