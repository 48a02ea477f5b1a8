//! Loads that wait for each other: the one that would close a circle is told.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::LoadError;

/// A load, as others wait for it. Cloning gives another handle to the same.
#[derive(Clone, Default)]
pub(super) struct Node(Arc<Mutex<Vec<Self>>>);

/// The loads that one loader works for.
pub(super) type Group = Arc<[Node]>;

thread_local! {
    /// The loads that are being polled, or run, on this thread, the innermost last.
    static WITHIN: RefCell<Vec<Group>> = const { RefCell::new(Vec::new()) };
}

impl Node {
    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What it waits for.
    fn waits<T>(&self, change: impl FnOnce(&mut Vec<Self>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The thread is at work for these loads, until it is dropped.
pub(super) struct Inside;

impl Inside {
    pub(super) fn enter(group: &Group) -> Self {
        WITHIN.with_borrow_mut(|within| within.push(Arc::clone(group)));
        Self
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        WITHIN.with_borrow_mut(|within| drop(within.pop()));
    }
}

/// Runs the loader of these loads.
pub(super) async fn within<F: Future>(group: Group, loader: F) -> F::Output {
    let mut loader = pin!(loader);
    poll_fn(|task| {
        let _inside = Inside::enter(&group);
        loader.as_mut().poll(task)
    })
    .await
}

/// A load waits for another, until it is dropped.
pub(super) struct Edge {
    from: Group,
    to: Node,
}

impl Edge {
    /// The loader that asks here, if it is one, will wait for `to`.
    ///
    /// # Errors
    ///
    /// If `to` waits for that loader's loads, itself or through others.
    pub(super) fn to(to: &Node) -> Result<Option<Self>, LoadError> {
        let Some(from) = WITHIN.with_borrow(|within| within.last().cloned()) else {
            return Ok(None);
        };
        // Noted first: of two that close a circle at once, one at least finds it.
        for node in from.iter() {
            node.waits(|waits| waits.push(to.clone()));
        }
        let edge = Self { from, to: to.clone() };
        if reaches(to, &edge.from) { Err(LoadError::Recursive) } else { Ok(Some(edge)) }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for node in self.from.iter() {
            let gone = node.waits(|waits| {
                let at = waits.iter().position(|to| to.is(&self.to))?;
                Some(waits.swap_remove(at))
            });
            drop(gone);
        }
    }
}

/// Whether `start` is one of `ends`, or waits for one.
fn reaches(start: &Node, ends: &[Node]) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![start.clone()]);
    while let Some(node) = next.pop() {
        if ends.iter().any(|end| end.is(&node)) {
            return true;
        }
        if !seen.iter().any(|seen: &Node| seen.is(&node)) {
            next.extend(node.waits(|waits| waits.clone()));
            seen.push(node);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(node: &Node) -> Group {
        Arc::from([node.clone()])
    }

    #[test]
    fn a_circle_is_found_however_long_and_gone_with_one_who_waits() {
        let nodes: Vec<Node> = (0..5).map(|_| Node::default()).collect();
        let mut edges = Vec::new();
        for pair in nodes.windows(2) {
            let _inside = Inside::enter(&group(&pair[0]));
            edges.push(Edge::to(&pair[1]).unwrap().unwrap());
        }
        let closing = || {
            let _inside = Inside::enter(&group(&nodes[4]));
            Edge::to(&nodes[0])
        };
        assert!(matches!(closing(), Err(LoadError::Recursive)));
        // It was not noted.
        assert!(matches!(closing(), Err(LoadError::Recursive)));
        edges.remove(2);
        assert!(closing().is_ok_and(|edge| edge.is_some()));
    }

    #[test]
    fn whoever_is_no_loader_waits_for_any() {
        assert!(Edge::to(&Node::default()).unwrap().is_none());
    }
}
