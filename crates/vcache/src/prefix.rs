//! An ordered index of keys, for caches that remove by prefix often.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

/// The index is looked through for dead keys when it has twice as many as live, and this more.
const SLACK: usize = 64;
/// Keys that one insertion looks at meanwhile, so that none of them pays for all.
const STRIDE: usize = 32;
/// Insertions after which it is asked anew how many live, even if the index has not grown.
const OFTEN: usize = 64;

/// Finds keys by their beginning. It may hold keys that are gone, and lacks none that is there.
pub(crate) trait Index<K>: Send + Sync {
    /// Notes a key that is about to be stored, until `stored` is called at least.
    fn storing(&self, key: &K);

    /// The key has been stored, or not: from now on it may be pruned when it is not there.
    /// `entries` tells how many live now, and `lives` whether a key does.
    fn stored(&self, key: &K, entries: &dyn Fn() -> usize, lives: &dyn Fn(&K) -> bool);

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
    /// With more keys than this it is asked how many live.
    look_at: usize,
    /// Insertions since that was asked.
    unasked: usize,
    pruning: Pruning<K>,
}

/// How far the search for dead keys is.
enum Pruning<K> {
    No,
    Begins,
    After(K),
}

impl<K> Ordered<K> {
    pub(crate) const fn new() -> Self {
        let keys = Keys {
            all: BTreeSet::new(),
            pending: Vec::new(),
            look_at: SLACK,
            unasked: 0,
            pruning: Pruning::No,
        };
        Self { keys: Mutex::new(keys) }
    }
}

impl<K: Ord + Clone> Keys<K> {
    /// Begins to look for dead keys if there must be many.
    fn watch(&mut self, entries: &dyn Fn() -> usize) {
        self.unasked += 1;
        if !matches!(self.pruning, Pruning::No)
            || self.all.len() <= self.look_at && self.unasked < OFTEN
        {
            return;
        }
        self.unasked = 0;
        self.look_at = entries().saturating_mul(2).saturating_add(SLACK);
        if self.all.len() > self.look_at {
            self.pruning = Pruning::Begins;
        }
    }

    /// Looks at the next few keys, if dead ones are looked for.
    fn prune(&mut self, lives: &dyn Fn(&K) -> bool) {
        let from = match &self.pruning {
            Pruning::No => return,
            Pruning::Begins => Bound::Unbounded,
            Pruning::After(key) => Bound::Excluded(key),
        };
        let next = self.all.range((from, Bound::Unbounded)).take(STRIDE).cloned();
        let next: Vec<K> = next.collect();
        for key in next.iter().filter(|key| !self.pending.contains(key) && !lives(key)) {
            self.all.remove(key);
        }
        self.pruning = match next.last().filter(|_| next.len() == STRIDE) {
            Some(last) => Pruning::After(last.clone()),
            None => Pruning::No,
        };
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

    fn stored(&self, key: &K, entries: &dyn Fn() -> usize, lives: &dyn Fn(&K) -> bool) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = keys.pending.iter().position(|pending| pending == key) {
            keys.pending.swap_remove(at);
        }
        keys.watch(entries);
        keys.prune(lives);
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
    use std::cell::Cell;

    use super::*;

    #[test]
    fn dead_keys_are_pruned_and_pending_ones_are_not() {
        let index = Ordered::<String>::new();
        index.storing(&"a:pending".to_owned());
        for number in 0..1000 {
            let key = format!("a:{number:04}");
            index.storing(&key);
            index.stored(&key, &|| 1, &|key| key == "a:0999");
            // What comes while a look goes on is at most one key for each stride.
            let most = 2 + SLACK + SLACK / STRIDE + 2;
            assert!(index.under("").len() <= most, "{} keys", index.under("").len());
        }
        let left = index.under("a:");
        assert!(left.contains(&"a:pending".to_owned()));
        assert!(left.contains(&"a:0999".to_owned()));
        assert_eq!(index.under("b"), Vec::<String>::new());
    }

    #[test]
    fn an_insertion_looks_at_few_keys_and_seldom_asks_how_many_live() {
        let (index, live) = (Ordered::<String>::new(), Cell::new(10_000));
        let (asked, looked) = (Cell::new(0), Cell::new(0));
        let count = |by: &Cell<usize>| by.set(by.get() + 1);
        let store = |number: usize| {
            let key = format!("{number:05}");
            looked.set(0);
            index.storing(&key);
            let entries = || {
                count(&asked);
                live.get()
            };
            let lives = |key: &String| {
                count(&looked);
                key.parse::<usize>().unwrap() < live.get()
            };
            index.stored(&key, &entries, &lives);
            assert!(looked.get() <= STRIDE);
        };
        (0..10_000).for_each(store);
        assert!(asked.get() <= 10_000 / OFTEN + 20, "{} times", asked.get());
        // Most die otherwise than by an insertion; the same keys come again and again.
        live.set(10);
        (0..1000).for_each(|_| store(3));
        assert!(index.under("").len() <= 20 + SLACK, "{} keys", index.under("").len());
    }
}
