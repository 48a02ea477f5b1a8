//! Writing through: the cache has what the source has, or nothing.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::io;

use futures_util::FutureExt;
use tokio::sync::oneshot;
use vcache::{Cache, WriteThrough};

fn cache() -> (Cache<u8, u8>, WriteThrough<u8, u8>) {
    let cache = Cache::builder().build().unwrap();
    (cache.clone(), WriteThrough::new(cache))
}

#[tokio::test]
async fn a_write_reaches_the_source_and_then_the_cache() {
    let (cache, writer) = cache();
    let seen = cache.clone();
    let write = move |key, _| async move {
        assert_eq!(seen.get(&key), None);
        Ok::<_, Infallible>(())
    };
    cache.insert(1, 1);
    writer.write(1, 2, write).await.unwrap();
    assert_eq!(cache.get(&1), Some(2));
    writer.remove(1, |_| async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(cache.get(&1), None);
}

#[tokio::test]
async fn a_write_that_fails_or_is_dropped_leaves_nothing() {
    let (cache, writer) = cache();
    cache.insert(1, 1);
    let failing = |_, _| async { Err(io::Error::other("no")) };
    assert!(writer.write(1, 2, failing).await.is_err());
    assert_eq!(cache.get(&1), None);
    cache.insert(1, 1);
    let endless = writer.write(1, 2, |_, _| std::future::pending::<Result<(), Infallible>>());
    let mut endless = Box::pin(endless);
    assert!((&mut endless).now_or_never().is_none());
    // Loaded while the source may have either.
    cache.insert(1, 1);
    drop(endless);
    assert_eq!(cache.get(&1), None);
    // Nothing is remembered of it.
    writer.write(1, 3, |_, _| async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(cache.get(&1), Some(3));
}

#[tokio::test]
async fn of_writes_at_once_none_stays() {
    let (cache, writer) = cache();
    let (first_done, first) = oneshot::channel::<()>();
    let (second_done, second) = oneshot::channel::<()>();
    let write = |value, done: oneshot::Receiver<()>| {
        let writer = writer.clone();
        tokio::spawn(async move { writer.write(1, value, |_, _| done).await })
    };
    let (one, other) = (write(1, first), write(2, second));
    tokio::task::yield_now().await;
    first_done.send(()).unwrap();
    one.await.unwrap().unwrap();
    assert_eq!(cache.get(&1), None);
    second_done.send(()).unwrap();
    other.await.unwrap().unwrap();
    assert_eq!(cache.get(&1), None);
    writer.write(1, 3, |_, _| async { Ok::<_, Infallible>(()) }).await.unwrap();
    assert_eq!(cache.get(&1), Some(3));
}
