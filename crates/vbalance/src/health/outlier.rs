//! Passive ejection: streaks of failed requests put an endpoint out, one request brings it back.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::OutlierConfig;
use crate::random;
use crate::set::{Counts, Set};
use crate::state::State;
use crate::status::{Sentence, Status};

/// How a request went at its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A good answer began.
    Reached,
    /// A good answer ended.
    Success,
    /// The answer was bad, or broke off.
    BadAnswer,
    /// There was no answer: not connected, closed before it, timed out.
    Unreachable,
}

/// Whether a success may end an ejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chance {
    /// An ordinary request: it may have been sent long before the ejection.
    None,
    /// The one request of a trial; its failure ejects again.
    Trial,
    /// Sent in panic, while marks are ignored.
    Panic,
}

/// The rules of passive ejection.
#[derive(Debug)]
pub(crate) struct Outlier {
    config: OutlierConfig,
}

impl Outlier {
    pub(crate) const fn new(config: OutlierConfig) -> Self {
        Self { config }
    }

    pub(crate) const fn config(&self) -> &OutlierConfig {
        &self.config
    }

    /// Takes one outcome. Costs two relaxed loads when all is well.
    pub(crate) fn observe(&self, set: &Set, state: &State, outcome: Outcome, chance: Chance) {
        match outcome {
            Outcome::Reached => state.unreachable.reset(),
            Outcome::Success => {
                state.unreachable.reset();
                state.bad.reset();
            }
            Outcome::BadAnswer => {
                let broken = state.bad.grow() >= self.config.bad_answers;
                return self.fail(set, state, broken, chance);
            }
            Outcome::Unreachable => {
                let gone = state.unreachable.grow() >= self.config.unreachable;
                return self.fail(set, state, gone, chance);
            }
        }
        if chance != Chance::None && state.is_ejected() {
            restore(set, state);
        }
    }

    fn fail(&self, set: &Set, state: &State, enough: bool, chance: Chance) {
        state.failed();
        if !self.config.enabled || !(enough || chance == Chance::Trial) {
            return;
        }
        let now = Instant::now();
        let verdict =
            set.change(&state.address, now, |status, counts| self.judge(status, counts, now));
        match verdict {
            Some(Verdict::Eject(time)) => {
                state.unreachable.reset();
                state.bad.reset();
                state.meters.ejected();
                let (upstream, endpoint) = (&*set.name, &**state.address.name());
                tracing::warn!(upstream, endpoint, ?time, "endpoint ejected");
            }
            Some(Verdict::Refuse) => set.meters.refused(),
            Some(Verdict::Nothing) | None => {}
        }
    }

    fn judge(&self, status: &mut Status, counts: Counts, now: Instant) -> Verdict {
        if status.ejection.on_trial() {
            return Verdict::Eject(self.eject(status, now));
        }
        // Out already, by whatever mark: a late failure says nothing new.
        if !status.is_eligible() {
            return Verdict::Nothing;
        }
        let room = counts.all * usize::from(self.config.max_ejected) / 100;
        if counts.ejected >= room || counts.eligible <= self.config.min_healthy {
            return Verdict::Refuse;
        }
        Verdict::Eject(self.eject(status, now))
    }

    fn eject(&self, status: &mut Status, now: Instant) -> Duration {
        let sentence =
            Sentence { base: self.config.base, cap: self.config.cap, forgive: self.config.forgive };
        status.ejection.eject(now, sentence, random::next())
    }
}

enum Verdict {
    Eject(Duration),
    Refuse,
    Nothing,
}

/// Ends the ejection of an endpoint that has just shown that it works.
pub(crate) fn restore(set: &Set, state: &State) {
    let now = Instant::now();
    let restored = set.change(&state.address, now, |status, _| status.ejection.restore(now));
    if restored == Some(true) {
        let (upstream, endpoint) = (&*set.name, &**state.address.name());
        tracing::info!(upstream, endpoint, "endpoint is back");
    }
}
