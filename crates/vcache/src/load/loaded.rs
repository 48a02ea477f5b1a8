//! A value with its own lifetimes, as a loader may return it.

use std::sync::Arc;
use std::time::Duration;

/// A value and how long it is good for; what is `None` is as the cache has it.
///
/// ```
/// use std::time::Duration;
/// use vcache::Loaded;
///
/// let price = Loaded::new(199)
///     .ttl(Duration::from_secs(60))
///     .stale_while_revalidate(Duration::from_secs(30))
///     .stale_if_error(Duration::from_secs(3600))
///     .tags(["product:7", "prices"]);
/// assert_eq!(price.value, 199);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Loaded<V> {
    /// The value.
    pub value: V,
    /// How long it is fresh. Zero keeps nothing; centuries are for ever.
    pub ttl: Option<Duration>,
    /// How long it stays since it was last returned. Zero keeps nothing; centuries are for ever.
    pub tti: Option<Duration>,
    /// How long after its TTL it is returned while one refresh runs behind.
    pub stale_while_revalidate: Option<Duration>,
    /// How long after its TTL it is returned when loading fails.
    pub stale_if_error: Option<Duration>,
    /// The tags by which it can be invalidated.
    pub tags: Vec<Arc<str>>,
    /// Whether it stays however short room is.
    pub pinned: bool,
}

impl<V> Loaded<V> {
    /// A value with the cache's own lifetimes and no tags.
    pub const fn new(value: V) -> Self {
        Self {
            value,
            ttl: None,
            tti: None,
            stale_while_revalidate: None,
            stale_if_error: None,
            tags: Vec::new(),
            pinned: false,
        }
    }

    /// Sets how long the value is fresh.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets how long the value stays since it was last returned. When that is over it is gone,
    /// whatever staleness is allowed.
    pub const fn tti(mut self, tti: Duration) -> Self {
        self.tti = Some(tti);
        self
    }

    /// Keeps the value however short room is.
    pub const fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// Sets how long after its TTL the value is returned while one refresh runs behind.
    pub const fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.stale_while_revalidate = Some(window);
        self
    }

    /// Sets how long after its TTL the value is returned when loading fails.
    pub const fn stale_if_error(mut self, window: Duration) -> Self {
        self.stale_if_error = Some(window);
        self
    }

    /// Adds tags. Each costs some 40 bytes and its length.
    pub fn tags<T: Into<Arc<str>>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}
