//! Lifetimes, of which the shorter counts.

use std::time::Duration;

/// The shorter of two times, `None` being for ever.
pub(super) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
