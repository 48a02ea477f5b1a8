//! First-in-first-out queues threaded through the slab, so that any entry leaves in one step.

use super::slab::{NONE, Slab};

/// An entry's neighbours in its queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    newer: u32,
    older: u32,
}

impl Link {
    pub(super) const fn none() -> Self {
        Self { newer: NONE, older: NONE }
    }
}

/// What can stand in a queue.
pub(super) trait Linked {
    fn link(&mut self) -> &mut Link;
    fn weight(&self) -> u64;
}

/// A queue over slots of a slab, with the sum of their weights.
#[derive(Debug)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    weight: u64,
    len: usize,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self { newest: NONE, oldest: NONE, weight: 0, len: 0 }
    }

    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn oldest(&self) -> Option<u32> {
        if self.oldest == NONE { None } else { Some(self.oldest) }
    }

    /// Puts the entry at `at` behind all others.
    pub(super) fn push<T: Linked>(&mut self, slab: &mut Slab<T>, at: u32) {
        let older = self.newest;
        let Some(entry) = slab.get_mut(at) else {
            return;
        };
        *entry.link() = Link { newer: NONE, older };
        self.weight = self.weight.saturating_add(entry.weight());
        self.len += 1;
        self.newest = at;
        match slab.get_mut(older) {
            Some(neighbour) => neighbour.link().newer = at,
            None => self.oldest = at,
        }
    }

    /// Takes the entry at `at`, which must stand in this queue, out of it.
    pub(super) fn unlink<T: Linked>(&mut self, slab: &mut Slab<T>, at: u32) {
        let Some(entry) = slab.get_mut(at) else {
            return;
        };
        let Link { newer, older } = std::mem::replace(entry.link(), Link::none());
        self.weight = self.weight.saturating_sub(entry.weight());
        self.len = self.len.saturating_sub(1);
        match slab.get_mut(newer) {
            Some(neighbour) => neighbour.link().older = older,
            None => self.newest = older,
        }
        match slab.get_mut(older) {
            Some(neighbour) => neighbour.link().newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Item(Link);

    impl Linked for Item {
        fn link(&mut self) -> &mut Link {
            &mut self.0
        }
        fn weight(&self) -> u64 {
            10
        }
    }

    #[test]
    fn entries_leave_in_order_and_from_the_middle() {
        let mut slab = Slab::new();
        let mut queue = Queue::new();
        for _ in 0..4 {
            let Ok(at) = slab.insert(Item(Link::none())) else { panic!("no slot") };
            queue.push(&mut slab, at);
        }
        queue.unlink(&mut slab, 1);
        queue.unlink(&mut slab, 3);
        assert_eq!((queue.len(), queue.weight()), (2, 20));
        assert_eq!(queue.oldest(), Some(0));
        queue.unlink(&mut slab, 0);
        assert_eq!(queue.oldest(), Some(2));
        queue.unlink(&mut slab, 2);
        assert_eq!((queue.oldest(), queue.weight()), (None, 0));
        queue.push(&mut slab, 3);
        assert_eq!(queue.oldest(), Some(3));
    }
}
