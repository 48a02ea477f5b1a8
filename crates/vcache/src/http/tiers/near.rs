//! What the tiers below need of the memory above them.

use std::time::{Duration, SystemTime};

use crate::http::generation::Ticket;
use crate::http::key::Key;
use crate::http::policy::Early;
#[cfg(feature = "redis")]
use crate::http::purge::{Fate, Pattern};
use crate::http::tags::Tag;

/// The memory of the cache.
#[cfg_attr(
    not(any(feature = "disk", feature = "redis")),
    expect(dead_code, reason = "there are no tiers that could need it")
)]
pub(crate) trait Near: Send + Sync {
    /// The cache's name.
    #[cfg(feature = "redis")]
    fn name(&self) -> &str;

    fn now(&self) -> SystemTime;

    /// How long what can be validated is kept past its lifetime.
    fn keep_stale(&self) -> Duration;

    /// How early fresh responses are refreshed.
    fn early(&self) -> Early;

    /// Whether nothing of what the ticket is for was purged since it was taken.
    fn is_current(&self, ticket: Ticket, key: &Key, tags: &[Tag]) -> bool;

    /// Whether there is anything under `key`.
    fn has(&self, key: &Key) -> bool;

    /// Purges what the pattern means.
    #[cfg(feature = "redis")]
    fn apply(&self, pattern: &Pattern, fate: Fate);
}
