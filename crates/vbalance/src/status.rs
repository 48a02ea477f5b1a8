//! What is known of one endpoint's health: pure state machines, the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Up or down by active checks: so many in a row change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    up: bool,
    /// Results in a row that contradict `up`.
    against: u32,
}

impl Checked {
    /// An endpoint never checked counts as up.
    pub(crate) const UNKNOWN: Self = Self { up: true, against: 0 };

    pub(crate) const fn is_up(self) -> bool {
        self.up
    }

    /// Takes one result; says whether the endpoint changed between up and down.
    pub(crate) const fn observe(&mut self, good: bool, rise: u32, fall: u32) -> bool {
        if good == self.up {
            self.against = 0;
            return false;
        }
        self.against = self.against.saturating_add(1);
        let needed = if self.up { fall } else { rise };
        if self.against < needed {
            return false;
        }
        *self = Self { up: good, against: 0 };
        true
    }
}

/// The times of ejections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sentence {
    /// The first ejection's time; the n-th takes n times as long.
    pub(crate) base: Duration,
    /// No ejection takes longer.
    pub(crate) cap: Duration,
    /// For each such time without an ejection one is forgotten.
    pub(crate) forgive: Duration,
}

/// In or out by passive observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ejection {
    place: Place,
    /// Ejections not yet forgotten.
    count: u32,
    /// When the endpoint came back last.
    returned: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    In,
    /// Out until then.
    Out(Instant),
    /// Its time is over: one request decides.
    Trial,
}

impl Ejection {
    /// An endpoint never ejected.
    pub(crate) const NONE: Self = Self { place: Place::In, count: 0, returned: None };

    pub(crate) fn is_ejected(self) -> bool {
        self.place != Place::In
    }

    pub(crate) fn on_trial(self) -> bool {
        self.place == Place::Trial
    }

    /// When the ejection is over; `None` when there is none, or on trial.
    pub(crate) const fn until(self) -> Option<Instant> {
        match self.place {
            Place::Out(until) => Some(until),
            Place::In | Place::Trial => None,
        }
    }

    /// Ejects, and says for how long: base times count, capped, and up to a tenth longer by
    /// `random`, so that endpoints ejected together do not return together.
    pub(crate) fn eject(&mut self, now: Instant, sentence: Sentence, random: u64) -> Duration {
        self.forgive(now, sentence.forgive);
        self.count = self.count.saturating_add(1);
        let time = sentence.base.saturating_mul(self.count).min(sentence.cap);
        let tenth = u64::try_from(time.as_nanos() / 10).unwrap_or(u64::MAX);
        let time = time.saturating_add(Duration::from_nanos(random % tenth.max(1)));
        // Far beyond any cap that is of use; the clock cannot show more.
        let until = now.checked_add(time).unwrap_or(now);
        self.place = Place::Out(until);
        time
    }

    fn forgive(&mut self, now: Instant, each: Duration) {
        let Some(returned) = self.returned else {
            return;
        };
        let good = now.saturating_duration_since(returned).as_nanos();
        let forgiven = good / each.as_nanos().max(1);
        self.count = self.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
    }

    /// Puts an endpoint whose time is over on trial.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.until().is_some_and(|until| until <= now) {
            self.place = Place::Trial;
        }
    }

    /// Ends the ejection; says whether there was one.
    pub(crate) fn restore(&mut self, now: Instant) -> bool {
        let was = self.is_ejected();
        if was {
            self.place = Place::In;
            self.returned = Some(now);
        }
        was
    }
}

/// The three independent facts that make an endpoint eligible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// Asked to take no new requests.
    pub(crate) draining: bool,
    /// What active checks say.
    pub(crate) checked: Checked,
    /// What the outcomes of requests say.
    pub(crate) ejection: Ejection,
}

impl Status {
    /// A new endpoint: in.
    pub(crate) const NEW: Self =
        Self { draining: false, checked: Checked::UNKNOWN, ejection: Ejection::NONE };

    pub(crate) fn is_eligible(self) -> bool {
        !self.draining && self.checked.is_up() && !self.ejection.is_ejected()
    }

    pub(crate) fn awaits_trial(self) -> bool {
        !self.draining && self.checked.is_up() && self.ejection.on_trial()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: Sentence = Sentence {
        base: Duration::from_secs(10),
        cap: Duration::from_secs(25),
        forgive: Duration::from_secs(60),
    };

    #[test]
    fn it_falls_and_rises_only_by_results_in_a_row() {
        let mut checked = Checked::UNKNOWN;
        let mut feed = |results: &str| {
            results.chars().map(|c| checked.observe(c == '+', 2, 3)).collect::<Vec<_>>()
        };
        assert_eq!(feed("--+--"), [false; 5]);
        assert_eq!(feed("-"), [true]);
        assert_eq!(feed("+-+"), [false; 3]);
        assert_eq!(feed("+"), [true]);
        assert!(checked.is_up());
    }

    #[test]
    fn each_ejection_takes_longer_up_to_the_cap() {
        let now = Instant::now();
        let mut ejection = Ejection::NONE;
        for seconds in [10, 20, 25, 25] {
            let time = ejection.eject(now, SENTENCE, 0);
            assert_eq!(time, Duration::from_secs(seconds));
        }
        assert!(ejection.eject(now, SENTENCE, u64::MAX) < Duration::from_millis(27_500));
    }

    #[test]
    fn its_time_ends_in_a_trial_not_before() {
        let now = Instant::now();
        let mut ejection = Ejection::NONE;
        ejection.eject(now, SENTENCE, 0);
        ejection.tick(now + Duration::from_secs(10) - Duration::from_nanos(1));
        assert!(!ejection.on_trial());
        ejection.tick(now + Duration::from_secs(10));
        assert!(ejection.on_trial() && ejection.is_ejected());
        assert!(ejection.restore(now) && !ejection.is_ejected());
        assert!(!ejection.restore(now));
    }

    #[test]
    fn good_times_are_rewarded() {
        let now = Instant::now();
        let mut ejection = Ejection::NONE;
        ejection.eject(now, SENTENCE, 0);
        ejection.eject(now, SENTENCE, 0);
        ejection.restore(now);
        let mut soon = ejection;
        let time = soon.eject(now + Duration::from_secs(59), SENTENCE, 0);
        assert_eq!(time, Duration::from_secs(25));
        let time = ejection.eject(now + Duration::from_secs(120), SENTENCE, 0);
        assert_eq!(time, Duration::from_secs(10));
    }
}
