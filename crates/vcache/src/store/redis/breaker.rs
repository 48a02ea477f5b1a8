//! The breaker: after failures in a row calls fail at once, and a probe in the background finds
//! out when the server is back.

use std::fmt::Display;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use vtask::Task;

use super::link::Inner;
use super::metrics::RedisMeters;
use crate::random::Random;

/// Parts of a Cluster's slots that fail each for itself: one node's slots are in most of them with
/// others' only where nodes share a part. One bit each.
pub(super) const GROUPS: usize = 64;
/// The wait before the nth probe is `min(STEP × n, LONGEST)`, less up to a quarter at random.
const STEP: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);
/// Probes over one connection of a Cluster until it is made anew.
const PATIENCE: u32 = 8;

/// Where a command goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) lane: usize,
    /// The groups that its keys are in, as bits.
    pub(super) groups: u64,
    /// A slot in one of them.
    pub(super) slot: u16,
}

impl Default for Spot {
    fn default() -> Self {
        Self { lane: 0, groups: 1, slot: 0 }
    }
}

/// One breaker for each group; where there is no Cluster only the first is used.
pub(super) struct Breaker {
    most: u32,
    /// The groups that are open, as bits: all that a call looks at.
    open: AtomicU64,
    failures: [AtomicU32; GROUPS],
    /// Each open group's probe. They end with this.
    probes: Mutex<Vec<(u64, Task<()>)>>,
    random: Random,
    meters: Arc<RedisMeters>,
}

impl Breaker {
    pub(super) fn new(most: u32, meters: Arc<RedisMeters>) -> Self {
        Self {
            most,
            open: AtomicU64::new(0),
            failures: [const { AtomicU32::new(0) }; GROUPS],
            probes: Mutex::default(),
            random: Random::new(),
            meters,
        }
    }

    /// Whether a call may go there.
    pub(super) fn admits(&self, spot: Spot) -> bool {
        self.open.load(Ordering::Relaxed) & spot.groups == 0
    }

    pub(super) fn succeeded(&self, spot: Spot) {
        for failures in self.of(spot) {
            if failures.load(Ordering::Relaxed) != 0 {
                failures.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Counts a failure; whether it was one too many.
    pub(super) fn failed(&self, inner: &Arc<Inner>, spot: Spot, why: &dyn Display) -> bool {
        let count = |failures: &AtomicU32| failures.fetch_add(1, Ordering::Relaxed) + 1;
        let most = self.of(spot).map(count).max().unwrap_or(0);
        if most < self.most {
            return false;
        }
        self.trip(inner, spot, why);
        true
    }

    /// Opens, whatever was before.
    pub(super) fn trip(&self, inner: &Arc<Inner>, spot: Spot, why: &dyn Display) {
        let before = self.open.fetch_or(spot.groups, Ordering::Relaxed);
        if before == 0 {
            tracing::warn!(store = self.meters.name(), error = %why, "redis is away");
        }
        if before & spot.groups != spot.groups {
            self.meters.opened();
            self.watch(inner, spot);
        }
    }

    /// Sees to it that somebody probes what is open: the task may have ended with its runtime.
    pub(super) fn watch(&self, inner: &Arc<Inner>, spot: Spot) {
        // Whoever holds the lock is doing this.
        let Ok(mut probes) = self.probes.try_lock() else { return };
        let open = self.open.load(Ordering::Relaxed) & spot.groups;
        if open == 0 || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        probes.retain(|(_, task)| !task.is_finished());
        let watched = probes.iter().fold(0, |all, (groups, _)| all | groups);
        let groups = open & !watched;
        if groups != 0 {
            let spot = Spot { groups, ..spot };
            probes.push((groups, Task::spawn(probe(Arc::downgrade(inner), spot))));
        }
    }

    fn close(&self, spot: Spot) {
        self.succeeded(spot);
        let before = self.open.fetch_and(!spot.groups, Ordering::Relaxed);
        self.meters.closed(before & !spot.groups == 0);
        if before & !spot.groups == 0 {
            tracing::info!(store = self.meters.name(), "redis is back");
        }
    }

    fn of(&self, spot: Spot) -> impl Iterator<Item = &AtomicU32> {
        let bits = self.failures.iter().enumerate();
        bits.filter(move |(bit, _)| spot.groups >> bit & 1 == 1).map(|(_, failures)| failures)
    }

    /// How long to wait before the `n`th probe.
    fn wait(&self, n: u32) -> Duration {
        let most = STEP.saturating_mul(n).min(LONGEST);
        most.mul_f64(1.0 - self.random.unit() / 4.0)
    }
}

/// Half-open: one probe at a time, until one is answered.
async fn probe(inner: Weak<Inner>, spot: Spot) {
    for n in 1.. {
        let Some(wait) = inner.upgrade().map(|inner| inner.breaker().wait(n)) else { return };
        tokio::time::sleep(wait).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.breaker().meters.probed();
        if inner.probe(spot, n.is_multiple_of(PATIENCE)).await.is_ok() {
            inner.breaker().close(spot);
            return;
        }
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        let open = *self.open.get_mut() != 0;
        if open {
            self.meters.closed(true);
        }
        self.probes.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_end() {
        let breaker = Breaker::new(3, Arc::new(RedisMeters::new("test")));
        for (n, most) in [(1, 50), (2, 100), (40, 2000), (u32::MAX, 2000)] {
            let (wait, most) = (breaker.wait(n), Duration::from_millis(most));
            assert!(wait <= most && wait >= most.mul_f64(0.75), "{wait:?}");
        }
    }
}
