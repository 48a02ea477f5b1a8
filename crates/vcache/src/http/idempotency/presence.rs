//! Whether a client is still there.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

/// Held for as long as a client waits or reads; clones count as one.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    _held: Arc<oneshot::Sender<Infallible>>,
}

/// The other end: tells when the last [`Presence`] is gone.
#[derive(Debug)]
pub(crate) struct Absence {
    gone: oneshot::Receiver<Infallible>,
}

/// Takes part in a client's presence later on, if it is still there by then.
#[derive(Debug)]
pub(crate) struct Join {
    held: Weak<oneshot::Sender<Infallible>>,
}

impl Presence {
    pub(crate) fn new() -> (Self, Join, Absence) {
        let (held, gone) = oneshot::channel();
        let held = Arc::new(held);
        let join = Join { held: Arc::downgrade(&held) };
        (Self { _held: held }, join, Absence { gone })
    }
}

impl Join {
    /// A part in the client's presence, if it is still there.
    pub(crate) fn presence(&self) -> Option<Presence> {
        self.held.upgrade().map(|held| Presence { _held: held })
    }
}

impl Absence {
    /// Resolves when the client has left.
    pub(crate) async fn begins(&mut self) {
        // Nothing is ever sent: the end of the sender is the message.
        let _ = (&mut self.gone).await;
    }
}
