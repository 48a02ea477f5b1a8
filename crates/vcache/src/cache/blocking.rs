//! Getting what is not there from its source, in sync code and without a runtime.

use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use hashbrown::Equivalent;

use super::Cache;
use crate::error::{BoxError, LoadError};
use crate::load::fill::Why;
use crate::load::loaded::Loaded;
use crate::shelf::Look;

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The value of `key`; if it is not there, the one that `load` gives on this thread. Of all
    /// threads and tasks that ask meanwhile, one loads. Needs no runtime. An owned key is made only
    /// for a load: a `&str` will do where keys are `String`s.
    ///
    /// A value that is due for a refresh is loaded anew by the one caller that finds it so first,
    /// here; the others get the present one meanwhile. Timeouts and turns do not apply.
    ///
    /// It blocks while another thread or task loads `key`: in async code take
    /// [`get_or_load`](Self::get_or_load), or the thread may wait for a task of its own.
    ///
    /// # Errors
    ///
    /// The loader's error or panic, too many loads, or [`LoadError::Recursive`] when `load` asks
    /// for its own key, or for one whose load waits for it; see [`LoadError`].
    ///
    /// ```
    /// # let cache = vcache::Cache::<&str, usize>::builder().build()?;
    /// let length = cache.get_or_load_sync(&"Cargo.toml", || {
    ///     std::fs::read("Cargo.toml").map(|bytes| bytes.len())
    /// })?;
    /// assert_eq!(cache.get(&"Cargo.toml"), Some(length));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_or_load_sync<Q, E>(
        &self,
        key: &Q,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, LoadError>
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
        E: Into<BoxError>,
    {
        let load = || load().map(Loaded::new).map_err(LoadError::failed);
        match self.inner.shelf.look(key) {
            Look::Hit(value) => Ok(value),
            Look::Refresh(value, claim) => {
                self.inner.shelf.account.refresh(true);
                let why = Why::Due(Arc::clone(&claim.terms));
                Ok(self.load_sync(&key.to_owned(), why, load).unwrap_or(value))
            }
            Look::Miss => self
                .load_sync(&key.to_owned(), Why::Missing, load)
                .or_else(|error| self.inner.shelf.consolation(key).ok_or(error)),
        }
    }

    /// The value of `key`; if it is not there, the one that `make` makes on this thread, stored
    /// for the default TTL. Of all threads that ask meanwhile one makes it; if it fails them,
    /// because it was part of a load that failed, they make their own, one after the other.
    ///
    /// It blocks as [`get_or_load_sync`](Self::get_or_load_sync) does.
    ///
    /// # Panics
    ///
    /// Only if `make` does; nothing is stored then.
    pub fn get_or_insert_with<Q>(&self, key: &Q, make: impl FnOnce() -> V) -> V
    where
        Q: Hash + Equivalent<K> + ToOwned<Owned = K> + ?Sized,
    {
        let (mut make, mut panic) = (Some(make), None);
        loop {
            let attempt = || {
                let make = make.take().ok_or(LoadError::Recursive)?;
                catch_unwind(AssertUnwindSafe(make)).map_err(|payload| {
                    panic = Some(payload);
                    LoadError::Panicked
                })
            };
            let error = match self.get_or_load_sync(key, attempt) {
                Ok(value) => return value,
                Err(error) => error,
            };
            if let Some(payload) = panic.take() {
                resume_unwind(payload);
            }
            let alone = matches!(error, LoadError::Recursive | LoadError::TooMany { .. });
            match make.take() {
                Some(make) if alone || self.inner.shelf.failure(key).is_some() => {
                    let value = make();
                    self.insert(key.to_owned(), value.clone());
                    return value;
                }
                unmade => make = unmade,
            }
        }
    }

    fn load_sync(
        &self,
        key: &K,
        why: Why,
        load: impl FnOnce() -> Result<Loaded<V>, LoadError>,
    ) -> Result<V, LoadError> {
        let (shelf, fill) = (&self.inner.shelf, self.fill(self.inner.loading, why));
        let (asked, own) = (shelf.tags.epoch(), key.clone());
        let mut load = Some(|ticket| fill.run_sync(own, &ticket, load));
        loop {
            let held = self.inner.flight.run_sync_once(key, &mut load)?;
            if load.is_none() || shelf.serves(&held, asked) {
                return Ok(held.value);
            }
        }
    }
}
