//! Why an entry left a cache.

/// Why an entry left a cache.
///
/// Every entry that was stored leaves for exactly one of them, but for [`Refused`](Self::Refused):
/// that is the cause of what was not stored at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A newer value took its place.
    Replaced,
    /// Others needed the room.
    Room,
    /// The cache was made smaller.
    Resized,
    /// Its time to live was over.
    Expired,
    /// Nobody had asked for it for its time to idle.
    Idle,
    /// A caller removed its key.
    Removed,
    /// One of its tags had been invalidated.
    Tag,
    /// A caller removed all keys with its beginning.
    Prefix,
    /// A caller's predicate did not keep it.
    Predicate,
    /// A caller removed everything.
    Cleared,
    /// It was never stored: it is heavier than the bound, its time was over before it began, or
    /// no room could be made.
    Refused,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 11] = [
        Self::Replaced,
        Self::Room,
        Self::Resized,
        Self::Expired,
        Self::Idle,
        Self::Removed,
        Self::Tag,
        Self::Prefix,
        Self::Predicate,
        Self::Cleared,
        Self::Refused,
    ];

    /// The cause in a word, as the label of a metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Room => "room",
            Self::Resized => "resized",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Removed => "removed",
            Self::Tag => "tag",
            Self::Prefix => "prefix",
            Self::Predicate => "predicate",
            Self::Cleared => "cleared",
            Self::Refused => "refused",
        }
    }

    /// Whether it left for want of room.
    #[must_use]
    pub const fn is_eviction(self) -> bool {
        matches!(self, Self::Room | Self::Resized)
    }

    /// Whether its time was over.
    #[must_use]
    pub const fn is_expiration(self) -> bool {
        matches!(self, Self::Expired | Self::Idle)
    }

    /// Its place among [`ALL`](Self::ALL).
    pub(crate) const fn number(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_stands_at_its_number() {
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.number(), number);
        }
        let names: std::collections::HashSet<_> = Cause::ALL.map(Cause::name).into();
        assert_eq!(names.len(), Cause::ALL.len());
    }
}
