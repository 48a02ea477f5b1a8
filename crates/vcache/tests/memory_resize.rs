//! A cache that is made much smaller: it gives memory back, and forgets nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use vcache::{Clock, Keep, Memory};

#[derive(Clone, Default)]
struct Hand(Arc<std::sync::atomic::AtomicU64>);

impl Hand {
    fn forward(&self, seconds: u64) {
        self.0.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

type Numbers = Memory<u32, u64>;

fn bound(entries: u64) -> u64 {
    entries * Numbers::overhead()
}

#[test]
fn memory_is_given_back() {
    let cache = Numbers::builder().max_weight(bound(100_000)).shards(4).build().unwrap();
    let filled = allocation_counter::measure(|| {
        (0..120_000).for_each(|key| assert!(cache.insert(key, 1)));
    });
    let freed = allocation_counter::measure(|| {
        cache.resize(bound(10_000));
    });
    // Of the tables for a hundred thousand those for ten thousand stay.
    assert!(-freed.bytes_current > filled.bytes_current * 3 / 4, "{filled:?} {freed:?}");
    assert!((9_900..=10_000).contains(&cache.len()));
    let again = allocation_counter::measure(|| {
        cache.resize(bound(9_000));
    });
    assert_eq!(again.bytes_current, 0, "hardly smaller");
    // And grows again.
    cache.resize(bound(100_000));
    (0..90_000).for_each(|key| assert!(cache.insert(key, 2)));
    assert_eq!(
        cache.len(),
        cache.iter().map(|(key, _)| key).collect::<std::collections::HashSet<_>>().len()
    );
    assert!(cache.len() >= 90_000);
}

#[test]
fn what_stays_is_what_it_was() {
    let clock = Hand::default();
    let cache = Memory::<u32, u64>::builder()
        .max_weight(100 * bound(10_000))
        .shards(2)
        .weigher(|_, value| *value)
        .clock(clock.clone())
        .build()
        .unwrap();
    for key in 0..20_000_u32 {
        let keep = match key % 5 {
            0 => Keep::new().ttl(Duration::from_secs(100)),
            1 => Keep::new().tti(Duration::from_secs(50)),
            2 if key < 1_000 => Keep::new().pinned(),
            3 => Keep::new().ttl(Duration::from_secs(1_000_000)),
            _ => Keep::new(),
        };
        assert!(cache.insert_with(key, u64::from(key % 7) * 10, keep));
    }
    let mut walk = cache.iter();
    let first: Vec<_> = walk.by_ref().take(3_000).collect();
    let weight = cache.weight();
    assert!(cache.resize(weight / 8) > 10_000);
    assert!(cache.weight() <= weight / 8);
    let there: HashMap<u32, u64> = cache.iter().collect();
    assert_eq!(there.len(), cache.len());
    let own = |value: &u64| value + Numbers::overhead();
    assert!(there.values().map(own).sum::<u64>() <= cache.weight());
    assert!((0..1_000).filter(|key| key % 5 == 2).all(|key| there.contains_key(&key)), "pinned");
    assert!(there.iter().all(|(key, value)| cache.peek(key) == Some(*value)));
    assert!((0..20_000).all(|key| cache.contains(&key) == there.contains_key(&key)));
    // The walk that was under way has met whatever is still there.
    let met: HashMap<u32, u64> = first.into_iter().chain(walk).collect();
    assert!(there.keys().all(|key| met.contains_key(key)));

    clock.forward(60);
    let idle = |key: &u32| key % 5 == 1;
    assert!(there.keys().all(|key| cache.contains(key) != idle(key)), "time to idle");
    clock.forward(60);
    let over = |key: &u32| idle(key) || key.is_multiple_of(5);
    assert!(there.keys().all(|key| cache.contains(key) != over(key)), "time to live");
    assert_eq!(cache.len(), there.len());
    // The wheel still knows them all.
    for key in 0..20_000 {
        cache.insert(100_000 + key, 0);
        cache.remove(&(100_000 + key));
    }
    assert_eq!(cache.len(), there.keys().filter(|key| !over(key)).count());
    assert_eq!(cache.weight(), cache.iter().map(|(_, value)| own(&value)).sum::<u64>());
    cache.clear();
    assert_eq!((cache.len(), cache.weight()), (0, 0));
}
