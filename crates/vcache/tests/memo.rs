//! A service that remembers its answers.
#![cfg(feature = "tower")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::yield_now;
use tower::{Layer, Service, ServiceExt, service_fn};
use vcache::memo::MemoLayer;
use vcache::{Cache, LoadError};

/// A service that counts its calls and knows squares of what is below 100, with its memory.
fn squares(
    calls: &Arc<AtomicUsize>,
) -> impl Service<u32, Response = u32, Error = LoadError, Future: Send> + Clone + Send + 'static {
    let calls = Arc::clone(calls);
    let square = service_fn(move |number: u32| {
        calls.fetch_add(1, Ordering::SeqCst);
        async move {
            yield_now().await;
            if number < 100 { Ok(number * number) } else { Err(io::Error::other("too big")) }
        }
    });
    let cache = Cache::builder().build().unwrap();
    MemoLayer::new(cache, |number: &u32| number.is_multiple_of(2).then_some(*number)).layer(square)
}

#[tokio::test]
async fn a_hundred_requests_are_one_call() {
    let calls = Arc::default();
    let service = squares(&calls);
    let tasks: Vec<_> = (0..100).map(|_| tokio::spawn(service.clone().oneshot(8))).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 64);
    }
    assert_eq!(service.oneshot(8).await.unwrap(), 64);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_has_no_key_passes_through() {
    let calls = Arc::default();
    let service = squares(&calls);
    for _ in 0..3 {
        assert_eq!(service.clone().oneshot(7).await.unwrap(), 49);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn errors_are_the_inner_services_and_not_kept() {
    let calls = Arc::default();
    let service = squares(&calls);
    for number in [100, 100, 101] {
        let error = service.clone().oneshot(number).await.unwrap_err();
        assert!(error.downcast_ref::<io::Error>().is_some());
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn only_a_ready_service_is_called() {
    // The limit of one permit panics when it is called without.
    let limited = service_fn(|number: u32| async move { Ok::<_, io::Error>(number) });
    let limited = Strict { inner: limited, ready: false };
    let cache = Cache::builder().build().unwrap();
    let mut memo = MemoLayer::new(cache, |number: &u32| Some(*number)).layer(limited);
    for number in [1, 2, 1] {
        let answer = memo.ready().await.unwrap().call(number);
        assert_eq!(answer.await.unwrap(), number);
    }
}

/// Panics when it is called before it was ready.
struct Strict<S> {
    inner: S,
    ready: bool,
}

impl<S: Clone> Clone for Strict<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), ready: false }
    }
}

impl<S: Service<u32>> Service<u32> for Strict<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.ready = true;
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, number: u32) -> Self::Future {
        assert!(std::mem::take(&mut self.ready));
        self.inner.call(number)
    }
}
