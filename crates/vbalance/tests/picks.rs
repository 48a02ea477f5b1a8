//! Whatever happens to the endpoints, no policy picks one that must not be picked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use vbalance::{Config, Outcome, Pick, Policy, Table, Upstream};

#[derive(Debug, Clone)]
enum Event {
    Pick(Option<Outcome>),
    Drain(usize, bool),
    Replace(Vec<bool>),
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop_oneof![
        Just(None),
        Just(Some(Outcome::Success)),
        Just(Some(Outcome::BadAnswer)),
        Just(Some(Outcome::Unreachable)),
    ];
    prop_oneof![
        20 => outcome.prop_map(Event::Pick),
        2 => (0usize..6, any::<bool>()).prop_map(|(index, drain)| Event::Drain(index, drain)),
        1 => vec(any::<bool>(), 6).prop_map(Event::Replace),
    ]
}

fn url(index: usize) -> String {
    format!("http://h{index}:1")
}

fn upstream(policy: Policy) -> Upstream {
    let config = Config {
        endpoints: (0..6).map(|index| url(index).parse().unwrap()).collect(),
        policy,
        ..Config::default()
    };
    Upstream::builder("test").config(config).build().unwrap()
}

fn pick(upstream: &Upstream, outcome: Option<Outcome>) {
    let before = upstream.status();
    let Some(mut lease) = upstream.pick() else {
        assert!(before.endpoints.iter().all(|e| e.draining));
        return;
    };
    let picked = before.endpoints.iter().find(|e| e.url == *lease.address());
    let picked = picked.unwrap();
    assert!(!picked.draining, "{picked:?}");
    assert!(before.panic || !picked.ejected, "{picked:?}");
    if let Some(outcome) = outcome {
        lease.report(outcome);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No trial comes up here: the clock does not reach the end of an ejection.
    #[test]
    fn only_eligible_endpoints_are_picked(events in vec(event(), 1..300)) {
        for policy in [Policy::RoundRobin, Policy::WeightedRoundRobin, Policy::P2c] {
            let upstream = upstream(policy);
            for event in &events {
                match event {
                    Event::Pick(outcome) => pick(&upstream, *outcome),
                    Event::Drain(index, drain) => {
                        upstream.drain(&url(*index).parse().unwrap(), *drain);
                    }
                    Event::Replace(keep) => {
                        let kept = (0..6).filter(|index| keep[*index]);
                        // None at all is refused, and nothing changes.
                        let _ = upstream.replace(kept.map(|i| url(i).parse().unwrap()).collect());
                    }
                }
            }
            let status = upstream.status();
            let present = || status.endpoints.iter().filter(|e| !e.draining);
            prop_assert!(status.endpoints.iter().all(|e| e.in_flight == 0));
            let none_left = present().next().is_some() && present().all(|e| e.ejected);
            prop_assert_eq!(status.panic, none_left);
        }
    }
}

#[derive(Debug)]
struct Last;

impl Pick for Last {
    fn pick(&self, table: &Table) -> usize {
        // One past the end, which counts modulo the length, would be the first.
        table.len() - 1
    }
}

#[test]
fn a_policy_of_one_s_own_is_asked() {
    let config = Config {
        endpoints: vec!["a:1".parse().unwrap(), "b:1".parse().unwrap()],
        ..Config::default()
    };
    let upstream = Upstream::builder("test").config(config).pick(Last);
    let upstream = upstream.build().unwrap();
    assert_eq!(upstream.pick().unwrap().address().url(), "http://b:1");
}
