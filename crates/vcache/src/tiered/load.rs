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
use super::parts::Parts;
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
        let load = move |ticket: Ticket| this.bring(own, Some(least), ways, load, ticket);
        self.first.follow(found, key, loading, load).await
    }

    /// Loads `key` anew into memory and into the store, whatever is there, and returns what was
    /// loaded. Who asks meanwhile gets the present value; a load of the key that is under way
    /// already is joined.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load); the present value then stays.
    pub async fn reload<F, Fut, E>(&self, key: &str, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.renew(key, None, load).boxed().await
    }

    /// The same, unless the store has what is good for longer than `least`: then memory gets that.
    pub(crate) async fn renew<F, Fut, E>(
        &self,
        key: &str,
        least: Option<Duration>,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.near.settle();
        let (this, key) = (self.parts(), Arc::<str>::from(key));
        let own = Arc::clone(&key);
        let load = || async { load().await.map_err(LoadError::failed) };
        let load = move |ticket: Ticket| this.bring(own, least, Ways::plain(), load, ticket);
        self.first.load_anew(key, load).await
    }

    /// Whether memory has `key`, good for longer than `least`.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_near(&self, key: &str, least: Duration) -> bool {
        let long = |left: Option<Duration>| left.is_none_or(|left| left > least);
        self.near.is_usable() && self.first.get_with_ttl(key).is_some_and(|(_, left)| long(left))
    }
}

impl<S: Store, C> Parts<S, C> {
    /// What the store has that is good for longer than `least`, or what `load` brings.
    async fn bring<V, F, Fut>(
        self,
        key: Arc<str>,
        least: Option<Duration>,
        ways: Ways<S>,
        load: F,
        ticket: Ticket,
    ) -> Result<Loaded<V>, LoadError>
    where
        C: Codec<V>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, LoadError>>,
    {
        let long = |left: Option<Duration>, least| left.is_none_or(|left| left > least);
        let enough = |found: &Found<V>| least.is_some_and(|least| long(found.left, least));
        let kept = |found: Found<V>| self.near.vetted(found.kept(self.most), &key);
        if least.is_some()
            && let Some(found) = self.below.read(&key).await.filter(enough)
        {
            return Ok(kept(found));
        }
        // Before the load: what is invalidated after this concerns it.
        let since = (ways.moment)(&self.below.tier);
        let lead = self.below.lead(&key, enough).await;
        if let Lead::Found(found) = lead {
            return Ok(kept(found));
        }
        let epoch = self.near.writing.epoch(&key);
        let began = self.near.now();
        let loaded = match self.below.led(&lead, load()).await {
            Ok(loaded) => loaded,
            Err(error) => {
                self.below.give_up(lead).await;
                return Err(error);
            }
        };
        let took = Duration::from_nanos(self.near.now().saturating_sub(began));
        let birth = Birth { since, load_time: Some(took) };
        let wanted = || ticket.is_current();
        Ok(self.fill((ways, lead), &key, (loaded, birth), (epoch, wanted)).await)
    }
}
