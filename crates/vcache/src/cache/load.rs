//! Getting what is not there from its source, in async code.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hashbrown::Equivalent;

use super::Cache;
use super::asking::Asking;
use crate::config::Loading;
use crate::error::{BoxError, LoadError};
use crate::load::fill::{Fill, Why};
use crate::load::flight::Ticket;
use crate::load::leader::Behind;
use crate::load::loaded::Loaded;
use crate::load::refresh::Refreshes;
use crate::shelf::{Claim, Look};
use crate::terms::Held;

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The value of `key`; if it is not there, the one that `load` gives, kept for the default
    /// TTL. Of all who ask meanwhile, one loads. A hit allocates nothing.
    ///
    /// Where the cache's [`Loading`] allows it, a value that is about to expire or has expired is
    /// returned at once while `load` runs in the background, and one that has expired is returned
    /// when `load` fails.
    ///
    /// Cancel safety: dropping the future strands nobody. The load that it began goes on in the
    /// background, or with the others who wait, as [`Loading::leader`](crate::Loading) says.
    ///
    /// # Errors
    ///
    /// The loader's error or panic, a timeout, or too many loads; see [`LoadError`]. All who
    /// waited get it, and it is kept only for [`Loading::negative_ttl`]. A loader that asks for
    /// what waits for it, its own key above all, gets [`LoadError::Recursive`] there; one that
    /// does so in a task of its own, or in another process, is not noticed.
    pub fn get_or_load<F, Fut, E>(
        &self,
        key: K,
        load: F,
    ) -> impl Future<Output = Result<V, LoadError>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Asking::new(self, key, |found, key| {
            let load = move |_| async { load().await.map(Loaded::new).map_err(LoadError::failed) };
            self.follow(found, key, self.inner.loading, load).boxed()
        })
    }

    /// The same with a borrowed key, such as a `&str` where keys are `String`s: an owned one is
    /// made only for a load.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cache = vcache::Cache::<String, u32>::builder().build()?;
    /// let price = cache.get_or_load_ref("tea", || async { Ok::<_, std::io::Error>(199) }).await?;
    /// assert_eq!(price, 199);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn get_or_load_ref<Q, F, Fut, E>(&self, key: &Q, load: F) -> Result<V, LoadError>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.inner.shelf.look(key) {
            Look::Hit(value) => Ok(value),
            found => {
                let load =
                    move |_| async { load().await.map(Loaded::new).map_err(LoadError::failed) };
                self.follow(found, key.to_owned(), self.inner.loading, load).boxed().await
            }
        }
    }

    /// [`get_or_load`](Self::get_or_load) with a TTL of its own: what is loaded is kept for `ttl`.
    /// Zero keeps nothing, centuries are for ever.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cache = vcache::Cache::<&str, u32>::builder().build()?;
    /// use std::time::Duration;
    ///
    /// let minute = Duration::from_secs(60);
    /// let price = cache.wrap("tea", minute, || async { Ok::<_, std::io::Error>(199) }).await?;
    /// assert_eq!(price, 199);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub fn wrap<F, Fut, E>(
        &self,
        key: K,
        ttl: Duration,
        load: F,
    ) -> impl Future<Output = Result<V, LoadError>>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Asking::new(self, key, move |found, key| {
            let load = move |_| async move {
                let value = load().await.map_err(LoadError::failed)?;
                Ok(Loaded::new(value).ttl(ttl))
            };
            self.follow(found, key, self.inner.loading, load).boxed()
        })
    }

    /// The same with settings of its own, and a loader that says how long its value is good for
    /// and which tags it has. Of several callers who ask at once, the settings of the one count
    /// whose loader runs.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cache = vcache::Cache::<u32, String>::builder().build()?;
    /// use std::time::Duration;
    /// use vcache::{Loaded, Loading};
    ///
    /// let loading = Loading { negative_ttl: Some(Duration::from_secs(1)), ..Loading::default() };
    /// let load = || async {
    ///     let ttl = Duration::from_secs(60); // As the answer's Cache-Control says, perhaps.
    ///     Ok::<_, std::io::Error>(Loaded::new("Ada".to_owned()).ttl(ttl).tags(["users"]))
    /// };
    /// assert_eq!(cache.get_or_load_with(7, &loading, load).await?, "Ada");
    /// cache.invalidate_tag("users");
    /// assert_eq!(cache.get(&7), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn get_or_load_with<F, Fut, E>(
        &self,
        key: K,
        loading: &Loading,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.inner.shelf.look(&key) {
            Look::Hit(value) => Ok(value),
            found => {
                let load = move |_| async { load().await.map_err(LoadError::failed) };
                self.follow(found, key, *loading, load).boxed().await
            }
        }
    }

    /// Loads `key` anew, whatever is there, and returns what was loaded. Who asks meanwhile gets
    /// the present value; a load of the key that is under way already is joined.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load); the present value then stays.
    pub async fn reload<F, Fut, E>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.load_anew(key, move |_| async { load().await.map_err(LoadError::failed) }).await
    }

    /// The same for a load that wants its ticket.
    pub(crate) async fn load_anew<F, Fut>(&self, key: K, load: F) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
    {
        let fill = self.fill(self.inner.loading, Why::Anew);
        let own = key.clone();
        let load = move |ticket| fill.run(own, ticket, load);
        self.inner.flight.run(key, load).await.map(|held| held.value)
    }

    /// A look of one who will [`follow`](Self::follow) if it is no plain hit.
    pub(crate) fn look<Q>(&self, key: &Q) -> Look<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.inner.shelf.look(key)
    }

    /// What to do after a look that was no plain hit, by the cache's own settings.
    #[cfg(feature = "tower")]
    pub(crate) async fn follow_up<Fut, E>(
        &self,
        found: Look<V>,
        key: K,
        load: impl FnOnce() -> Fut + Send + 'static,
    ) -> Result<V, LoadError>
    where
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let load = move |_| async { load().await.map(Loaded::new).map_err(LoadError::failed) };
        self.follow(found, key, self.inner.loading, load).await
    }

    /// What to do after a look that was no plain hit.
    pub(crate) async fn follow<F, Fut>(
        &self,
        found: Look<V>,
        key: K,
        loading: Loading,
        load: F,
    ) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
    {
        match found {
            Look::Hit(value) => Ok(value),
            Look::Refresh(value, claim) => Ok(self.refresh(value, claim, key, loading, load).await),
            Look::Miss => {
                let (fill, own) = (self.fill(loading, Why::Missing), key.clone());
                let load = move |ticket| fill.run(own, ticket, load);
                let loaded = self.join(&key, &loading, load).await;
                loaded.or_else(|error| self.inner.shelf.consolation(&key).ok_or(error))
            }
        }
    }

    /// Waits for the load of `key`, as often as another's turns out to be from before an
    /// invalidation that this caller has seen.
    async fn join<F, Fut>(&self, key: &K, loading: &Loading, load: F) -> Result<V, LoadError>
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Held<V>, LoadError>> + Send + 'static,
    {
        let (shelf, mut load) = (&self.inner.shelf, Some(load));
        let behind = Some(Behind { refreshes: &self.inner.refreshes, loading });
        let asked = shelf.tags.epoch();
        loop {
            let held = self.inner.flight.run_once(key.clone(), &mut load, behind).await?;
            if load.is_none() || shelf.serves(&held, asked) {
                return Ok(held.value);
            }
        }
    }

    /// Refreshes what was claimed, in the background if that is possible, and returns the present
    /// value.
    async fn refresh<F, Fut>(&self, value: V, claim: Claim, key: K, loading: Loading, load: F) -> V
    where
        F: FnOnce(Ticket) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Loaded<V>, LoadError>> + Send + 'static,
    {
        let account = &self.inner.shelf.account;
        let loading = Refreshes::loading(&loading);
        let (fill, own) = (self.fill(loading, Why::Due(Arc::clone(&claim.terms))), key.clone());
        let flight = self.inner.flight.clone();
        let refresh = async move {
            let load = move |ticket| fill.run(own, ticket, load);
            // A failure is counted, and the claim pauses.
            let _ = flight.run(key, load).await;
            drop(claim);
        };
        if let Some(refresh) = self.inner.refreshes.begin(account, refresh) {
            refresh.await;
        }
        value
    }

    /// Like [`wrap`](Self::wrap), with a borrowed key.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_or_load`](Self::get_or_load).
    pub async fn wrap_ref<Q, F, Fut, E>(
        &self,
        key: &Q,
        ttl: Option<Duration>,
        load: F,
    ) -> Result<V, LoadError>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<V, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        match self.inner.shelf.look(key) {
            Look::Hit(value) => Ok(value),
            found => {
                let ttl = ttl.unwrap_or(Duration::MAX);
                let load = move |_| async move {
                    let value = load().await.map_err(LoadError::failed)?;
                    Ok(Loaded::new(value).ttl(ttl))
                };
                self.follow(found, key.to_owned(), self.inner.loading, load).boxed().await
            }
        }
    }

    pub(super) fn fill(&self, loading: Loading, why: Why) -> Fill<K, V> {
        let (shelf, limits) = (Arc::clone(&self.inner.shelf), Arc::clone(&self.inner.limits));
        Fill { shelf, limits, loading, why }
    }
}
