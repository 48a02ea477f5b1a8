//! A limit of time that costs nothing where nobody waits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::error::Elapsed;

/// What comes of `future`, unless it takes longer than `limit`. A timer is set only once there is
/// something to wait for.
pub(crate) async fn limited<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let first = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    match first {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => tokio::time::timeout(limit, future).await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_ends() {
        let limit = Duration::from_secs(1);
        assert_eq!(limited(limit, ready(7)).await, Ok(7));
        assert!(limited(limit, pending::<()>()).await.is_err());
        let slow = async {
            tokio::time::sleep(limit / 2).await;
            8
        };
        assert_eq!(limited(limit, slow).await, Ok(8));
    }
}
