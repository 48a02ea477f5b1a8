//! Who still wants the answer of a fetch: those who wait for it and those who read it.

use std::sync::Arc;

use tokio::sync::watch;

/// How many want the answer; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Audience(Arc<watch::Sender<usize>>);

/// One who wants it; leaves when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Audience);

impl Audience {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub(crate) fn seat(&self) -> Seat {
        self.0.send_if_modified(|count| {
            *count += 1;
            *count == 1
        });
        Seat(self.clone())
    }

    /// Resolves when nobody wants it.
    ///
    /// Cancel safe: nothing is lost when it is dropped.
    pub(crate) async fn empty(&self) {
        // The sender is ours, so that the channel stays open.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Resolves when somebody wants it.
    ///
    /// Cancel safe: nothing is lost when it is dropped.
    pub(crate) async fn present(&self) {
        let _ = self.0.subscribe().wait_for(|count| *count > 0).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}
