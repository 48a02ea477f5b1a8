//! Getting what neither memory nor the store has from its source.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::Tiered;
use super::below::{Birth, Found, Ways};
use super::lead::Lead;
use crate::config::Loading;
use crate::error::{BoxError, LoadError};
use crate::load::flight::Ticket;
use crate::load::loaded::Loaded;
use crate::shelf::Look;
use crate::store::Store;
use crate::store::codec::Codec;

impl<V, S, C> Tiered<V, S, C>
where
    V: Clone + Send + Sync + 'static,
    S: Store,
    C: Codec<V>,
{
    /// The value of `key` from memory, from the store, or from `load`, which is then stored in
    /// both with their default TTLs. Of all who ask meanwhile, one looks and loads. A hit in
    /// memory allocates nothing.
    ///
    /// Stale values and refreshes are as the cache's [`Loading`] says. A refresh takes what the
    /// store has, if that is good for longer than what memory has, and else loads.
    ///
    /// Cancel safety: dropping the future leaves the load to the other waiters; without any, it
    /// is dropped, and the value may have reached the store or not.
    ///
    /// # Errors
    ///
    /// The loader's error or panic, a timeout or too many loads; never the store's.
    pub async fn get_or_load<F, Fut, E>(&self, key: &str, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.look(key) {
            Look::Hit(value) => Ok(value),
            found => {
                let load = || async { load().await.map(Loaded::new).map_err(LoadError::failed) };
                // In a box, so that a hit need not carry the room for a load.
                self.follow(found, key, self.first.loading(), Ways::plain(), load).boxed().await
            }
        }
    }

    /// The same with a TTL of its own for what is loaded, in the store as in memory (there no
    /// longer than memory's default). Zero keeps nothing.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn wrap<F, Fut, E>(&self, key: &str, ttl: Duration, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.look(key) {
            Look::Hit(value) => Ok(value),
            found => {
                let load = move || async move {
                    let value = load().await.map_err(LoadError::failed)?;
                    Ok(Loaded::new(value).ttl(ttl))
                };
                self.follow(found, key, self.first.loading(), Ways::plain(), load).boxed().await
            }
        }
    }

    /// The same with settings of its own, and a loader that says how long its value is good for.
    /// The store keeps it for its TTL; the time in which it may be stale is memory's alone, and so
    /// are its tags: with those, take [`get_or_load_tagged`](Self::get_or_load_tagged).
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn get_or_load_with<F, Fut, E>(
        &self,
        key: &str,
        loading: &Loading,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.look_or_load(key, loading, Ways::plain(), load).await
    }

    pub(super) async fn look_or_load<F, Fut, E>(
        &self,
        key: &str,
        loading: &Loading,
        ways: Ways<S>,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.look(key) {
            Look::Hit(value) => Ok(value),
            found => {
                let load = || async { load().await.map_err(LoadError::failed) };
                self.follow(found, key, *loading, ways, load).boxed().await
            }
        }
    }

    /// The values of `keys`: from memory, then in one call from the store, then in one call from
    /// `load`, each asked only for what the one before has not. Keys for which nobody has
    /// anything are missing in the answer. The rest is as in
    /// [`Cache::get_many_or_load`](crate::Cache::get_many_or_load).
    ///
    /// Cancel safety: dropping the future leaves the load to those who wait for one of its keys;
    /// without any, the load is dropped.
    ///
    /// # Errors
    ///
    /// When the load of any key fails; what others have brought is kept.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # use vcache::{MemoryStore, Raw, Tiered};
    /// # let store = MemoryStore::new(MemoryStore::sized(1 << 20).build()?);
    /// # let names = Tiered::<String, _, _>::builder(store, Raw).build()?;
    /// names.insert("1", "one".to_owned(), None).await?;
    /// let found = names
    ///     .get_many_or_load(["1", "2"], |missing| async move {
    ///         // One query: … where id = any(missing).
    ///         let name = |id: std::sync::Arc<str>| (id.clone(), format!("number {id}"));
    ///         Ok::<_, std::io::Error>(missing.into_iter().map(name).collect())
    ///     })
    ///     .await?;
    /// assert_eq!((found["1"].as_str(), found["2"].as_str()), ("one", "number 2"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn get_many_or_load<'k, F, Fut, E>(
        &self,
        keys: impl IntoIterator<Item = &'k str>,
        load: F,
    ) -> Result<HashMap<&'k str, V>, LoadError>
    where
        F: FnOnce(Vec<Arc<str>>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<Arc<str>, V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let (mut found, missing) = self.split(keys);
        if missing.is_empty() {
            return Ok(found);
        }
        self.near.settle();
        let this = self.parts();
        let load = move |wanted: Vec<Arc<str>>| async move {
            let mut brought = this.read_many(&wanted).await;
            let missing: Vec<_> =
                wanted.into_iter().filter(|key| !brought.contains_key(key)).collect();
            if !missing.is_empty() {
                let epoch = |key: &Arc<str>| (key.clone(), this.near.writing.epoch(key));
                let epochs: HashMap<_, _> = missing.iter().map(epoch).collect();
                let loaded = load(missing).await.map_err(LoadError::failed)?;
                let fills = loaded.into_iter().filter_map(|(key, value)| {
                    let (this, epoch) = (&this, *epochs.get(&key)?);
                    Some(async move {
                        let loaded = (Loaded::new(value), Birth::default());
                        let alone = (Ways::plain(), Lead::Alone);
                        let kept = this.fill(alone, &key, loaded, (epoch, || true)).await;
                        (key, kept)
                    })
                });
                brought.extend(join_all(fills).await);
            }
            Ok(brought)
        };
        let keys = missing.iter().map(|key| Arc::from(*key)).collect();
        let loading = self.first.loading();
        let loaded = self.first.load_many(keys, &loading, load).boxed().await?;
        let named = |key: &'k str| loaded.get(key).map(|value| (key, value.clone()));
        found.extend(missing.into_iter().filter_map(named));
        Ok(found)
    }

    pub(super) fn look(&self, key: &str) -> Look<V> {
        if self.near.is_usable() { self.first.look(key) } else { Look::Miss }
    }

    /// What to do after a look that was no plain hit.
    pub(super) async fn follow<F, Fut>(
        &self,
        found: Look<V>,
        key: &str,
        loading: Loading,
        ways: Ways<S>,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
    {
        let found = if self.near.settle() { found } else { Look::Miss };
        // A refresh wants more than what is there already.
        let least = match &found {
            Look::Refresh(_, claim) => {
                let left = claim.terms.fresh_until.saturating_sub(self.near.now());
                Duration::from_nanos(left.max(claim.terms.ahead))
            }
            _ => Duration::ZERO,
        };
        let (this, key) = (self.parts(), Arc::<str>::from(key));
        let own = Arc::clone(&key);
        let load = move |ticket: Ticket| async move {
            let enough = |found: &Found<V>| found.left.is_none_or(|left| left > least);
            let kept = |found: Found<V>| this.near.vetted(found.kept(this.most), &own);
            if let Some(found) = this.below.read(&own).await.filter(enough) {
                return Ok(kept(found));
            }
            // Before the load: what is invalidated after this concerns it.
            let since = (ways.moment)(&this.below.tier);
            let lead = this.below.lead(&own, enough).await;
            if let Lead::Found(found) = lead {
                return Ok(kept(found));
            }
            let epoch = this.near.writing.epoch(&own);
            let began = this.near.now();
            let loaded = match this.below.led(&lead, load()).await {
                Ok(loaded) => loaded,
                Err(error) => {
                    this.below.give_up(lead).await;
                    return Err(error);
                }
            };
            let took = Duration::from_nanos(this.near.now().saturating_sub(began));
            let birth = Birth { since, load_time: Some(took) };
            let wanted = || ticket.is_current();
            Ok(this.fill((ways, lead), &own, (loaded, birth), (epoch, wanted)).await)
        };
        self.first.follow(found, key, loading, load).await
    }
}
