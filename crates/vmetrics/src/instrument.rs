//! `Counter` and `Gauge`: handles to one series each.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::histogram::add_f64;

/// A number that only grows; clones share it.
#[derive(Clone, Default)]
pub struct Counter(pub(crate) Arc<CounterCell>);

impl Counter {
    /// Adds `by`. Beyond `u64::MAX` it starts again at 0, as Prometheus expects of a counter.
    pub fn increment(&self, by: u64) {
        self.0.grow(by);
    }

    /// The number now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.value()).finish()
    }
}

/// A number that goes up and down; clones share it.
#[derive(Clone, Default)]
pub struct Gauge(pub(crate) Arc<GaugeCell>);

impl Gauge {
    /// Sets the number.
    pub fn set(&self, value: f64) {
        self.0.store(value);
    }

    /// Adds `by`, which may be negative.
    pub fn add(&self, by: f64) {
        self.0.add(by);
    }

    /// The number now.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.0.0.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gauge").field(&self.value()).finish()
    }
}

/// The number behind a [`Counter`].
#[derive(Default)]
pub(crate) struct CounterCell(AtomicU64);

impl CounterCell {
    pub(crate) fn grow(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// Raises the number to `value`, for sources that count themselves; never lowers it.
    pub(crate) fn grow_to(&self, value: u64) {
        self.0.fetch_max(value, Ordering::Relaxed);
    }
}

/// The number behind a [`Gauge`], as the bits of an `f64`.
#[derive(Default)]
pub(crate) struct GaugeCell(AtomicU64);

impl GaugeCell {
    pub(crate) fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn add(&self, by: f64) {
        add_f64(&self.0, by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_follows_a_source_that_counts_itself_but_never_falls() {
        let counter = Counter::default();
        counter.0.grow_to(7);
        counter.0.grow_to(3);
        counter.increment(1);
        assert_eq!(counter.value(), 8);
    }

    #[test]
    fn no_step_of_many_threads_is_lost() {
        let (counter, gauge) = (Counter::default(), Gauge::default());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        counter.increment(1);
                        gauge.add(2.0);
                        gauge.add(-1.0);
                    }
                });
            }
        });
        assert_eq!(counter.value(), 80_000);
        assert_eq!(gauge.value().to_string(), "80000");
    }
}
