//! Endpoints that fail real requests are left out for a while, and come back through a trial.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::time::Duration;

use tokio::time::advance;
use vbalance::{
    Address, Builder, Config, Endpoint, EndpointStatus, EndpointsError, Lease, Outcome,
    OutlierConfig, Policy, Upstream,
};

const A: &str = "http://a:1";
const B: &str = "http://b:1";

fn builder(urls: &[&str], outlier: OutlierConfig) -> Builder {
    let config = Config {
        endpoints: urls.iter().map(|url| url.parse().unwrap()).collect(),
        policy: Policy::RoundRobin,
        outlier,
        ..Config::default()
    };
    Upstream::builder("test").config(config)
}

fn upstream(urls: &[&str]) -> Upstream {
    builder(urls, OutlierConfig::default()).build().unwrap()
}

/// A place at this very endpoint, whatever the turn.
fn at(upstream: &Upstream, url: &str) -> Lease {
    (0..20)
        .filter_map(|_| upstream.pick())
        .find(|lease| lease.address().url() == url)
        .unwrap_or_else(|| panic!("{url} is not picked"))
}

fn fail(upstream: &Upstream, url: &str, outcome: Outcome, times: u32) {
    for _ in 0..times {
        at(upstream, url).report(outcome);
    }
}

fn picks(upstream: &Upstream, url: &str) -> usize {
    (0..100).filter_map(|_| upstream.pick()).filter(|lease| lease.address().url() == url).count()
}

fn status(upstream: &Upstream, url: &str) -> EndpointStatus {
    let all = upstream.status().endpoints;
    all.into_iter().find(|e| e.url.url() == url).unwrap()
}

