//! Coherence: what one process changes, the memories of the others drop.

#[cfg(feature = "redis")]
pub(crate) mod config;
#[cfg(feature = "redis")]
pub(crate) mod link;
#[cfg(feature = "redis")]
mod message;
#[cfg(feature = "redis")]
mod metrics;
#[cfg(feature = "redis")]
mod push;
#[cfg(feature = "redis")]
mod session;

#[cfg(feature = "redis")]
use crate::store::Outdated;

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "nobody to tell"))]
pub(crate) enum Invalidation<'a> {
    /// One key.
    Key(&'a str),
    /// All keys that begin so.
    Prefix(&'a str),
    /// All keys with a tag.
    Tag(&'a str),
    /// All keys that have any tag.
    Tagged,
    /// Everything.
    All,
}

#[cfg(feature = "redis")]
impl<'a> Invalidation<'a> {
    /// As stores are told of it.
    const fn outdated(self) -> Outdated<'a> {
        match self {
            Self::Key(key) => Outdated::Key(key),
            Self::Prefix(prefix) => Outdated::Prefix(prefix),
            Self::Tag(tag) => Outdated::Tag(tag),
            Self::Tagged => Outdated::Tagged,
            Self::All => Outdated::Everything,
        }
    }
}
