//! One decision of a rate limiter.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use criterion::Criterion;
use governor::{Quota, RateLimiter};
use vratelimit::{Config, Key, Limiter};
use vunit::Rate;

const KEYS: u32 = 10_000;

pub(crate) fn bench(criterion: &mut Criterion) {
    let plenty = NonZeroU32::new(1_000_000_000).expect("not zero");
    let scarce = NonZeroU32::MIN;
    compare(criterion, "rate limit, allowed, one key", plenty, 1);
    compare(criterion, "rate limit, allowed, 10,000 keys", plenty, KEYS);
    compare(criterion, "rate limit, denied, one key", scarce, 1);
}

fn compare(criterion: &mut Criterion, name: &str, rate: NonZeroU32, keys: u32) {
    let keys: Vec<IpAddr> =
        (0..keys).map(|key| IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + key))).collect();
    let config = Config { rate: Rate::per_second(rate), burst: Some(rate), ..Config::default() };
    let ours = Limiter::builder().config(config).build().expect("the settings are right");
    let theirs = RateLimiter::dashmap(Quota::per_second(rate).allow_burst(rate));
    let mut group = criterion.benchmark_group(name);
    let mut next = keys.iter().cycle();
    group.bench_function("verve", |bencher| {
        bencher.iter(|| {
            let key = Key::Addr(*black_box(next.next()).expect("they go round"));
            ours.check_now(key).allowed
        });
    });
    let mut next = keys.iter().cycle();
    group.bench_function("governor", |bencher| {
        bencher.iter(|| theirs.check_key(black_box(next.next()).expect("they go round")).is_ok());
    });
    group.finish();
}
