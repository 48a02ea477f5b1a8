//! An ordered index of keys, for caches that remove by prefix often.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

/// The index is looked through for dead keys when it has twice as many as live, and this more.
const SLACK: usize = 64;

/// Finds keys by their beginning. It may hold keys that are gone, and lacks none that is there.
pub(crate) trait Index<K>: Send + Sync {
    /// Notes a key that is about to be stored, until `stored` is called at least.
    fn storing(&self, key: &K);

    /// The key has been stored, or not: from now on it may be pruned when it is not there.
    /// `entries` live now, and `lives` tells whether a key does.
    fn stored(&self, key: &K, entries: usize, lives: &dyn Fn(&K) -> bool);

    /// All keys that begin with `prefix`.
    fn under(&self, prefix: &str) -> Vec<K>;
}

/// Keys that are strings, in their order.
pub(crate) struct Ordered<K> {
    keys: Mutex<Keys<K>>,
}

struct Keys<K> {
    all: BTreeSet<K>,
    /// Not yet stored, so that no look into the cache may call them dead.
    pending: Vec<K>,
}

impl<K> Ordered<K> {
    pub(crate) const fn new() -> Self {
        Self { keys: Mutex::new(Keys { all: BTreeSet::new(), pending: Vec::new() }) }
    }
}

impl<K: Borrow<str> + Ord + Clone + Send> Index<K> for Ordered<K> {
    fn storing(&self, key: &K) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.pending.push(key.clone());
        if !keys.all.contains::<str>(key.borrow()) {
            keys.all.insert(key.clone());
        }
    }

    fn stored(&self, key: &K, entries: usize, lives: &dyn Fn(&K) -> bool) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = keys.pending.iter().position(|pending| pending == key) {
            keys.pending.swap_remove(at);
        }
        if keys.all.len() > entries.saturating_mul(2).saturating_add(SLACK) {
            let Keys { all, pending } = &mut *keys;
            all.retain(|key| pending.contains(key) || lives(key));
        }
    }

    fn under(&self, prefix: &str) -> Vec<K> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let begins = |key: &&K| <K as Borrow<str>>::borrow(key).starts_with(prefix);
        keys.all.range::<str, _>(from).take_while(begins).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_keys_are_pruned_and_pending_ones_are_not() {
        let index = Ordered::<String>::new();
        index.storing(&"a:pending".to_owned());
        for number in 0..1000 {
            let key = format!("a:{number:04}");
            index.storing(&key);
            index.stored(&key, 1, &|key| key == "a:0999");
        }
        let left = index.under("a:");
        assert!(left.len() <= 2 + SLACK + 1, "{} keys", left.len());
        assert!(left.contains(&"a:pending".to_owned()));
        assert!(left.contains(&"a:0999".to_owned()));
        assert_eq!(index.under("b"), Vec::<String>::new());
    }
}
