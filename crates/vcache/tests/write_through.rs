//! Writing through: the cache has what the source has, or nothing.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

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

#[test]
fn a_listener_may_write_the_key_that_it_hears_of() {
    type Writer = Arc<OnceLock<WriteThrough<u8, u8>>>;
    let (done, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let (writer, told) = (Writer::default(), Arc::new(AtomicUsize::new(0)));
        let (own, telling) = (Arc::clone(&writer), Arc::clone(&told));
        let listener = move |key: &u8, _: &u8, _| {
            if telling.fetch_add(1, Ordering::Relaxed) == 0 {
                let write =
                    own.get().unwrap().write(*key, 9, |_, _| ready(Ok::<_, Infallible>(())));
                write.now_or_never().unwrap().unwrap();
            }
        };
        let cache = Cache::builder().listener(listener).build().unwrap();
        let writer = writer.get_or_init(|| WriteThrough::new(cache.clone()));
        let write = |key, _| {
            // A load has come between: the value that is written takes its place.
            cache.insert(key, 0);
            ready(Ok::<_, Infallible>(()))
        };
        writer.write(1, 2, write).now_or_never().unwrap().unwrap();
        let known = cache.get(&1);
        // Nothing is remembered of either write.
        writer.write(1, 3, |_, _| ready(Ok::<_, Infallible>(()))).now_or_never().unwrap().unwrap();
        done.send((told.load(Ordering::Relaxed), known, cache.get(&1))).unwrap();
    });
    let (told, known, last) = ended.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(told > 0);
    // Two writes at once: which the source has is not known.
    assert_eq!((known, last), (None, Some(3)));
}
