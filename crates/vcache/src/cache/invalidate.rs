//! Taking values out, so that no load under way brings an older one back.

use std::borrow::Borrow;
use std::future::Future;
use std::hash::Hash;

use hashbrown::Equivalent;

use super::Cache;
use crate::cause::Cause;

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Removes `key` and gives its value, if it was there and its time not over. A load under
    /// way will not bring an older value back.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.forget(key);
        let shelf = &self.inner.shelf;
        let held = shelf.memory.remove(key)?;
        held.terms.is_none_or(|terms| shelf.is_fresh(&terms)).then_some(held.value)
    }

    /// Removes all of `keys`. No load of one of them that is under way when this is called will
    /// be stored. For what always goes together, a tag is one step.
    pub fn remove_many<'a, Q>(&self, keys: impl IntoIterator<Item = &'a Q>)
    where
        Q: Hash + Equivalent<K> + ?Sized + 'a,
    {
        for key in keys {
            drop(self.remove(key));
        }
    }

    /// Invalidates every entry with `tag`, in one step, however many there are. What a load that
    /// began before brings with this tag is outdated when it comes, and who asks from now on does
    /// not get it. What was invalidated is no longer returned, but holds its weight until it is
    /// replaced, evicted or [swept](Self::sweep).
    pub fn invalidate_tag(&self, tag: &str) {
        self.invalidate_tags([tag]);
    }

    /// The same for several tags, in one step together.
    pub fn invalidate_tags<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) {
        self.inner.shelf.tags.invalidate(tags);
    }

    /// Invalidates every entry with any tag, in one step, as [`invalidate_tag`](Self::invalidate_tag)
    /// does those of one.
    pub(crate) fn invalidate_tagged(&self) {
        self.inner.shelf.tags.invalidate_all();
    }

    /// Removes every entry whose key begins with `prefix`; no load of such a key that is under
    /// way will be stored. Looks at all entries, unless the cache was built with
    /// [`index_prefixes`](crate::CacheBuilder::index_prefixes).
    pub fn remove_prefix(&self, prefix: &str)
    where
        K: Borrow<str>,
    {
        let begins = |key: &K| <K as Borrow<str>>::borrow(key).starts_with(prefix);
        let shelf = &self.inner.shelf;
        self.inner.flight.forget_where(begins);
        shelf.forgive_where(begins);
        match shelf.under(prefix) {
            Some(keys) => {
                for key in keys {
                    drop(shelf.memory.remove_as::<K>(&key, Cause::Prefix));
                }
            }
            None => {
                shelf.memory.retain_as(|key, _| begins(key).then_some(Cause::Prefix));
            }
        }
    }

    /// Removes every entry that `keep` answers with false; see
    /// [`Memory::retain`](crate::Memory::retain). It is asked about fresh values only: others go.
    /// No load under way, of any key, will be stored.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        let shelf = &self.inner.shelf;
        self.inner.flight.forget_all();
        shelf.forgive_where(|_| true);
        shelf.memory.retain_as(|key, held| {
            let terms = held.terms.as_ref();
            if terms.is_some_and(|terms| !shelf.is_fresh(terms)) {
                return Some(Cause::Expired);
            }
            (!keep(key, &held.value)).then_some(Cause::Predicate)
        });
    }

    /// Removes every entry; see [`Memory::clear`](crate::Memory::clear). No load under way will
    /// be stored.
    pub fn clear(&self) {
        self.inner.flight.forget_all();
        self.inner.shelf.forgive_where(|_| true);
        self.inner.shelf.memory.clear();
    }

    /// Cache-aside: runs `write`, which changes the source, and removes `keys` when it has ended,
    /// whatever came of it. What was loaded while the source was changing does not stay.
    ///
    /// Cancel safety: a dropped `write` may have changed the source, so the keys are removed
    /// then too.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let users = vcache::Cache::<u32, &str>::builder().build()?;
    /// users.insert(7, "Ada");
    /// let changed = users.write_around(&[&7], async { Ok::<_, std::io::Error>(1) }).await?;
    /// assert_eq!((changed, users.get(&7)), (1, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn write_around<Q, W>(&self, keys: &[&Q], write: W) -> W::Output
    where
        Q: Hash + Equivalent<K> + ?Sized,
        W: Future,
    {
        let _removing = Removing { cache: self, keys };
        write.await
    }
}

/// Removes keys when dropped.
struct Removing<'a, K, V, Q>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    Q: Hash + Equivalent<K> + ?Sized,
{
    cache: &'a Cache<K, V>,
    keys: &'a [&'a Q],
}

impl<K, V, Q> Drop for Removing<'_, K, V, Q>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    Q: Hash + Equivalent<K> + ?Sized,
{
    fn drop(&mut self) {
        self.cache.remove_many(self.keys.iter().copied());
    }
}
