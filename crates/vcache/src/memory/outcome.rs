//! What a step on one entry is to do, and what it did.

use super::keep::Keep;

/// What [`Memory::compute`](crate::Memory::compute) and its like are to do with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op<V> {
    /// Leave it as it is. Not a use.
    Nop,
    /// Store a value for the cache's default times. What was pinned stays pinned.
    Put(V),
    /// Store a value for times of its own.
    PutWith(V, Keep),
    /// Remove it.
    Remove,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome<V> {
    /// Nothing was there, and nothing is.
    Absent,
    /// It is as it was.
    Unchanged(V),
    /// A value is there now, and none was.
    Inserted(V),
    /// A value took another's place.
    Replaced {
        /// The value that was there.
        old: V,
        /// The one that is there.
        new: V,
    },
    /// This value was there and is no longer.
    Removed(V),
    /// The value was not stored, being too heavy or its time over before it began; what was
    /// there is gone.
    Refused {
        /// The value that was not stored.
        value: V,
        /// The one that was there.
        old: Option<V>,
    },
}

impl<V> Outcome<V> {
    /// The value that is there now.
    #[must_use]
    pub fn into_value(self) -> Option<V> {
        match self {
            Self::Unchanged(value) | Self::Inserted(value) | Self::Replaced { new: value, .. } => {
                Some(value)
            }
            Self::Absent | Self::Removed(_) | Self::Refused { .. } => None,
        }
    }

    /// The value that was there before.
    #[must_use]
    pub fn into_old(self) -> Option<V> {
        match self {
            Self::Unchanged(old) | Self::Replaced { old, .. } | Self::Removed(old) => Some(old),
            Self::Refused { old, .. } => old,
            Self::Absent | Self::Inserted(_) => None,
        }
    }

    /// What was made of the value before.
    pub(crate) fn of(done: Done, old: Option<V>, new: Option<V>) -> Self {
        match (done, old, new) {
            (Done::Refused, old, Some(value)) => Self::Refused { value, old },
            (_, Some(old), Some(new)) => Self::Replaced { old, new },
            (_, None, Some(new)) => Self::Inserted(new),
            (Done::Removed, Some(old), None) => Self::Removed(old),
            (_, Some(old), None) => Self::Unchanged(old),
            (_, None, None) => Self::Absent,
        }
    }
}

impl<V: Clone> Op<V> {
    /// The value to be stored.
    pub(crate) fn put(&self) -> Option<V> {
        match self {
            Self::Put(value) | Self::PutWith(value, _) => Some(value.clone()),
            Self::Nop | Self::Remove => None,
        }
    }
}

/// What was done with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    Stored,
    Refused,
    Removed,
}
