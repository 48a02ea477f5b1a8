//! One read and one insertion of the memory cache.

use std::hint::black_box;

use benches::caches::{Contender, contender};
use bytes::Bytes;
use criterion::Criterion;

const NAMES: [&str; 5] = ["verve", "verve, TTL", "quick_cache", "moka", "foyer S3-FIFO"];
const ROOM: usize = 100_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let value = Bytes::from_static(&[7; 100]);
    let full = |name| {
        let cache: Contender<u64, Bytes> = contender(name, ROOM).expect("a known name");
        (0..ROOM as u64).for_each(|key| cache.insert(key, value.clone()));
        cache
    };
    let mut group = criterion.benchmark_group("cache, hit of one key");
    for name in NAMES {
        let cache = full(name);
        cache.insert(1, value.clone());
        group.bench_function(name, |bencher| bencher.iter(|| cache.get(black_box(&1))));
    }
    group.finish();
    let mut group = criterion.benchmark_group("cache, insertion into a full one");
    for name in NAMES {
        let cache = full(name);
        let mut next = ROOM as u64;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                next += 1;
                cache.insert(black_box(next), value.clone());
            });
        });
    }
    group.finish();
}
