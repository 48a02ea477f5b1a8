//! A wait with a limit, whose timer costs nothing until something waits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Says when one wait has lasted too long.
///
/// The timer is made with the first wait, and moved only when it fires: a wait that ends leaves it
/// where it is, so one timer serves any number of short waits.
pub(crate) struct Patience {
    limit: Duration,
    /// When the wait that is on began.
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, since: None, timer: None }
    }

    /// The wait has ended.
    pub(crate) const fn settle(&mut self) {
        self.since = None;
    }

    /// Begins a wait or goes on with it; ready when it has lasted too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = *self.since.get_or_insert_with(Instant::now) + self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{sleep, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_the_whole_limit() {
        let mut patience = Patience::new(LIMIT);
        for _ in 0..4 {
            let second = Duration::from_secs(2);
            assert!(timeout(second, poll_fn(|cx| patience.poll(cx))).await.is_err());
            patience.settle();
            sleep(Duration::from_millis(1)).await;
        }
        let start = Instant::now();
        poll_fn(|cx| patience.poll(cx)).await;
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_goes_on_while_nobody_looks() {
        let mut patience = Patience::new(LIMIT);
        assert!(poll_fn(|cx| Poll::Ready(patience.poll(cx))).await.is_pending());
        sleep(LIMIT).await;
        assert!(poll_fn(|cx| Poll::Ready(patience.poll(cx))).await.is_ready());
    }
}
