//! Loads that wait for each other: the one that would close the circle is told, and nobody hangs.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use vcache::{Cache, LoadError};

type Numbers = Cache<u32, u32>;

/// Over at once on a paused clock, when nobody has anything left to do.
const HANG: Duration = Duration::from_secs(3600);

fn cache() -> Numbers {
    Cache::builder().build().unwrap()
}

async fn nothing() -> Result<u32, Infallible> {
    Ok(0)
}

fn is_recursive(error: &LoadError) -> bool {
    match error {
        LoadError::Recursive => true,
        error => error.downcast_ref().is_some_and(is_recursive),
    }
}

/// Loads `own` by asking for `other`.
fn ask(cache: &Numbers, own: u32, other: u32) -> JoinHandle<Result<u32, LoadError>> {
    let cache = cache.clone();
    tokio::spawn(async move {
        let inner = cache.clone();
        let load = move || async move {
            yield_now().await;
            inner.get_or_load(other, nothing).await.map(|value| value + 1)
        };
        cache.get_or_load(own, load).await
    })
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_asks_for_its_own_key_is_told() {
    let cache = cache();
    let error = timeout(HANG, ask(&cache, 1, 1)).await.unwrap().unwrap().unwrap_err();
    assert!(is_recursive(&error), "{error:?}");
    assert_eq!(cache.loads(), 0);
    assert_eq!(cache.get_or_load(1, nothing).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn loads_of_several_tasks_that_wait_for_each_other_are_told() {
    let cache = cache();
    let circle = [ask(&cache, 1, 2), ask(&cache, 2, 3), ask(&cache, 3, 1)];
    for ended in circle {
        let error = timeout(HANG, ended).await.unwrap().unwrap().unwrap_err();
        assert!(is_recursive(&error), "{error:?}");
    }
    assert_eq!(cache.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_load_of_many_that_asks_for_one_of_them_is_told() {
    let cache = cache();
    let inner = cache.clone();
    let load = |keys: Vec<u32>| async move {
        assert_eq!(keys.len(), 3);
        // The other way round: many, of which one waits for this.
        let own = |_| async { Ok::<_, Infallible>(HashMap::new()) };
        let many = inner.get_many_or_load([2, 9], own).await.unwrap_err();
        assert!(is_recursive(&many));
        inner.get_or_load(2, nothing).await.map(|value| HashMap::from([(2, value)]))
    };
    let error = timeout(HANG, cache.get_many_or_load([1, 2, 3], load)).await.unwrap().unwrap_err();
    assert!(is_recursive(&error), "{error:?}");
    assert_eq!(cache.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_only_waits_for_others_is_no_circle() {
    let cache = cache();
    // 1 and 2 both wait for 3, and 3 for 4; then 4 asks for what has ended.
    let waiting = [ask(&cache, 1, 3), ask(&cache, 2, 3), ask(&cache, 3, 4)];
    for ended in waiting {
        timeout(HANG, ended).await.unwrap().unwrap().unwrap();
    }
    cache.remove(&4);
    cache.remove(&1);
    assert_eq!(timeout(HANG, ask(&cache, 4, 1)).await.unwrap().unwrap().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_closes_no_circle() {
    let cache = cache();
    let inner = cache.clone();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let other = cache.clone();
    let second = tokio::spawn(async move {
        let own = other.clone();
        let load = || async move {
            told.await.unwrap();
            own.get_or_load(1, nothing).await
        };
        other.get_or_load(2, load).await
    });
    yield_now().await;
    let load = || async move {
        // Waits for the other, and gives up.
        let given_up = timeout(Duration::from_secs(1), inner.get_or_load(2, nothing)).await;
        assert!(given_up.is_err());
        tell.send(()).unwrap();
        yield_now().await;
        Ok::<_, Infallible>(7)
    };
    assert_eq!(timeout(HANG, cache.get_or_load(1, load)).await.unwrap().unwrap(), 7);
    assert_eq!(timeout(HANG, second).await.unwrap().unwrap().unwrap(), 7);
}

#[test]
fn threads_that_wait_for_each_others_loads_are_told() {
    let (cache, both) = (cache(), Arc::new(Barrier::new(2)));
    let ask = |own: u32, other: u32| {
        let (cache, both) = (cache.clone(), Arc::clone(&both));
        std::thread::spawn(move || {
            let load = || {
                both.wait();
                cache.get_or_load_sync(&other, || Ok::<_, Infallible>(0))
            };
            cache.get_or_load_sync(&own, load)
        })
    };
    let circle = [ask(1, 2), ask(2, 1)];
    for ended in circle {
        let error = ended.join().unwrap().unwrap_err();
        assert!(is_recursive(&error), "{error:?}");
    }
}
