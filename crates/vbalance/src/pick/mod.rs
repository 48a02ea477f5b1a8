//! `Pick`: the policy that chooses an endpoint; a file each.

use std::fmt;

use crate::table::Table;

mod p2c;
mod round_robin;
mod weighted_round_robin;

pub use p2c::P2c;
pub use round_robin::RoundRobin;
pub use weighted_round_robin::WeightedRoundRobin;

/// Chooses one endpoint of a table.
///
/// It is called once a try, from many threads at a time, and must not block or allocate. The
/// table is never empty and holds eligible endpoints only. An index past its end counts modulo
/// its length.
pub trait Pick: fmt::Debug + Send + Sync + 'static {
    /// The index of the endpoint to use.
    fn pick(&self, table: &Table) -> usize;
}

/// The policies that a configuration can name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Policy {
    /// Each in turn, weights ignored. Blind: a slow endpoint keeps its full share.
    RoundRobin,
    /// Each in turn, as often as its weight, well spread. Blind like `round_robin`.
    WeightedRoundRobin,
    /// The less loaded of two drawn at random by weight. The default: it notices slow endpoints
    /// by the requests that pile up there.
    #[default]
    P2c,
}

impl Policy {
    /// The policy's name, as in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::WeightedRoundRobin => "weighted_round_robin",
            Self::P2c => "p2c",
        }
    }

    pub(crate) fn build(self) -> Box<dyn Pick> {
        match self {
            Self::RoundRobin => Box::new(RoundRobin::new()),
            Self::WeightedRoundRobin => Box::new(WeightedRoundRobin::new()),
            Self::P2c => Box::new(P2c::new()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::num::NonZeroU16;
    use std::sync::Arc;

    use super::*;
    use crate::state::State;
    use crate::table::Candidate;

    /// A table of endpoints with these weights and requests in flight.
    pub(crate) fn table(endpoints: &[(u16, u32)]) -> Table {
        let candidate = |(index, (weight, in_flight)): (usize, &(u16, u32))| {
            let state = State::new("test", format!("h{index}:1").parse().unwrap());
            (0..*in_flight).for_each(|_| state.enter());
            Candidate { state: Arc::new(state), weight: NonZeroU16::new(*weight).unwrap() }
        };
        Table::new(endpoints.iter().enumerate().map(candidate).collect())
    }

    /// How often each endpoint is picked.
    pub(crate) fn shares(pick: &dyn Pick, table: &Table, picks: u32) -> Vec<u32> {
        let mut shares = vec![0; table.len()];
        for _ in 0..picks {
            shares[pick.pick(table)] += 1;
        }
        shares
    }
}
