//! Loads that wait for each other: the one that would close a circle is told.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::LoadError;
use crate::load::flight::Ticket;

/// The loads that one loader works for.
pub(super) type Group = Arc<[Ticket]>;

thread_local! {
    /// The loads that are being polled, or run, on this thread, the innermost last.
    static WITHIN: RefCell<Vec<Group>> = const { RefCell::new(Vec::new()) };
}

/// The loads that a load waits for.
#[derive(Debug, Default)]
pub(super) struct Waits(Mutex<Vec<Ticket>>);

impl Waits {
    fn with<T>(&self, change: impl FnOnce(&mut Vec<Ticket>) -> T) -> T {
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
    to: Ticket,
}

impl Edge {
    /// The loader that asks here, if it is one, will wait for `to`.
    ///
    /// # Errors
    ///
    /// If `to` waits for that loader's loads, itself or through others.
    pub(super) fn to(to: &Ticket) -> Result<Option<Self>, LoadError> {
        let Some(from) = WITHIN.with_borrow(|within| within.last().cloned()) else {
            return Ok(None);
        };
        // Noted first: of two that close a circle at once, one at least finds it.
        for ticket in from.iter() {
            ticket.waits().with(|waits| waits.push(to.clone()));
        }
        let edge = Self { from, to: to.clone() };
        if reaches(to, &edge.from) { Err(LoadError::Recursive) } else { Ok(Some(edge)) }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for ticket in self.from.iter() {
            let gone = ticket.waits().with(|waits| {
                let at = waits.iter().position(|to| to.is(&self.to))?;
                Some(waits.swap_remove(at))
            });
            drop(gone);
        }
    }
}

/// Whether `start` is one of `ends`, or waits for one.
fn reaches(start: &Ticket, ends: &[Ticket]) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![start.clone()]);
    while let Some(ticket) = next.pop() {
        if ends.iter().any(|end| end.is(&ticket)) {
            return true;
        }
        if !seen.iter().any(|seen: &Ticket| seen.is(&ticket)) {
            next.extend(ticket.waits().with(|waits| waits.clone()));
            seen.push(ticket);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(ticket: &Ticket) -> Group {
        Arc::from([ticket.clone()])
    }

    #[test]
    fn a_circle_is_found_however_long_and_gone_with_one_who_waits() {
        let tickets: Vec<Ticket> = (0..5).map(|_| Ticket::new()).collect();
        let mut edges = Vec::new();
        for pair in tickets.windows(2) {
            let _inside = Inside::enter(&group(&pair[0]));
            edges.push(Edge::to(&pair[1]).unwrap().unwrap());
        }
        let closing = || {
            let _inside = Inside::enter(&group(&tickets[4]));
            Edge::to(&tickets[0])
        };
        assert!(matches!(closing(), Err(LoadError::Recursive)));
        // It was not noted.
        assert!(matches!(closing(), Err(LoadError::Recursive)));
        edges.remove(2);
        assert!(closing().is_ok_and(|edge| edge.is_some()));
    }

    #[test]
    fn whoever_is_no_loader_waits_for_any() {
        assert!(Edge::to(&Ticket::new()).unwrap().is_none());
    }
}
