//! Active checks bring endpoints down and up; when all are down, all are used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::advance;
use tower::service_fn;
use vbalance::{CheckConfig, Config, Endpoint, Outcome, Policy, Upstream};
use vhttp::Body;

/// Past one interval with its jitter.
const ROUND: Duration = Duration::from_millis(1_200);

fn upstream() -> Upstream {
    let config = Config {
        endpoints: vec!["a:1".parse().unwrap(), "b:1".parse().unwrap()],
        policy: Policy::RoundRobin,
        health: Some(CheckConfig {
            path: "/health?deep".to_owned(),
            interval: Duration::from_secs(1),
            timeout: Duration::from_millis(500),
            ..CheckConfig::default()
        }),
        ..Config::default()
    };
    Upstream::builder("test").config(config).build().unwrap()
}

/// The endpoints that are sick, by name.
#[derive(Clone, Default)]
struct Sick(Arc<Mutex<HashSet<&'static str>>>);

impl Sick {
    fn set(&self, names: &[&'static str]) {
        *self.0.lock().unwrap() = names.iter().copied().collect();
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        match self.0.lock().unwrap().get(&**endpoint.address.name()) {
            Some(name) => Err(format!("{name} is sick")),
            None => Ok(()),
        }
    }
}

/// Lets exactly the rounds pass that fit: a round begins 0.9 to 1.1 s after the one before.
async fn rounds(count: u32) {
    for _ in 0..count {
        advance(ROUND).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

fn up(upstream: &Upstream) -> Vec<bool> {
    let endpoints = upstream.status().endpoints;
    endpoints.iter().map(|e| e.healthy).collect()
}

#[tokio::test(start_paused = true)]
async fn two_in_a_row_bring_it_down_and_up() {
    let (upstream, sick) = (upstream(), Sick::default());
    sick.set(&["a:1"]);
    let probe = sick.clone();
    let checks = upstream.check_with(move |endpoint| std::future::ready(probe.check(endpoint)));
    let checks = checks.unwrap();
    // The first round begins at once.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    assert_eq!(up(&upstream), [true, true]);
    let error = upstream.status().endpoints[0].last_error.clone();
    assert_eq!(error.unwrap(), "health check: a:1 is sick");
    rounds(1).await;
    assert_eq!(up(&upstream), [false, true]);
    for _ in 0..10 {
        assert_eq!(&**upstream.pick().unwrap().address().name(), "b:1");
    }
    sick.set(&[]);
    rounds(1).await;
    assert_eq!(up(&upstream), [false, true]);
    rounds(1).await;
    assert_eq!(up(&upstream), [true, true]);

    checks.stop().await;
    sick.set(&["a:1", "b:1"]);
    rounds(5).await;
    assert_eq!(up(&upstream), [true, true], "stopped checks say nothing more");
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_a_bad_one() {
    let upstream = upstream();
    let checks = upstream.check_with(|_| std::future::pending::<Result<(), String>>());
    let _checks = checks.unwrap();
    rounds(4).await;
    assert_eq!(up(&upstream), [false, false]);
    let error = upstream.status().endpoints[0].last_error.clone();
    assert_eq!(error.unwrap(), "health check: no answer within 500ms");
}

#[tokio::test(start_paused = true)]
async fn when_all_are_down_all_are_used_but_for_draining_ones() {
    let (upstream, sick) = (upstream(), Sick::default());
    sick.set(&["a:1", "b:1"]);
    let probe = sick.clone();
    let checks = upstream.check_with(move |endpoint| std::future::ready(probe.check(endpoint)));
    let _checks = checks.unwrap();
    rounds(3).await;
    assert!(upstream.status().panic);
    let names: HashSet<_> = (0..4).map(|_| upstream.pick().unwrap().address().clone()).collect();
    assert_eq!(names.len(), 2);
    upstream.drain(&"b:1".parse().unwrap(), true);
    for _ in 0..10 {
        assert_eq!(&**upstream.pick().unwrap().address().name(), "a:1");
    }
    upstream.drain(&"b:1".parse().unwrap(), false);
    sick.set(&["a:1"]);
    rounds(3).await;
    assert!(!upstream.status().panic);
    assert_eq!(up(&upstream), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_success_in_panic_ends_an_ejection() {
    let (upstream, sick) = (upstream(), Sick::default());
    let probe = sick.clone();
    let checks = upstream.check_with(move |endpoint| std::future::ready(probe.check(endpoint)));
    let _checks = checks.unwrap();
    let mut failed = 0;
    while failed < 3 {
        let mut lease = upstream.pick().unwrap();
        if &**lease.address().name() == "a:1" {
            lease.report(Outcome::Unreachable);
            failed += 1;
        }
    }
    assert!(upstream.status().endpoints[0].ejected);
    sick.set(&["b:1"]);
    rounds(3).await;
    assert!(upstream.status().panic);
    for _ in 0..2 {
        upstream.pick().unwrap().report(Outcome::Success);
    }
    let status = upstream.status();
    assert!(!status.endpoints[0].ejected && !status.panic);
}

#[tokio::test(start_paused = true)]
async fn over_http_the_status_decides() {
    let upstream = upstream();
    let client = service_fn(|request: Request<Body>| async move {
        assert_eq!(request.uri().path_and_query().unwrap(), "/health?deep");
        assert_eq!(request.headers()["host"], *request.uri().authority().unwrap().as_str());
        let sick = request.uri().host() == Some("b");
        let mut response = Response::new(Body::full("fine"));
        if sick {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        Ok::<_, Infallible>(response)
    });
    let _checks = upstream.check_http(client).unwrap();
    rounds(3).await;
    assert_eq!(up(&upstream), [true, false]);
    let error = upstream.status().endpoints[1].last_error.clone();
    assert_eq!(error.unwrap(), "health check: status 503, not 200-399");
}

#[tokio::test]
async fn without_settings_nothing_is_checked() {
    let config = Config { endpoints: vec!["a:1".parse().unwrap()], ..Config::default() };
    let upstream = Upstream::builder("test").config(config).build().unwrap();
    assert!(upstream.check_with(|_| std::future::ready(Ok(()))).is_none());
}
