//! Upkeep: lets go of idle and old connections, and fills up to the least number of idle ones.

use std::sync::PoisonError;
use std::time::Duration;

use deadpool::managed::{Manager, Object, Pool, Timeouts};
use tokio::time::Instant;

use crate::error::GetError;
use crate::keeper::Keeper;
use crate::metrics::Cause;
use crate::stats::State;

/// Without waiting for a place. Creating and checking have limits of their own.
pub(crate) const AT_ONCE: Timeouts =
    Timeouts { wait: Some(Duration::ZERO), create: None, recycle: None };

/// One round of upkeep. What cannot be created now is left for the next round.
pub(crate) async fn round<M: Manager + 'static>(pool: &Pool<Keeper<M>>) {
    retire(pool, Instant::now());
    let _ = fill(pool).await;
}

/// Lets go of connections that are too old, discarded, or idle for too long; of the last only
/// down to the least number.
fn retire<M: Manager + 'static>(pool: &Pool<Keeper<M>>, now: Instant) {
    let keeper = pool.manager();
    let config = &keeper.config;
    let mut spare = keeper.ledger.idle().saturating_sub(config.min_idle);
    let limit = config.idle_timeout;
    let retained = pool.retain(|kept, _| {
        let idle = now.saturating_duration_since(kept.idle_since);
        let cause = if kept.is_expired(now) {
            Cause::Lifetime
        } else if kept.discarded {
            Cause::Check
        } else if spare > 0 && !limit.is_zero() && idle >= limit {
            Cause::Idle
        } else {
            return true;
        };
        spare = spare.saturating_sub(1);
        keeper.ledger.retired(cause);
        false
    });
    // Closed here, after deadpool's lock.
    drop(retained);
}

/// Creates idle connections until there are `min_idle`; says how many.
pub(crate) async fn fill<M: Manager + 'static>(
    pool: &Pool<Keeper<M>>,
) -> Result<usize, GetError<M::Error>> {
    let keeper = pool.manager();
    let (idle, size) = (keeper.ledger.idle(), pool.status().size);
    let config = &keeper.config;
    let missing = config.min_idle.saturating_sub(idle).min(config.max_size.saturating_sub(size));
    let mut failed = None;
    for _ in 0..missing {
        match create(keeper).await {
            Ok(value) => keeper.ready.lock().unwrap_or_else(PoisonError::into_inner).push(value),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    let filled = hand_over(pool).await;
    failed.map_or(Ok(filled), Err)
}

async fn create<M: Manager>(keeper: &Keeper<M>) -> Result<M::Type, GetError<M::Error>> {
    let limit = keeper.config.create_timeout;
    match tokio::time::timeout(limit, keeper.manager.create()).await {
        Ok(created) => created.map_err(GetError::Create),
        Err(_) => Err(GetError::CreateTimeout(limit)),
    }
}

/// Brings the connections that are ready into the pool. deadpool creates only when nothing is
/// idle, so what is idle is held for a moment, without waiting for anybody.
async fn hand_over<M: Manager + 'static>(pool: &Pool<Keeper<M>>) -> usize {
    let keeper = pool.manager();
    let is_ready = || {
        let ready = keeper.ready.lock();
        !ready.unwrap_or_else(PoisonError::into_inner).is_empty()
    };
    let mut held = Held(Vec::new());
    while is_ready() {
        match pool.timeout_get(&AT_ONCE).await {
            Ok(object) => held.0.push(object),
            Err(_) => break,
        }
    }
    // Somebody may have taken the last place meanwhile; then these are too many.
    while keeper.take_ready().is_some() {}
    held.0.iter().filter(|object| object.fresh).count()
}

/// Connections that upkeep holds; they go back as idle as they were.
struct Held<M: Manager>(Vec<Object<Keeper<M>>>);

impl<M: Manager> Drop for Held<M> {
    fn drop(&mut self) {
        // Backwards, so that the one used last is again the first to be used.
        while let Some(mut object) = self.0.pop() {
            object.change(State::Idle);
        }
    }
}
