//! The generic cell rate algorithm, pure: one time per key is all its state.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::decision::Decision;
use crate::quota::Quota;

impl Quota {
    /// Decides on `cost` units at `now`, and gives the key's new state.
    ///
    /// `arrival` is the key's state: the time at which it will have its whole burst again, in
    /// nanoseconds since the same start as `now`; a key never seen has 0. A clock that stands
    /// still or goes back gives nothing back. Never panics, whatever the numbers.
    ///
    /// Source: ITU-T I.371, Annex A (virtual scheduling), with the burst counted in units.
    #[must_use]
    pub fn decide(&self, arrival: u64, now: u64, cost: NonZeroU32) -> (u64, Decision) {
        let full = self.full_nanos();
        let start = arrival.max(now);
        let before = start - now;
        if cost > self.burst() {
            return (arrival, self.denied(before, Duration::MAX));
        }
        // Within the burst, the price is within `full`, which leaves room to count.
        let price = u64::from(cost.get()) * self.interval_nanos();
        let after = before.saturating_add(price);
        if after <= full {
            return (start.saturating_add(price), self.allowed(after));
        }
        let wait = Duration::from_nanos(after - full);
        (arrival, self.denied(before, wait))
    }

    fn allowed(&self, debt: u64) -> Decision {
        self.decision(debt, true, Duration::ZERO)
    }

    fn denied(&self, debt: u64, wait: Duration) -> Decision {
        self.decision(debt, false, wait)
    }

