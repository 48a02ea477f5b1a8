//! The user's manager, wrapped: it stamps connections with their times and counts them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use tokio::time::Instant;

use crate::config::Config;
use crate::limited::limited;
use crate::metrics::Cause;
use crate::stats::{Ledger, State};

/// A connection with what the pool knows of it. Its end is counted wherever it comes.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) value: T,
    pub(crate) idle_since: Instant,
    /// Whether this is the first use.
    pub(crate) fresh: bool,
    /// Whether its user found it unfit.
    pub(crate) discarded: bool,
    expires: Option<Instant>,
    state: State,
    ledger: Arc<Ledger>,
}

impl<T> Kept<T> {
    /// Changes from idle to in use or back.
    pub(crate) fn change(&mut self, to: State) {
        self.ledger.moved(Some(self.state), Some(to));
        self.state = to;
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|end| now >= end)
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        self.ledger.moved(Some(self.state), None);
    }
}

/// Creates and checks connections through the user's manager.
#[derive(Debug)]
pub(crate) struct Keeper<M: Manager> {
    pub(crate) manager: M,
    pub(crate) config: Config,
    pub(crate) ledger: Arc<Ledger>,
    /// Created ahead by upkeep; empty but for a moment.
    pub(crate) ready: Mutex<Vec<M::Type>>,
}

impl<M: Manager> Keeper<M> {
    pub(crate) fn new(manager: M, config: Config, ledger: Arc<Ledger>) -> Self {
        Self { manager, config, ledger, ready: Mutex::new(Vec::new()) }
    }

    pub(crate) fn take_ready(&self) -> Option<M::Type> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        ready.pop()
    }

    fn stamp(&self, value: M::Type) -> Kept<M::Type> {
        let now = Instant::now();
        self.ledger.created.fetch_add(1, Ordering::Relaxed);
        self.ledger.moved(None, Some(State::InUse));
        let config = &self.config;
        Kept {
            value,
            idle_since: now,
            fresh: true,
            discarded: false,
            expires: shortened(config.max_lifetime, config.lifetime_jitter * unit())
                .and_then(|lifetime| now.checked_add(lifetime)),
            state: State::InUse,
            ledger: Arc::clone(&self.ledger),
        }
    }
}

impl<M: Manager> Manager for Keeper<M> {
    type Type = Kept<M::Type>;
    type Error = Unopened<M::Error>;

    async fn create(&self) -> Result<Self::Type, Self::Error> {
        let value = match self.take_ready() {
            Some(value) => value,
            // In a box, so that a get of what is idle need not carry the room for it.
            None => {
                match limited(self.config.create_timeout, Box::pin(self.manager.create())).await {
                    Ok(created) => created.map_err(Unopened::Failed)?,
                    Err(_) => return Err(Unopened::TooSlow),
                }
            }
        };
        Ok(self.stamp(value))
    }

    async fn recycle(
        &self,
        kept: &mut Self::Type,
        metrics: &Metrics,
    ) -> RecycleResult<Self::Error> {
        if kept.is_expired(Instant::now()) {
            self.ledger.retired(Cause::Lifetime);
            return Err(RecycleError::message("past its lifetime"));
        }
        // Counts a check that fails, and one that is given up because it takes too long.
        let unfit = Unfit(Some(&self.ledger));
        if kept.discarded {
            return Err(RecycleError::message("discarded by its user"));
        }
        let check = self.manager.recycle(&mut kept.value, metrics);
        match limited(self.config.recycle_timeout, check).await {
            Ok(Ok(())) => {}
            Ok(Err(RecycleError::Backend(error))) => return Err(Unopened::Failed(error).into()),
            Ok(Err(RecycleError::Message(told))) => return Err(RecycleError::Message(told)),
            Err(_) => return Err(RecycleError::message("its check takes too long")),
        }
        unfit.passed();
        kept.fresh = false;
        kept.change(State::InUse);
        Ok(())
    }

    fn detach(&self, kept: &mut Self::Type) {
        self.manager.detach(&mut kept.value);
    }
}

/// Why a connection was not created.
#[derive(Debug)]
pub(crate) enum Unopened<E> {
    Failed(E),
    TooSlow,
}

struct Unfit<'a>(Option<&'a Ledger>);

impl Unfit<'_> {
    fn passed(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfit<'_> {
    fn drop(&mut self) {
        if let Some(ledger) = self.0 {
            ledger.retired(Cause::Check);
        }
    }
}

/// `lifetime` less the fraction `cut` of it; `None` for a lifetime without end.
fn shortened(lifetime: Duration, cut: f64) -> Option<Duration> {
    if lifetime.is_zero() {
        return None;
    }
    Some(lifetime.mul_f64(1.0 - cut.clamp(0.0, 1.0)))
}

/// A random number from 0 to below 1, good enough for jitter.
fn unit() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    let high = u32::try_from(random >> 32).unwrap_or(0);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_shortened_by_its_cut() {
        let lifetime = Duration::from_secs(100);
        assert_eq!(shortened(lifetime, 0.0), Some(lifetime));
        assert_eq!(shortened(lifetime, 0.25), Some(Duration::from_secs(75)));
        assert_eq!(shortened(lifetime, 7.0), Some(Duration::ZERO));
        assert_eq!(shortened(Duration::ZERO, 0.5), None);
    }

    #[test]
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<_> = (0..100).map(|_| unit()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.iter().any(|n| n < &0.5) && numbers.iter().any(|n| n > &0.5));
    }
}
