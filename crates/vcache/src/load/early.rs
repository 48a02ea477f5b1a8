//! Probabilistic early recomputation: one of many readers recomputes before the time is over.

use std::time::Duration;

/// What −ln(u) never exceeds for the smallest u that 53 bits can say.
const LONGEST: f64 = 37.0;

/// Whether a reader at `now` should recompute a value that is fresh until `expiry`: true with
/// probability exp(−left / (`load_time` × `beta`)), and always once its time is over.
///
/// Readers that know nothing of each other so agree, mostly, on one of them that recomputes early,
/// and the slower the load the earlier. `random` is uniform in (0, 1]; `beta` is 1 unless measured
/// otherwise, more is earlier. A `beta` or `random` that is no positive number never recomputes
/// early. `now` and `expiry` count from the same origin.
///
/// Source: Vattani, Chierichetti, Lowenstein: "Optimal Probabilistic Cache Stampede Prevention",
/// VLDB 2015, figure 3 (XFetch): `now − delta × beta × ln(random) ≥ expiry`.
///
/// ```
/// use std::time::Duration;
/// use vcache::recompute_early;
///
/// let second = Duration::from_secs(1);
/// // e⁻² is 0.135: with a load of one second and two seconds left, one reader in seven recomputes.
/// assert!(recompute_early(8 * second, 10 * second, second, 1.0, 0.13));
/// assert!(!recompute_early(8 * second, 10 * second, second, 1.0, 0.14));
/// assert!(recompute_early(10 * second, 10 * second, second, 1.0, 1.0));
/// ```
#[must_use]
pub fn recompute_early(
    now: Duration,
    expiry: Duration,
    load_time: Duration,
    beta: f64,
    random: f64,
) -> bool {
    if now >= expiry {
        return true;
    }
    let left = expiry.saturating_sub(now);
    let usable = beta > 0.0 && beta.is_finite() && random > 0.0 && random <= 1.0;
    usable && -random.ln() * load_time.as_secs_f64() * beta >= left.as_secs_f64()
}

/// How long before its time is over a value may be recomputed at all.
pub(crate) fn reach(load_time: Duration, beta: f64) -> Duration {
    let reach = load_time.as_secs_f64() * beta.max(0.0) * LONGEST;
    Duration::try_from_secs_f64(reach).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    #[test]
    fn readers_recompute_as_often_as_the_paper_says() {
        let (random, load) = (Random::seeded(1), Duration::from_millis(100));
        for beta in [0.5, 1.0, 2.0] {
            for left in [10, 50, 100, 300, 600] {
                let expiry = Duration::from_millis(left);
                let early =
                    |_: &u32| recompute_early(Duration::ZERO, expiry, load, beta, random.unit());
                let share = f64::from(u32::try_from((0..100_000).filter(early).count()).unwrap());
                let share = share / 100_000.0;
                let expected = (-expiry.as_secs_f64() / (load.as_secs_f64() * beta)).exp();
                // Five standard deviations of a hundred thousand draws.
                let spread = 5.0 * (expected * (1.0 - expected) / 100_000.0).sqrt();
                assert!((share - expected).abs() <= spread, "{share} instead of {expected}");
            }
        }
    }

    #[test]
    fn what_is_no_number_never_recomputes_early() {
        let (now, expiry) = (Duration::ZERO, Duration::from_nanos(1));
        let load = Duration::from_secs(1);
        for (beta, random) in
            [(f64::NAN, 0.5), (-1.0, 0.5), (0.0, 0.5), (1.0, f64::NAN), (1.0, 0.0), (1.0, -1.0)]
        {
            assert!(!recompute_early(now, expiry, load, beta, random));
            assert!(recompute_early(expiry, expiry, load, beta, random));
        }
    }

    fn short() -> impl Strategy<Value = Duration> {
        (0_u64..10_000_000_000).prop_map(Duration::from_nanos)
    }

    proptest! {
        #[test]
        fn later_slower_and_luckier_recompute_rather(
            now in short(), more in short(), left in short(), load in short(),
            beta in 0.01..10.0_f64, random in 1e-16..=1.0_f64,
        ) {
            let expiry = now + left;
            let early = recompute_early(now, expiry, load, beta, random);
            if early {
                prop_assert!(recompute_early(now + more, expiry, load, beta, random));
                prop_assert!(recompute_early(now, expiry, load + more, beta, random));
                prop_assert!(recompute_early(now, expiry, load, beta, random / 2.0));
                prop_assert!(recompute_early(now, expiry, load, beta * 2.0, random));
                prop_assert!(left <= reach(load, beta));
            } else {
                prop_assert!(now < expiry);
            }
        }
    }
}