    /// `debt` is the time until the key has its whole burst.
    fn decision(&self, debt: u64, allowed: bool, retry_after: Duration) -> Decision {
        let burst = self.burst().get();
        let spent = debt.div_ceil(self.interval_nanos());
        let spent = u32::try_from(spent).unwrap_or(burst).min(burst);
        let kept = u64::from(spent.saturating_sub(1)) * self.interval_nanos();
        Decision {
            allowed,
            limit: burst,
            remaining: burst - spent,
            more_after: Duration::from_nanos(debt.saturating_sub(kept)),
            reset_after: Duration::from_nanos(debt),
            retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use vunit::Rate;

    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    fn quota(amount: u32, burst: u32) -> Quota {
        let rate = Rate::per_second(NonZeroU32::new(amount).unwrap());
        Quota::new(rate, NonZeroU32::new(burst).unwrap()).unwrap()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let quota = quota(10, 3);
        let (mut arrival, mut left) = (0, Vec::new());
        for _ in 0..3 {
            let (next, decision) = quota.decide(arrival, 1_000, ONE);
            assert!(decision.allowed);
            arrival = next;
            left.push(decision.remaining);
        }
        assert_eq!(left, [2, 1, 0]);
        let (same, decision) = quota.decide(arrival, 1_000, ONE);
        assert_eq!(same, arrival);
        assert_eq!(
            decision,
            Decision {
                allowed: false,
                limit: 3,
                remaining: 0,
                more_after: Duration::from_millis(100),
                reset_after: Duration::from_millis(300),
                retry_after: Duration::from_millis(100),
            }
        );
    }

    #[test]
    fn a_price_above_the_burst_never_passes() {
        let (state, decision) = quota(10, 3).decide(7, 9, NonZeroU32::new(4).unwrap());
        assert_eq!((state, decision.allowed), (7, false));
        assert_eq!((decision.remaining, decision.retry_after), (3, Duration::MAX));
    }

    proptest! {
        /// In every trailing window, no more than `burst + window / interval` units pass.
        #[test]
        fn no_window_passes_more_than_its_bound(
            amount in 1u32..2_000,
            burst in 1u32..100,
            gaps in vec((0u64..60_000_000, 1u32..5), 1..200),
        ) {
            let quota = quota(amount, burst);
            let (mut now, mut arrival) = (0, 0);
            let mut passed: Vec<(u64, u64)> = Vec::new();
            for (gap, cost) in gaps {
                now += gap;
                let (next, decision) = quota.decide(arrival, now, NonZeroU32::new(cost).unwrap());
                if decision.allowed {
                    passed.push((now, u64::from(cost)));
                }
                arrival = next;
            }
            for (first, (start, _)) in passed.iter().enumerate() {
                let mut units = 0;
                for (at, cost) in &passed[first..] {
                    units += cost;
                    let bound = u64::from(burst) + (at - start) / quota.interval_nanos();
                    prop_assert!(units <= bound, "{units} in {} ns", at - start);
                }
            }
        }

        /// After `retry_after` the same request passes; a nanosecond before it does not.
        #[test]
        fn the_wait_is_exact(
            amount in 1u32..1_000_000,
            burst in 1u32..50,
            ahead in 0u64..3_000_000_000,
            now in 0u64..1 << 60,
            cost in 1u32..50,
        ) {
            let (quota, cost) = (quota(amount, burst), NonZeroU32::new(cost.min(burst)).unwrap());
            let arrival = now + ahead.min(quota.full_nanos());
            let (_, decision) = quota.decide(arrival, now, cost);
            if decision.allowed {
                prop_assert_eq!(decision.retry_after, Duration::ZERO);
            } else {
                let wait = u64::try_from(decision.retry_after.as_nanos()).unwrap();
                prop_assert!(!quota.decide(arrival, now + wait - 1, cost).1.allowed);
                prop_assert!(quota.decide(arrival, now + wait, cost).1.allowed);
            }
        }

        /// `remaining` units pass at once and no more; then `more_after` tells the next.
        #[test]
        fn what_remains_is_exact(
            amount in 1u32..1_000_000,
            burst in 1u32..50,
            ahead in 0u64..3_000_000_000,
        ) {
            let (quota, now) = (quota(amount, burst), 5);
            let (mut arrival, first) =
                quota.decide(now + ahead.min(quota.full_nanos()), now, ONE);
            let mut last = first;
            for _ in 0..first.remaining {
                (arrival, last) = quota.decide(arrival, now, ONE);
                prop_assert!(last.allowed);
            }
            let (_, over) = quota.decide(arrival, now, ONE);
            prop_assert!(!over.allowed);
            prop_assert_eq!(over.retry_after, last.more_after);
            prop_assert_eq!(last.reset_after.as_nanos(), u128::from(arrival - now));
        }

        /// A client at exactly the rate is never denied.
        #[test]
        fn nobody_starves_at_the_rate(amount in 1u32..5_000, start in 0u64..1 << 50) {
            let quota = quota(amount, 1);
            let mut arrival = 0;
            for n in 0..300u64 {
                let now = start + n * 1_000_000_000 / u64::from(amount);
                let (next, decision) = quota.decide(arrival, now, ONE);
                prop_assert!(decision.allowed);
                arrival = next;
            }
        }

        /// One price of n is n prices of one.
        #[test]
        fn a_price_is_the_sum_of_its_units(ahead in 0u64..1_000_000_000, cost in 1u32..20) {
            let quota = quota(100, 20);
            let at_once = quota.decide(ahead, 0, NonZeroU32::new(cost).unwrap());
            let (mut arrival, mut all) = (ahead, true);
            for _ in 0..cost {
                let (next, decision) = quota.decide(arrival, 0, ONE);
                all &= decision.allowed;
                arrival = next;
            }
            prop_assert_eq!(at_once.1.allowed, all);
            if all {
                prop_assert_eq!(at_once.0, arrival);
            }
        }

        /// A clock that goes back gives nothing back, and no number panics.
        #[test]
        fn no_clock_refills_backwards(
            amount: NonZeroU32,
            burst: NonZeroU32,
            cost: NonZeroU32,
            arrival: u64,
            now: u64,
            back: u64,
        ) {
            let Ok(quota) = Quota::new(Rate::per_second(amount), burst) else {
                return Ok(());
            };
            let (next, decision) = quota.decide(arrival, now, cost);
            prop_assert!(next >= arrival || decision.allowed);
            let earlier = now.saturating_sub(back);
            let (_, then) = quota.decide(next, earlier, cost);
            let (_, later) = quota.decide(next, now, cost);
            prop_assert!(then.remaining <= later.remaining);
            prop_assert!(!then.allowed || later.allowed);
        }
    }
}
