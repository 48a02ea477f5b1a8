//! When an upgraded connection ends by itself: idle, after the drain has begun.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::conn::bell::Bell;
use crate::conn::patience::Patience;

/// Watches an upgraded connection, whose bytes mean nothing to us: there is no message that would
/// end it in peace, so at the drain it may go on while it moves bytes.
pub(crate) struct Tunnel {
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    bell: Bell,
    draining: bool,
    idle: Patience,
}

impl Tunnel {
    pub(crate) fn new(drain: CancellationToken, idle: Duration) -> Self {
        Self {
            drained: Box::pin(drain.cancelled_owned()),
            bell: Bell::default(),
            draining: false,
            idle: Patience::new(idle),
        }
    }

    /// Bytes went one way or the other.
    pub(crate) const fn moved(&mut self) {
        self.idle.settle();
    }

    /// Ready when the drain is on and no byte has moved for too long.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.draining {
            ready!(self.bell.poll(self.drained.as_mut(), cx));
            self.draining = true;
        }
        self.idle.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::{Instant, timeout};

    use super::*;

    const IDLE: Duration = Duration::from_secs(5);

    /// Whether the tunnel goes on for that many seconds.
    async fn lasts(tunnel: &mut Tunnel, seconds: u64) -> bool {
        let end = poll_fn(|cx| tunnel.poll_end(cx));
        timeout(Duration::from_secs(seconds), end).await.is_err()
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_drain_ends_an_idle_tunnel_and_bytes_keep_it() {
        let drain = CancellationToken::new();
        let mut tunnel = Tunnel::new(drain.clone(), IDLE);
        assert!(lasts(&mut tunnel, 1000).await);
        drain.cancel();
        for _ in 0..5 {
            assert!(lasts(&mut tunnel, 3).await);
            tunnel.moved();
        }
        let start = Instant::now();
        assert!(!lasts(&mut tunnel, 1000).await);
        assert_eq!(start.elapsed(), IDLE);
    }
}
