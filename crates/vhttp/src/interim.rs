//! Interim responses (1xx) on their way from whoever asks an origin to the client's connection.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use http::{HeaderMap, StatusCode};

/// Interim responses that wait for the connection; those above are dropped.
const MAX_WAITING: usize = 16;

/// Sends interim responses (RFC 9110 §15.2) to the client of one request, ahead of its answer.
///
/// A server that can send them puts it into the request's extensions. What is sent once the answer
/// has come, or faster than the client takes it (above 16), is dropped: nobody may rely on interim
/// responses.
#[derive(Clone)]
pub struct Interim {
    outbox: Outbox,
    request: u64,
}

impl Interim {
    /// Sends the head of an interim response, as it is. Other statuses, and 101, which ends the
    /// exchange, are dropped.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        let mut state = self.outbox.lock();
        let is_due = state.is_open && state.request == self.request;
        if is_due && state.waiting.len() < MAX_WAITING {
            state.waiting.push_back((status, headers.clone()));
            let waker = state.waker.take();
            drop(state);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl fmt::Debug for Interim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interim").field("request", &self.request).finish_non_exhaustive()
    }
}

/// The interim responses that a server's connection is to send, of one request after the other.
#[derive(Clone, Default)]
pub struct Outbox {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    request: u64,
    is_open: bool,
    waiting: VecDeque<(StatusCode, HeaderMap)>,
    waker: Option<Waker>,
}

impl Outbox {
    /// An outbox that no request uses yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with the next request; what waits for another one is dropped.
    #[must_use]
    pub fn open(&self) -> Interim {
        let mut state = self.lock();
        state.request = state.request.wrapping_add(1);
        state.is_open = true;
        state.waiting.clear();
        Interim { outbox: self.clone(), request: state.request }
    }

    /// The request has its answer: takes nothing any more.
    pub fn close(&self) {
        self.lock().is_open = false;
    }

    /// Whether the request under way still waits for its answer.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_open
    }

    /// Takes what is to be sent next, and lets the connection be woken when more comes.
    #[must_use]
    pub fn take(&self, cx: &Context<'_>) -> Option<(StatusCode, HeaderMap)> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        if next.is_none() && !state.waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        next
    }

    /// Drops what waits.
    pub fn clear(&self) {
        self.lock().waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Outbox")
            .field("is_open", &state.is_open)
            .field("waiting", &state.waiting.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(outbox: &Outbox) -> Vec<u16> {
        let cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| outbox.take(&cx)).map(|(status, _)| status.as_u16()).collect()
    }

    #[test]
    fn only_the_request_under_way_sends_and_only_before_its_answer() {
        let (outbox, none) = (Outbox::new(), HeaderMap::new());
        let first = outbox.open();
        for status in [103, 101, 200, 102] {
            first.send(StatusCode::from_u16(status).unwrap(), &none);
        }
        assert_eq!(taken(&outbox), [103, 102]);
        let second = outbox.open();
        first.send(StatusCode::PROCESSING, &none);
        assert_eq!(taken(&outbox), []);
        second.send(StatusCode::PROCESSING, &none);
        outbox.close();
        second.send(StatusCode::PROCESSING, &none);
        assert_eq!(taken(&outbox), [102]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let outbox = Outbox::new();
        let interim = outbox.open();
        for _ in 0..100 {
            interim.send(StatusCode::PROCESSING, &HeaderMap::new());
        }
        assert_eq!(taken(&outbox).len(), MAX_WAITING);
    }
}
