//! The figures of the tiers below memory, for people.

#[cfg(any(feature = "disk", feature = "redis"))]
use std::time::SystemTime;

#[cfg(any(feature = "disk", feature = "redis"))]
use crate::http::tiers::inner::Inner;
#[cfg(any(feature = "disk", feature = "redis"))]
use crate::http::tiers::metrics::{Read, Write};

/// Figures of the tiers below an HTTP cache's memory; the counters run since it was built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TiersStats {
    /// Each tier, the nearest first.
    pub tiers: Vec<TierState>,
    /// Whether all purges of other gateways are known; always, where there are none.
    pub in_touch: bool,
    /// Bytes of responses that wait to be written.
    pub waiting_bytes: u64,
    /// Misses of all gateways that this one fetched for all.
    pub led: u64,
    /// Misses that another gateway fetched for this one.
    pub shared: u64,
    /// Misses that this one fetched for itself, though gateways share fetches: Redis was away, or
    /// the other took too long or had nothing to share.
    pub alone: u64,
}

/// Figures of one tier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TierState {
    /// `disk` or `redis`.
    pub name: &'static str,
    /// Why there is none, if it could not be opened.
    pub absent: Option<String>,
    /// Look-ups that found a response.
    pub hits: u64,
    /// Look-ups that found none.
    pub misses: u64,
    /// Look-ups that found one that was purged.
    pub purged: u64,
    /// Look-ups that found what is no response of this version.
    pub damaged: u64,
    /// Look-ups that failed, or took too long.
    pub errors: u64,
    /// Look-ups that were not made, because the tier had just failed, this process was out of
    /// touch with the others, or something newer was about to be written.
    pub skipped: u64,
    /// Responses written.
    pub written: u64,
    /// Responses that could not be written.
    pub failed: u64,
    /// Responses that were not written because too many waited.
    pub dropped: u64,
    /// Responses too large for the tier.
    pub too_large: u64,
    /// Responses that were purged, or written by another, before their turn came.
    pub overtaken: u64,
}

#[cfg(any(feature = "disk", feature = "redis"))]
impl Inner {
    pub(super) fn stats(&self, now: SystemTime) -> TiersStats {
        let absent = self.absent.iter().map(|(name, why)| TierState {
            name,
            absent: Some(why.clone()),
            ..TierState::default()
        });
        let present = self.shelves.iter().map(|shelf| {
            let (read, write) = (|of| shelf.figures.reads(of), |of| shelf.figures.writes(of));
            TierState {
                name: shelf.name(),
                absent: None,
                hits: read(Read::Hit),
                misses: read(Read::Miss),
                purged: read(Read::Purged),
                damaged: read(Read::Damaged),
                errors: read(Read::Error),
                skipped: read(Read::Skipped),
                written: write(Write::Written),
                failed: write(Write::Failed),
                dropped: write(Write::Dropped),
                too_large: write(Write::TooLarge),
                overtaken: write(Write::Overtaken),
            }
        });
        let [led, shared, alone] = self.meters.fleet();
        TiersStats {
            tiers: absent.chain(present).collect(),
            in_touch: self.trust.is_in_touch(now),
            waiting_bytes: self.desk.bytes(),
            led,
            shared,
            alone,
        }
    }
}
