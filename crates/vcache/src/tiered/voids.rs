//! What a nearer store must not be asked for, because somebody else has changed it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::Outdated;

/// Keys that are remembered one by one; of more, all keys are void.
const MOST: usize = 4096;

/// What is void in a nearer store until it has been replaced or cleared there.
#[derive(Default)]
pub(super) struct Voids {
    /// Whether there may be anything: all that most reads look at.
    any: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nobody tells of changes, so nothing can be trusted.
    deaf: bool,
    all: bool,
    /// Moves whenever all keys become void.
    round: u64,
    keys: HashSet<Box<str>>,
}

impl Voids {
    /// Takes note, and of the same moment does `also`. `tags` says whether what is near has tags.
    pub(super) fn add(&self, what: Outdated<'_>, tags: bool, also: impl FnOnce()) {
        let mut state = self.state();
        let key = match what {
            // What has tags is not near.
            Outdated::Tag(_) | Outdated::Tagged if !tags => return,
            Outdated::Key(key) => Some(key).filter(|_| state.keys.len() < MOST),
            _ => None,
        };
        match key {
            Some(key) => drop(state.keys.insert(key.into())),
            None => {
                state.all = true;
                state.round += 1;
                state.keys.clear();
            }
        }
        match what {
            Outdated::Unheard => state.deaf = true,
            Outdated::Everything => state.deaf = false,
            _ => {}
        }
        also();
        self.any.store(true, Ordering::SeqCst);
    }

    /// Whether the nearer store may be asked for `key`.
    pub(super) fn admits(&self, key: &str) -> bool {
        if !self.any.load(Ordering::SeqCst) {
            return true;
        }
        let state = self.state();
        !state.deaf && !state.all && !state.keys.contains(key)
    }

    /// Whether a key is void by itself.
    pub(super) fn has(&self, key: &str) -> bool {
        self.any.load(Ordering::SeqCst) && self.state().keys.contains(key)
    }

    /// Whether the nearer store has to be cleared before it is of use; the number for
    /// [`cleared`](Self::cleared).
    pub(super) fn wants_clearing(&self) -> Option<u64> {
        let state = self.state();
        (state.all && !state.deaf).then_some(state.round)
    }

    /// It was cleared, after that number was given.
    pub(super) fn cleared(&self, round: u64) {
        let mut state = self.state();
        if state.round == round {
            state.all = false;
            self.settle(&state);
        }
    }

    /// What is near is as good as what is far, if `still` says that it was not voided again.
    pub(super) fn renewed(&self, key: &str, still: impl FnOnce() -> bool) {
        let mut state = self.state();
        if still() {
            state.keys.remove(key);
            self.settle(&state);
        }
    }

    fn settle(&self, state: &State) {
        let any = state.deaf || state.all || !state.keys.is_empty();
        self.any.store(any, Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in the critical sections panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(voids: &Voids, what: Outdated<'_>) {
        voids.add(what, false, || ());
    }

    #[test]
    fn a_key_is_void_until_it_is_renewed() {
        let voids = Voids::default();
        add(&voids, Outdated::Key("a"));
        assert!(!voids.admits("a") && voids.admits("b"));
        voids.renewed("a", || false);
        assert!(!voids.admits("a"));
        voids.renewed("a", || true);
        assert!(voids.admits("a") && !voids.any.load(Ordering::SeqCst));
    }

    #[test]
    fn too_many_keys_are_all() {
        let voids = Voids::default();
        for key in 0..=MOST {
            add(&voids, Outdated::Key(&key.to_string()));
        }
        assert!(!voids.admits("other"));
        let round = voids.wants_clearing().unwrap();
        add(&voids, Outdated::Key("a"));
        voids.cleared(round);
        assert!(voids.admits("other") && !voids.admits("a"));
    }

    #[test]
    fn what_was_cleared_too_early_stays_void() {
        let voids = Voids::default();
        add(&voids, Outdated::Everything);
        let round = voids.wants_clearing().unwrap();
        add(&voids, Outdated::Prefix("a"));
        voids.cleared(round);
        assert!(!voids.admits("a"));
    }

    #[test]
    fn who_hears_nothing_trusts_nothing() {
        let voids = Voids::default();
        add(&voids, Outdated::Tagged);
        assert!(voids.admits("a"));
        add(&voids, Outdated::Unheard);
        assert!(!voids.admits("a") && voids.wants_clearing().is_none());
        add(&voids, Outdated::Everything);
        voids.cleared(voids.wants_clearing().unwrap());
        assert!(voids.admits("a"));
    }
}
