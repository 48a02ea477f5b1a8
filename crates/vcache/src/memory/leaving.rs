//! What a writer has taken out: told of and dropped after the lock, as both are the caller's code.

use super::listener::Listener;
use crate::cause::Cause;

/// Keys and values that have left, and why; most writers remove one at most, which takes no
/// allocation.
pub(super) struct Leaving<'a, K, V> {
    one: Option<(K, V, Cause)>,
    more: Vec<(K, V, Cause)>,
    listener: Option<&'a Listener<K, V>>,
}

impl<'a, K, V> Leaving<'a, K, V> {
    pub(super) const fn new(listener: Option<&'a Listener<K, V>>) -> Self {
        Self { one: None, more: Vec::new(), listener }
    }

    pub(super) fn push(&mut self, key: K, value: V, cause: Cause) {
        match self.one {
            None => self.one = Some((key, value, cause)),
            Some(_) => self.more.push((key, value, cause)),
        }
    }
}

impl<K, V> Drop for Leaving<'_, K, V> {
    #[inline]
    fn drop(&mut self) {
        if let Some(listener) = self.listener {
            for (key, value, cause) in self.one.iter().chain(&self.more) {
                listener.tell(key, value, *cause);
            }
        }
    }
}
