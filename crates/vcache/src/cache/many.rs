//! Many keys at once, with one load for all that are missing.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::Cache;
use crate::config::Loading;
use crate::error::{BoxError, LoadError};
use crate::load::fill::{Fill, Why};
use crate::load::flight::Ticket;
use crate::load::leader::Behind;
use crate::load::loaded::Loaded;
use crate::load::many::{Each, Wanted};
use crate::load::refresh::Refreshes;
use crate::shelf::{Birth, Claim, Look};
use crate::terms::{Held, Terms};

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The values of `keys` that are there. Loads nothing.
    pub fn get_many(&self, keys: impl IntoIterator<Item = K>) -> HashMap<K, V> {
        let found = |key: K| self.get(&key).map(|value| (key, value));
        keys.into_iter().filter_map(found).collect()
    }

    /// The values of `keys`; those that are not there come from `load`, which is called once with
    /// all keys that nobody else is loading just now. Keys for which it brings nothing are
    /// missing in the answer, and nothing is kept for them; what it brings unasked is dropped.
    ///
    /// Each key counts as a load of its own, in [`loads`](Self::loads) and for
    /// [`Config::max_loads`](crate::Config::max_loads); who asks for one of them meanwhile waits
    /// for this load, and gets [`LoadError::Absent`] if it brings nothing for it.
    ///
    /// Values that are due for a refresh, fresh or stale as [`Loading`] allows, are loaded with those
    /// that are missing, in the same call; where nothing is missing they are returned at once, and
    /// refreshed in the background with one call. When loading fails, keys have what they had as
    /// long as [`Loading::stale_if_error`] says.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// When the load of any key fails for which nothing may stand in; what others have brought is
    /// kept. A failure that is kept for
    /// a key ([`Loading::negative_ttl`]) is one; the others are loaded all the same.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let cache = vcache::Cache::<u32, String>::builder().build()?;
    /// cache.insert(1, "one".to_owned());
    /// let load = |missing: Vec<u32>| async move {
    ///     // One query: … where id = any(missing).
    ///     Ok::<_, std::io::Error>(missing.into_iter().map(|id| (id, id.to_string())).collect())
    /// };
    /// let names = cache.get_many_or_load([1, 2, 3], load).await?;
    /// assert_eq!((names[&1].as_str(), names[&3].as_str()), ("one", "3"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn get_many_or_load<F, Fut, E>(
        &self,
        keys: impl IntoIterator<Item = K>,
        load: F,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, V>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let load = |keys| async move {
            let loaded = load(keys).await?;
            Ok::<_, E>(loaded.into_iter().map(|(key, value)| (key, Loaded::new(value))).collect())
        };
        self.get_many_or_load_with(keys, &self.inner.loading, load).await
    }

    /// The same with settings of its own, and a loader that says of each value how long it is good
    /// for and which tags it has.
    ///
    /// Cancel safety: as for [`get_or_load`](Self::get_or_load).
    ///
    /// # Errors
    ///
    /// As for [`get_many_or_load`](Self::get_many_or_load).
    pub async fn get_many_or_load_with<F, Fut, E>(
        &self,
        keys: impl IntoIterator<Item = K>,
        loading: &Loading,
        load: F,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, Loaded<V>>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let keys: HashSet<K> = keys.into_iter().collect();
        let (mut found, mut missing) = (HashMap::with_capacity(keys.len()), Vec::new());
        let mut due = Vec::new();
        for key in keys {
            match self.inner.shelf.look(&key) {
                Look::Hit(value) => drop(found.insert(key, value)),
                Look::Refresh(value, claim) => {
                    found.insert(key.clone(), value);
                    due.push((key, claim));
                }
                Look::Miss => missing.push(key),
            }
        }
        let load = |keys| async { load(keys).await.map_err(LoadError::failed) };
        if !missing.is_empty() {
            found.extend(self.load_due(missing, due, loading, load).await?);
        } else if !due.is_empty() {
            self.refresh_many(due, loading, load).await;
        }
        Ok(found)
    }

    /// Loads what is missing.
    pub(crate) async fn load_many<F, Fut>(
        &self,
        missing: Vec<K>,
        loading: &Loading,
        load: F,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, Loaded<V>>, LoadError>> + Send + 'static,
    {
        self.load_due(missing, Vec::new(), loading, load).await
    }

    /// Loads what is missing, and with it what is due; the latter may fail.
    async fn load_due<F, Fut>(
        &self,
        missing: Vec<K>,
        due: Vec<(K, Claim)>,
        loading: &Loading,
        load: F,
    ) -> Result<HashMap<K, V>, LoadError>
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, Loaded<V>>, LoadError>> + Send + 'static,
    {
        let shelf = &self.inner.shelf;
        let mut found = HashMap::with_capacity(missing.len() + due.len());
        let mut wanted = self.await_earlier(missing, &mut found).await;
        if wanted.is_empty() {
            // What is due remains so.
            return Ok(found);
        }
        wanted.extend(due.iter().map(|(key, _)| key.clone()));
        let consoled: HashSet<&K> = due.iter().map(|(key, _)| key).collect();
        let (fill, terms) = (self.fill(*loading, Why::Missing), terms(&due));
        let load = move |wanted| fill_many(fill, wanted, terms, load);
        let behind = Behind { refreshes: &self.inner.refreshes, loading };
        let mut failed = None;
        for (key, ended) in self.inner.flight.run_each(wanted, load, Some(behind)).await? {
            match ended {
                Ok(held) => drop(found.insert(key, held.value)),
                Err(LoadError::Absent) => {}
                Err(_) if consoled.contains(&key) => {}
                Err(error) => match shelf.consolation(&key) {
                    Some(value) => drop(found.insert(key, value)),
                    None => failed = Some(error),
                },
            }
        }
        failed.map_or(Ok(found), Err)
    }

    /// Waits for loads of `missing` that may have begun before an invalidation that the caller has
    /// seen, and takes what holds all the same; what is still missing.
    async fn await_earlier(&self, missing: Vec<K>, found: &mut HashMap<K, V>) -> Vec<K> {
        let (shelf, flight) = (&self.inner.shelf, &self.inner.flight);
        let asked = shelf.tags.epoch();
        let earlier = |key: &K| Some((key.clone(), flight.earlier(key, asked)?));
        let earlier: Vec<_> = missing.iter().filter_map(earlier).collect();
        if earlier.is_empty() {
            return missing;
        }
        let ended = join_all(earlier.iter().map(|(_, joined)| joined.waiting.load.clone())).await;
        for ((key, _), ended) in earlier.into_iter().zip(ended) {
            // A failure is not this caller's, who has a load to try.
            if let Ok(held) = ended
                && shelf.serves(&held, asked)
            {
                found.insert(key, held.value);
            }
        }
        missing.into_iter().filter(|key| !found.contains_key(key)).collect()
    }

    /// Refreshes what was claimed, in the background if that is possible.
    async fn refresh_many<F, Fut>(&self, due: Vec<(K, Claim)>, loading: &Loading, load: F)
    where
        F: FnOnce(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<HashMap<K, Loaded<V>>, LoadError>> + Send + 'static,
    {
        let account = &self.inner.shelf.account;
        let fill = self.fill(Refreshes::loading(loading), Why::Missing);
        let flight = self.inner.flight.clone();
        let refresh = async move {
            let keys = due.iter().map(|(key, _)| key.clone()).collect();
            let terms = terms(&due);
            let load = move |wanted| fill_many(fill, wanted, terms, load);
            // Failures are counted, and the claims pause.
            drop(flight.run_each(keys, load, None).await);
            drop(due);
        };
        if let Some(refresh) = self.inner.refreshes.begin(account, refresh) {
            refresh.await;
        }
    }
}

/// The terms of what is due.
fn terms<K: Hash + Eq + Clone>(due: &[(K, Claim)]) -> Due<K> {
    due.iter().map(|(key, claim)| (key.clone(), Arc::clone(&claim.terms))).collect()
}

/// What is due, and the terms of the value that is there.
type Due<K> = HashMap<K, Arc<Terms>>;

/// The load of many keys, inside of the flight.
async fn fill_many<K, V, F, Fut>(
    fill: Fill<K, V>,
    wanted: Wanted<K>,
    due: Due<K>,
    load: F,
) -> Result<Each<K, Held<V>>, LoadError>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: FnOnce(Vec<K>) -> Fut,
    Fut: Future<Output = Result<HashMap<K, Loaded<V>>, LoadError>>,
{
    let shelf = Arc::clone(&fill.shelf);
    let (mut known, mut tickets) = (HashMap::new(), Vec::with_capacity(wanted.len()));
    for (key, ticket) in wanted {
        let known_by_now = match due.get(&key) {
            Some(terms) => shelf.newer(&key, Some(terms)).map(Ok),
            None => fill.known(&key),
        };
        match known_by_now {
            Some(ended) => drop(known.insert(key, ended)),
            None => tickets.push((key, ticket)),
        }
    }
    if tickets.is_empty() {
        return Ok(known);
    }
    let missing: Vec<K> = tickets.iter().map(|(key, _)| key.clone()).collect();
    for (_, ticket) in &tickets {
        ticket.begin(shelf.tags.epoch());
    }
    let measured = async {
        let (epoch, began) = (shelf.tags.epoch(), shelf.clock.now());
        let load = AssertUnwindSafe(async move { load(missing).await }).catch_unwind();
        let loaded = load.await.unwrap_or(Err(LoadError::Panicked))?;
        Ok((loaded, Birth { epoch, load_time: shelf.clock.now().saturating_sub(began) }))
    };
    let result = fill.limits.run(&fill.loading, measured).await;
    let (mut loaded, birth) = match result {
        Ok((loaded, birth)) => {
            shelf.account.took(birth.load_time);
            (loaded, birth)
        }
        Err(error) => {
            let failed = |(key, ticket): (K, Ticket)| {
                let ended = fill.failed(key.clone(), &ticket, error.clone());
                (key, ended)
            };
            known.extend(tickets.into_iter().map(failed));
            return Ok(known);
        }
    };
    for (key, ticket) in tickets {
        if let Some(loaded) = loaded.remove(&key) {
            let held = fill.brought(key.clone(), &ticket, loaded, birth);
            known.insert(key, Ok(held));
        }
    }
    Ok(known)
}