#[tokio::test(start_paused = true)]
async fn three_unreachable_or_five_bad_in_a_row_eject() {
    for (outcome, enough) in [(Outcome::Unreachable, 3), (Outcome::BadAnswer, 5)] {
        let upstream = upstream(&[A, B]);
        fail(&upstream, A, outcome, enough - 1);
        assert!(!status(&upstream, A).ejected);
        at(&upstream, A).report(Outcome::Success);
        fail(&upstream, A, outcome, enough - 1);
        assert!(!status(&upstream, A).ejected, "a success ends a streak");
        fail(&upstream, A, outcome, 1);
        assert!(status(&upstream, A).ejected);
        assert_eq!(picks(&upstream, A), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_request_is_no_sample() {
    let upstream = upstream(&[A, B]);
    for _ in 0..50 {
        drop(at(&upstream, A));
    }
    fail(&upstream, A, Outcome::Unreachable, 2);
    drop(at(&upstream, A));
    assert!(!status(&upstream, A).ejected);
    assert_eq!(status(&upstream, A).failures, 2);
}

#[tokio::test(start_paused = true)]
async fn half_at_most_are_out_and_one_always_stays() {
    let upstream = upstream(&[A, B, "http://c:1"]);
    for url in [A, B, "http://c:1"] {
        fail(&upstream, url, Outcome::Unreachable, 3);
    }
    let out = |u: &Upstream| u.status().endpoints.iter().filter(|e| e.ejected).count();
    assert_eq!(out(&upstream), 1, "half of three, rounded down");

    let all = OutlierConfig { max_ejected: 100, ..OutlierConfig::default() };
    let upstream = builder(&[A, B], all).build().unwrap();
    fail(&upstream, A, Outcome::Unreachable, 3);
    fail(&upstream, B, Outcome::Unreachable, 9);
    assert_eq!(out(&upstream), 1);
    assert_eq!(picks(&upstream, B), 100);
}

#[tokio::test(start_paused = true)]
async fn it_returns_through_one_request() {
    let upstream = upstream(&[A, B]);
    fail(&upstream, A, Outcome::Unreachable, 3);
    // Five seconds and up to a tenth.
    advance(Duration::from_secs(5) - Duration::from_nanos(1)).await;
    assert_eq!(picks(&upstream, A), 0);
    advance(Duration::from_millis(501)).await;
    let mut trial = upstream.pick().unwrap();
    assert_eq!(trial.address().url(), A);
    assert_eq!(picks(&upstream, A), 0, "one request at a time");
    trial.report(Outcome::Reached);
    assert!(!status(&upstream, A).ejected);
    assert_eq!(picks(&upstream, A), 50);
}

#[tokio::test(start_paused = true)]
async fn a_failed_trial_puts_it_out_for_longer() {
    let upstream = upstream(&[A, B]);
    fail(&upstream, A, Outcome::Unreachable, 3);
    advance(Duration::from_millis(5_501)).await;
    upstream.pick().unwrap().report(Outcome::BadAnswer);
    let left = status(&upstream, A).ejected_for.unwrap();
    assert!(left >= Duration::from_secs(10), "{left:?}");
    advance(Duration::from_secs(10) - Duration::from_nanos(1)).await;
    assert_eq!(picks(&upstream, A), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_trial_leaves_the_decision_to_the_next() {
    let upstream = upstream(&[A, B]);
    fail(&upstream, A, Outcome::Unreachable, 3);
    advance(Duration::from_millis(5_501)).await;
    drop(upstream.pick().unwrap());
    assert!(status(&upstream, A).ejected);
    let trial = upstream.pick().unwrap();
    assert_eq!(trial.address().url(), A);
}

#[tokio::test(start_paused = true)]
async fn a_late_success_does_not_end_an_ejection() {
    let upstream = upstream(&[A, B]);
    let mut late = at(&upstream, A);
    fail(&upstream, A, Outcome::Unreachable, 3);
    late.report(Outcome::Success);
    assert!(status(&upstream, A).ejected);
}

#[tokio::test(start_paused = true)]
async fn marks_outlive_a_change_of_the_endpoints() {
    let upstream = upstream(&[A, B]);
    fail(&upstream, A, Outcome::Unreachable, 3);
    let held = at(&upstream, B);
    let endpoints: Vec<Endpoint> = ["c:1", "b:1", "a:1"].map(|u| u.parse().unwrap()).into();
    upstream.replace(endpoints).unwrap();
    assert!(status(&upstream, A).ejected);
    assert_eq!(status(&upstream, B).in_flight, 1);
    drop(held);
    assert_eq!(status(&upstream, B).in_flight, 0);

    let next = builder(&[A, B], OutlierConfig::default());
    let next = next.take_over(&upstream).build().unwrap();
    assert!(status(&next, A).ejected);
    assert_eq!(picks(&next, A), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_changes_nothing() {
    let upstream = upstream(&[A, B]);
    assert_eq!(upstream.replace(Vec::new()), Err(EndpointsError::Empty));
    let twice = vec!["a:1".parse().unwrap(), "http://A:1/".parse().unwrap()];
    let address: Address = A.parse().unwrap();
    assert_eq!(upstream.replace(twice), Err(EndpointsError::Duplicate(address)));
    assert_eq!(upstream.status().endpoints.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_draining_endpoint_takes_nothing_new() {
    let upstream = upstream(&[A, B]);
    let held = at(&upstream, A);
    let a = A.parse().unwrap();
    assert!(upstream.drain(&a, true));
    assert_eq!(picks(&upstream, A), 0);
    assert_eq!(status(&upstream, A).in_flight, 1);
    drop(held);
    upstream.drain(&B.parse().unwrap(), true);
    assert!(upstream.pick().is_none());
    upstream.drain(&a, false);
    assert_eq!(picks(&upstream, A), 100);
    assert!(!upstream.drain(&"c:1".parse().unwrap(), true));
}

#[tokio::test(start_paused = true)]
async fn a_second_choice_is_never_the_first() {
    let upstream = upstream(&[A, B]);
    let tried = [A.parse().unwrap()];
    for _ in 0..20 {
        assert_eq!(upstream.pick_except(&tried).unwrap().address().url(), B);
    }
    let both = [A.parse().unwrap(), B.parse().unwrap()];
    assert!(upstream.pick_except(&both).is_none());
}
