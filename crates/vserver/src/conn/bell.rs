//! A future that is polled only when it has something to say.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::task::{Context, Poll, Wake, Waker};

/// Rings for one future: a task that is woken for another reason need not poll it, which costs
/// locks.
#[derive(Default)]
pub(crate) struct Bell {
    hung: Option<Arc<Hung>>,
}

struct Hung {
    rung: AtomicBool,
    task: Waker,
}

impl Bell {
    /// Polls `future` the first time, when it has rung since, and when another task asks.
    pub(crate) fn poll<F: Future>(
        &mut self,
        future: Pin<&mut F>,
        cx: &Context<'_>,
    ) -> Poll<F::Output> {
        if self.hung.as_ref().is_some_and(|hung| hung.is_silent(cx.waker())) {
            return Poll::Pending;
        }
        let hung = Arc::new(Hung { rung: AtomicBool::new(false), task: cx.waker().clone() });
        self.hung = Some(Arc::clone(&hung));
        future.poll(&mut Context::from_waker(&Waker::from(hung)))
    }
}

impl Hung {
    fn is_silent(&self, task: &Waker) -> bool {
        !self.rung.load(Acquire) && self.task.will_wake(task)
    }
}

impl Wake for Hung {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn it_is_polled_once_until_it_rings() {
        let (notify, mut polls) = (Notify::new(), 0);
        let mut bell = Bell::default();
        let mut notified = pin!(notify.notified());
        let mut counted = pin!(poll_fn(|cx| {
            polls += 1;
            notified.as_mut().poll(cx)
        }));
        for _ in 0..3 {
            let silent = poll_fn(|cx| Poll::Ready(bell.poll(counted.as_mut(), cx).is_pending()));
            assert!(silent.await);
        }
        notify.notify_waiters();
        poll_fn(|cx| bell.poll(counted.as_mut(), cx)).await;
        assert_eq!(polls, 2);
    }
}
