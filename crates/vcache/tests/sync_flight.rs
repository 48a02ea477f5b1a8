//! One load per key for threads too, alone and together with tasks.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use vcache::{Cache, Config, Flight, LoadError, Loading, ManualClock};

type Names = Cache<u32, String>;

fn cache() -> Names {
    Cache::builder().build().unwrap()
}

#[test]
fn many_threads_load_once() {
    let (cache, loads, barrier) = (cache(), AtomicUsize::new(0), Barrier::new(16));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                let load = || {
                    loads.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Infallible>("Ada".to_owned())
                };
                assert_eq!(cache.get_or_load_sync(&7, load).unwrap(), "Ada");
            });
        }
    });
    assert_eq!((loads.load(Ordering::SeqCst), cache.loads()), (1, 0));
}

/// Runs a sync load that waits until as many as `others` wait for it, then ends with `end`.
fn shared(cache: &Names, end: fn() -> Result<String, io::Error>) -> Vec<Result<String, LoadError>> {
    let (begun, begins) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    thread::scope(|scope| {
        let leader = scope.spawn(move || {
            cache.get_or_load_sync(&7, || {
                begun.send(()).unwrap();
                gone.recv().unwrap();
                end()
            })
        });
        begins.recv().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let followers: Vec<_> = (0..4)
            .map(|number| {
                let asked = Arc::clone(&asked);
                scope.spawn(move || {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let own = || Ok::<_, Infallible>("follower's".to_owned());
                    if number % 2 == 0 {
                        return cache.get_or_load_sync(&7, own);
                    }
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(cache.get_or_load(7, move || async move { own() }))
                })
            })
            .collect();
        while asked.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        // Those that are late load for themselves, which the callers allow for.
        #[expect(clippy::disallowed_methods, reason = "threads cannot be seen waiting")]
        thread::sleep(Duration::from_millis(100));
        go.send(()).unwrap();
        let leader = leader.join().unwrap();
        let followers = followers.into_iter().map(|follower| follower.join().unwrap());
        std::iter::once(leader).chain(followers).collect()
    })
}

#[test]
fn threads_and_tasks_wait_for_a_threads_load() {
    let results = shared(&cache(), || Ok("leader's".to_owned()));
    assert!(results.into_iter().all(|result| result.unwrap() == "leader's"));
}

#[test]
fn a_failure_is_shared_by_threads_and_tasks() {
    let results = shared(&cache(), || Err(io::Error::other("away")));
    assert!(results[0].as_ref().is_err_and(|error| error.downcast_ref::<io::Error>().is_some()));
    assert!(results[1..].iter().any(Result::is_err));
}

#[test]
fn a_panic_is_an_error_for_threads_and_tasks() {
    let results = shared(&cache(), || panic!("the loader's own"));
    assert!(matches!(results[0], Err(LoadError::Panicked)));
    assert!(results[1..].iter().any(|result| matches!(result, Err(LoadError::Panicked))));
}

#[test]
fn a_load_that_waits_for_itself_is_an_error() {
    let cache = cache();
    let own = || Ok::<_, Infallible>(String::new());
    let nested = cache.get_or_load_sync(&1, || {
        cache.get_or_load_sync(&2, || {
            assert!(matches!(cache.get_or_load_sync(&1, own), Err(LoadError::Recursive)));
            Ok::<_, LoadError>("inner".to_owned())
        })
    });
    assert_eq!(nested.unwrap(), "inner");
}

#[test]
fn a_thread_waits_for_a_task_and_goes_on_alone_when_it_is_dropped() {
    let cache = cache();
    for dropped in [false, true] {
        cache.clear();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let task = runtime.spawn({
            let cache = cache.clone();
            async move {
                let load = || async {
                    gone.await.unwrap();
                    Ok::<_, Infallible>("task's".to_owned())
                };
                cache.get_or_load(7, load).await.unwrap()
            }
        });
        while cache.loads() == 0 {
            thread::yield_now();
        }
        let waiting = thread::spawn({
            let cache = cache.clone();
            move || cache.get_or_load_sync(&7, || Ok::<_, Infallible>("thread's".to_owned()))
        });
        if dropped {
            task.abort();
            assert_eq!(waiting.join().unwrap().unwrap(), "thread's");
            drop(go);
        } else {
            // If the thread is late it finds the value in the cache.
            go.send(()).unwrap();
            assert_eq!(waiting.join().unwrap().unwrap(), "task's");
        }
    }
}

