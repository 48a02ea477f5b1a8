//! `Decision`: whether a request passes, what is left, and how long to wait.

use std::time::Duration;

/// Whether a request passes, what is left, and how long to wait; all of the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the request passes; its cost is spent then, and nothing is spent otherwise.
    pub allowed: bool,
    /// The most units that the key can have: the quota's burst.
    pub limit: u32,
    /// Whole units that the key has left.
    pub remaining: u32,
    /// Until `remaining` grows by one; zero when nothing is spent.
    pub more_after: Duration,
    /// Until the key has its whole burst again.
    pub reset_after: Duration,
    /// Until the same request passes, if nobody else spends of the key; zero when it has passed,
    /// and `Duration::MAX` when it costs more than the burst and never will.
    pub retry_after: Duration,
}
