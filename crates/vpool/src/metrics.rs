//! Names, units and handles of the metrics; silent twins without the feature `metrics`.

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Meters;
#[cfg(feature = "metrics")]
pub(crate) use on::Meters;

/// How many connections are in which state, and how many wait, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) idle: usize,
    pub(crate) in_use: usize,
    pub(crate) connecting: usize,
    pub(crate) waiting: usize,
}

/// How asking for a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With one that was there.
    Reused,
    /// With a fresh one.
    Opened,
    /// Nothing became free in time.
    WaitTimeout,
    /// Opening or checking took too long.
    ConnectTimeout,
    /// Opening failed.
    Failed,
    /// Too many waited already.
    #[cfg_attr(
        not(feature = "http"),
        expect(dead_code, reason = "only the HTTP client bounds who waits")
    )]
    Busy,
    /// The pool was closed.
    Closed,
}

/// Why a connection was let go of by the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It was idle for too long.
    Idle,
    /// It was too old.
    Lifetime,
    /// It failed its check.
    Check,
}

#[cfg(feature = "metrics")]
mod on {
    use std::time::Duration;

    use metrics::{
        Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge,
        describe_histogram, gauge, histogram,
    };
    use tokio::time::Instant;

    use super::{Cause, Census, Outcome};

    const CONNECTIONS: &str = "vpool_connections";
    const WAITING: &str = "vpool_waiting";
    const WAIT: &str = "vpool_wait_seconds";
    const GETS: &str = "vpool_gets_total";
    const RETIRED: &str = "vpool_retired_total";

    /// The handles of one pool, taken once when it is built.
    #[derive(Clone)]
    pub(crate) struct Meters {
        states: [Gauge; 3],
        waiting: Gauge,
        wait: Histogram,
        gets: [Counter; 7],
        retired: [Counter; 3],
    }

    impl std::fmt::Debug for Meters {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Meters").finish_non_exhaustive()
        }
    }

    impl Meters {
        pub(crate) fn new(pool: &str) -> Self {
            describe_gauge!(CONNECTIONS, Unit::Count, "Connections, by state.");
            describe_gauge!(WAITING, Unit::Count, "Callers that wait for a connection.");
            describe_histogram!(WAIT, Unit::Seconds, "Time to get a connection, opening included.");
            describe_counter!(GETS, Unit::Count, "Connections asked for, by outcome.");
            describe_counter!(RETIRED, Unit::Count, "Connections let go of, by cause.");
            let pool = || pool.to_owned();
            let state = |state| gauge!(CONNECTIONS, "pool" => pool(), "state" => state);
            let get = |outcome| counter!(GETS, "pool" => pool(), "outcome" => outcome);
            let retired = |cause| counter!(RETIRED, "pool" => pool(), "cause" => cause);
            Self {
                states: ["idle", "in-use", "connecting"].map(state),
                waiting: gauge!(WAITING, "pool" => pool()),
                wait: histogram!(WAIT, "pool" => pool()),
                gets: [
                    "reused",
                    "opened",
                    "wait-timeout",
                    "connect-timeout",
                    "failed",
                    "busy",
                    "closed",
                ]
                .map(get),
                retired: ["idle", "lifetime", "check"].map(retired),
            }
        }

        /// The census went from `before` to `after`. Differences, so that the books of many
        /// origins add up in one gauge.
        pub(crate) fn moved(&self, before: Census, after: Census) {
            let [idle, in_use, connecting] = &self.states;
            shift(idle, before.idle, after.idle);
            shift(in_use, before.in_use, after.in_use);
            shift(connecting, before.connecting, after.connecting);
            shift(&self.waiting, before.waiting, after.waiting);
        }

        /// The moment, for `wait`.
        pub(crate) fn began() -> Option<Instant> {
            Some(Instant::now())
        }

        /// Somebody asked for a connection and this was the outcome after `wait`.
        pub(crate) fn got(&self, outcome: Outcome, wait: Duration) {
            self.wait.record(wait.as_secs_f64());
            let index = match outcome {
                Outcome::Reused => 0,
                Outcome::Opened => 1,
                Outcome::WaitTimeout => 2,
                Outcome::ConnectTimeout => 3,
                Outcome::Failed => 4,
                Outcome::Busy => 5,
                Outcome::Closed => 6,
            };
            if let Some(counter) = self.gets.get(index) {
                counter.increment(1);
            }
        }

        /// A connection was let go of.
        pub(crate) fn retired(&self, cause: Cause) {
            let [idle, lifetime, check] = &self.retired;
            match cause {
                Cause::Idle => idle.increment(1),
                Cause::Lifetime => lifetime.increment(1),
                Cause::Check => check.increment(1),
            }
        }
    }

    fn shift(gauge: &Gauge, before: usize, after: usize) {
        if after > before {
            gauge.increment(float(after - before));
        } else if before > after {
            gauge.decrement(float(before - after));
        }
    }

    fn float(count: usize) -> f64 {
        f64::from(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Cause, Census, Outcome};

    #[derive(Clone, Debug)]
    pub(crate) struct Meters;

    #[expect(clippy::unused_self, reason = "the twin of the one that measures")]
    impl Meters {
        pub(crate) const fn new(_pool: &str) -> Self {
            Self
        }

        pub(crate) const fn moved(&self, _before: Census, _after: Census) {}

        pub(crate) const fn began() -> Option<Instant> {
            None
        }

        pub(crate) const fn got(&self, _outcome: Outcome, _wait: Duration) {}

        pub(crate) const fn retired(&self, _cause: Cause) {}
    }
}