#[test]
fn what_began_before_an_invalidation_is_not_stored_after_it() {
    let cache = cache();
    let load = || {
        cache.remove(&7);
        Ok::<_, Infallible>("old".to_owned())
    };
    assert_eq!(cache.get_or_load_sync(&7, load).unwrap(), "old");
    assert_eq!(cache.get(&7), None);
}

#[test]
fn made_values_are_kept_and_panics_go_through() {
    let cache = cache();
    let panicking = AssertUnwindSafe(|| {
        cache.get_or_insert_with(&7, || panic!("made of nothing"));
    });
    let panic = catch_unwind(panicking).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"made of nothing"));
    assert_eq!(cache.get_or_insert_with(&7, || "made".to_owned()), "made");
    assert_eq!(cache.get_or_insert_with(&7, || "again".to_owned()), "made");
    let nested = cache.get_or_insert_with(&8, || cache.get_or_insert_with(&8, || "in".to_owned()));
    assert_eq!(nested, "in");
}

#[test]
fn a_value_is_made_though_others_failed() {
    let negative_ttl = Some(Duration::from_secs(60));
    let loading = Loading { negative_ttl, ..Loading::default() };
    let config = Config { max_loads: 1, loading, ..Config::default() };
    let cache: Names = Cache::builder().config(config).build().unwrap();
    let fail = || Err::<String, _>(io::Error::other("away"));
    assert!(cache.get_or_load_sync(&7, fail).is_err());
    let kept = cache.get_or_load_sync(&7, || Ok::<_, Infallible>("here".to_owned()));
    assert!(kept.is_err(), "the failure is kept");
    assert_eq!(cache.get_or_insert_with(&7, || "made".to_owned()), "made");
    let full = cache.get_or_load_sync(&1, || {
        Ok::<_, Infallible>(cache.get_or_insert_with(&2, || "beyond the limit".to_owned()))
    });
    assert_eq!(full.unwrap(), "beyond the limit");
}

#[test]
fn one_thread_refreshes_and_keeps_the_old_value_if_it_fails() {
    let loading = Loading { stale_while_revalidate: Duration::from_secs(60), ..Loading::default() };
    let ttl = Some(Duration::from_secs(1));
    let (config, clock) = (Config { ttl, loading, ..Config::default() }, ManualClock::new());
    let cache: Names = Cache::builder().config(config).clock(clock.clone()).build().unwrap();
    cache.insert(7, "old".to_owned());
    clock.advance(Duration::from_secs(1));
    let fail = || Err::<String, _>(io::Error::other("away"));
    assert_eq!(cache.get_or_load_sync(&7, fail).unwrap(), "old");
    let unused = || -> Result<String, Infallible> { panic!("it pauses") };
    assert_eq!(cache.get_or_load_sync(&7, unused).unwrap(), "old");
    clock.advance(Duration::from_secs(1));
    let load = || {
        let unused = || -> Result<String, Infallible> { panic!("one does already") };
        assert_eq!(cache.get_or_load_sync(&7, unused).unwrap(), "old");
        Ok::<_, Infallible>("new".to_owned())
    };
    assert_eq!(cache.get_or_load_sync(&7, load).unwrap(), "new");
    assert_eq!(cache.get(&7).as_deref(), Some("new"));
}

#[test]
fn a_flight_serves_threads_alone() {
    let flight = Flight::<u8, u8>::new(1);
    assert_eq!(flight.run_sync(&1, |ticket| Ok(u8::from(ticket.is_current()))).unwrap(), 1);
    let full = flight.run_sync(&1, |_| flight.run_sync(&2, |_| Ok(2)));
    assert!(matches!(full, Err(LoadError::TooMany { max: 1 })));
    assert_eq!(flight.under_way(), 0);
}
