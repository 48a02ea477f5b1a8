//! `Table`: the endpoints that may be picked, an immutable snapshot swapped by pointer.

use std::num::NonZeroU16;
use std::sync::Arc;

use tokio::time::Instant;

use crate::address::Address;
use crate::state::State;

/// The endpoints that may be picked now, by index.
///
/// It holds the eligible ones only (or, in panic, all that are not draining), so a policy cannot
/// pick a wrong one. Loads are live; everything else is fixed.
#[derive(Debug)]
pub struct Table {
    candidates: Box<[Candidate]>,
    /// Where each candidate's share of the total weight ends.
    ends: Box<[u32]>,
    stride: u32,
    /// Ejected endpoints whose time is over: one request each decides.
    pub(crate) trials: Box<[Arc<State>]>,
    /// When the next ejection is over.
    pub(crate) next_return: Option<Instant>,
    /// Whether marks are ignored because no endpoint is eligible.
    pub(crate) panic: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) state: Arc<State>,
    pub(crate) weight: NonZeroU16,
}

impl Table {
    pub(crate) fn new(candidates: Vec<Candidate>) -> Self {
        let ends = candidates.iter().scan(0u32, |sum, candidate| {
            *sum = sum.saturating_add(u32::from(candidate.weight.get()));
            Some(*sum)
        });
        let ends: Box<[u32]> = ends.collect();
        Self {
            stride: stride(ends.last().copied().unwrap_or(1)),
            ends,
            candidates: candidates.into(),
            trials: Box::default(),
            next_return: None,
            panic: false,
        }
    }

    /// How many endpoints there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Whether there is none. A policy is never asked about an empty table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The address of an endpoint; `None` past the end.
    #[must_use]
    pub fn address(&self, index: usize) -> Option<&Address> {
        self.candidates.get(index).map(|c| &c.state.address)
    }

    /// The weight of an endpoint; zero past the end.
    #[must_use]
    pub fn weight(&self, index: usize) -> u32 {
        self.candidates.get(index).map_or(0, |c| u32::from(c.weight.get()))
    }

    /// Requests in flight on an endpoint now, from everyone in this process; zero past the end.
    #[must_use]
    pub fn in_flight(&self, index: usize) -> u32 {
        self.candidates.get(index).map_or(0, |c| c.state.in_flight())
    }

    /// The sum of all weights.
    #[must_use]
    pub fn total_weight(&self) -> u32 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The endpoint that owns `point` when each owns as many points from 0 up to
    /// [`total_weight`](Self::total_weight) as it has weight. Costs O(log n).
    #[must_use]
    pub fn at_point(&self, point: u32) -> usize {
        self.ends.partition_point(|end| *end <= point)
    }

    /// A step along the points that visits each once a round and spreads every run of visits
    /// evenly: next to the total weight divided by the golden ratio, sharing no divisor with it.
    #[must_use]
    pub fn stride(&self) -> u32 {
        self.stride
    }

    pub(crate) fn state(&self, index: usize) -> Option<&Arc<State>> {
        self.candidates.get(index).map(|c| &c.state)
    }
}

/// Looks at the steps next to the golden one, and takes the most even of them.
fn stride(total: u32) -> u32 {
    // 2^32 divided by the golden ratio.
    let ideal = (u64::from(total) * 2_654_435_769) >> 32;
    let ideal = u32::try_from(ideal).unwrap_or(1);
    let near = ideal.saturating_sub(16).max(1)..=ideal.saturating_add(16).min(total);
    near.filter_map(|step| Some((unevenness(step, total)?, step))).min().map_or(1, |(_, step)| step)
}

/// The sum of the partial quotients of `step / total`, to which the unevenness of a walk is
/// proportional (Niederreiter 1978); `None` when the walk would leave points out.
const fn unevenness(step: u32, total: u32) -> Option<u32> {
    let (mut a, mut b, mut sum) = (step, total, 0);
    while a != 0 {
        sum += b / a;
        (a, b) = (b % a, a);
    }
    if b == 1 { Some(sum) } else { None }
}
