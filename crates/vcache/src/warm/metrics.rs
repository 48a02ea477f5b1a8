//! What warmers report through the `metrics` facade; with the feature off, twins that do nothing.

#[cfg(not(feature = "metrics"))]
pub(super) use off::{PatternMeters, RoundMeters};
#[cfg(feature = "metrics")]
pub(super) use on::{PatternMeters, RoundMeters};

#[cfg(feature = "metrics")]
mod on {
    use std::time::Duration;

    use metrics::{
        Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram,
    };

    use crate::warm::target::Warmed;

    const KEYS: &str = "vcache_warm_keys_total";
    const FAILURES: &str = "vcache_warm_pattern_failures_total";
    const ROUNDS: &str = "vcache_warm_rounds_total";
    const TIME: &str = "vcache_warm_round_seconds";

    /// The handles of one pattern.
    pub(crate) struct PatternMeters {
        loaded: Counter,
        skipped: Counter,
        failed: Counter,
        not_made: Counter,
    }

    impl PatternMeters {
        pub(crate) fn new(warmer: &str, pattern: &str) -> Self {
            describe_counter!(KEYS, Unit::Count, "Keys that were to be warmed, by outcome.");
            describe_counter!(FAILURES, Unit::Count, "Patterns that could not make their keys.");
            let keys = |outcome: &'static str| counter!(KEYS, "warmer" => warmer.to_owned(), "pattern" => pattern.to_owned(), "outcome" => outcome);
            Self {
                loaded: keys("loaded"),
                skipped: keys("skipped"),
                failed: keys("failed"),
                not_made: counter!(FAILURES, "warmer" => warmer.to_owned(), "pattern" => pattern.to_owned()),
            }
        }

        pub(crate) fn done(&self, done: Option<Warmed>) {
            let counter = match done {
                Some(Warmed::Loaded) => &self.loaded,
                Some(Warmed::Skipped) => &self.skipped,
                None => &self.failed,
            };
            counter.increment(1);
        }

        pub(crate) fn not_made(&self) {
            self.not_made.increment(1);
        }
    }

    /// The handles of one warmer.
    pub(crate) struct RoundMeters {
        rounds: Counter,
        time: Histogram,
    }

    impl RoundMeters {
        pub(crate) fn new(warmer: &str) -> Self {
            describe_counter!(ROUNDS, Unit::Count, "Rounds of warming that are over.");
            describe_histogram!(TIME, Unit::Seconds, "How long rounds of warming took.");
            Self {
                rounds: counter!(ROUNDS, "warmer" => warmer.to_owned()),
                time: histogram!(TIME, "warmer" => warmer.to_owned()),
            }
        }

        pub(crate) fn ended(&self, took: Duration) {
            self.rounds.increment(1);
            self.time.record(took);
        }
    }
}

#[cfg(not(feature = "metrics"))]
#[expect(clippy::unused_self, reason = "twins of methods that use it")]
mod off {
    use std::time::Duration;

    use crate::warm::target::Warmed;

    pub(crate) struct PatternMeters;

    impl PatternMeters {
        pub(crate) const fn new(_warmer: &str, _pattern: &str) -> Self {
            Self
        }
        pub(crate) const fn done(&self, _done: Option<Warmed>) {}
        pub(crate) const fn not_made(&self) {}
    }

    pub(crate) struct RoundMeters;

    impl RoundMeters {
        pub(crate) const fn new(_warmer: &str) -> Self {
            Self
        }
        pub(crate) const fn ended(&self, _took: Duration) {}
    }
}
