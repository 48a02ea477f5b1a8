//! Health is answered at once from what the checks in the background left.
#![cfg(feature = "health")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::time::sleep;
use tower::ServiceExt;
use vhttp::Body;
use vmetrics::health::{Check, Config, Health, HealthService, Status};

const INTERVAL: Duration = Duration::from_secs(5);

/// A dependency that can be switched off, and how often it was asked.
#[derive(Clone, Default)]
struct Dependency {
    down: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Dependency {
    fn ask(&self) -> impl Future<Output = Result<(), String>> + Send + use<> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let down = self.down.load(Ordering::Relaxed);
        async move { if down { Err("refused".to_owned()) } else { Ok(()) } }
    }

    fn check(&self, critical: bool) -> Check {
        let own = self.clone();
        let run = move || own.ask();
        if critical { Check::critical("redis", run) } else { Check::optional("redis", run) }
    }

    fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }
}

async fn ask(health: &Health, path: &str) -> Response<Body> {
    let request = Request::get(path).body(()).unwrap();
    let service = HealthService::new(health.clone());
    service.oneshot(request).await.unwrap()
}

async fn status(health: &Health, path: &str) -> u16 {
    ask(health, path).await.status().as_u16()
}

async fn json(response: Response<Body>) -> serde_json::Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_critical_check_decides_on_readiness() {
    let redis = Dependency::default();
    let health = Health::builder().check(redis.check(true)).start().unwrap();
    health.set_ready(true);
    // Nothing was asked yet, so nothing is known.
    assert_eq!(status(&health, "/ready").await, 503);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(status(&health, "/ready").await, 200);

    redis.set_down(true);
    // One failure is a blink; the third in a row, at most 18 s later, is an outage.
    sleep(INTERVAL + Duration::from_secs(1)).await;
    assert_eq!(status(&health, "/ready").await, 200);
    sleep(INTERVAL * 3).await;
    assert_eq!(status(&health, "/ready").await, 503);
    assert_eq!(status(&health, "/health").await, 503);
    assert_eq!(status(&health, "/live").await, 200);

    redis.set_down(false);
    sleep(INTERVAL * 3).await;
    assert_eq!(status(&health, "/ready").await, 200);
    assert_eq!(status(&health, "/health").await, 200);
}

#[tokio::test(start_paused = true)]
async fn an_optional_check_only_warns() {
    let redis = Dependency::default();
    redis.set_down(true);
    let health = Health::builder().check(redis.check(false)).start().unwrap();
    health.set_ready(true);
    sleep(INTERVAL * 5).await;
    assert_eq!(status(&health, "/ready").await, 200);
    let answer = ask(&health, "/health").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/health+json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(json(answer).await, serde_json::json!({ "status": "warn" }));
}

#[tokio::test(start_paused = true)]
async fn one_failure_warns_at_once_and_changes_nothing_else() {
    for critical in [false, true] {
        let redis = Dependency::default();
        let health = Health::builder().check(redis.check(critical)).start().unwrap();
        health.set_ready(true);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(health.report().status, Status::Pass);

        redis.set_down(true);
        let before = redis.asked.load(Ordering::Relaxed);
        while redis.asked.load(Ordering::Relaxed) == before {
            sleep(Duration::from_millis(100)).await;
        }
        let told = json(ask(&health, "/health?verbose").await).await;
        let check = &told["checks"]["redis:responseTime"][0];
        assert_eq!((&check["status"], &check["output"]), (&"warn".into(), &"refused".into()));
        assert_eq!(told["status"], "warn");
        assert_eq!(status(&health, "/health").await, 200);
        assert_eq!(status(&health, "/ready").await, 200);

        redis.set_down(false);
        sleep(INTERVAL + Duration::from_secs(1)).await;
        assert_eq!(health.report().status, Status::Pass);
    }
}

#[tokio::test(start_paused = true)]
async fn a_critical_check_that_failed_fails_until_it_is_ready_again() {
    let redis = Dependency::default();
    redis.set_down(true);
    let health = Health::builder().check(redis.check(true)).start().unwrap();
    health.set_ready(true);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(health.report().status, Status::Fail);
    redis.set_down(false);
    let before = redis.asked.load(Ordering::Relaxed);
    while redis.asked.load(Ordering::Relaxed) == before {
        sleep(Duration::from_millis(100)).await;
    }
    // One success of the two that it takes.
    let report = health.report();
    assert_eq!((report.status, report.ready), (Status::Fail, false));
    assert_eq!(report.checks[0].error, None);
}

#[tokio::test(start_paused = true)]
async fn details_are_told_to_who_asks_unless_turned_off() {
    let redis = Dependency::default();
    redis.set_down(true);
    let builder = Health::builder().check(redis.check(true));
    let health = builder.service("shop").version("1.2").start().unwrap();
    sleep(Duration::from_millis(1)).await;
    let told = json(ask(&health, "/health?verbose").await).await;
    assert_eq!(told["serviceId"], "shop");
    let check = &told["checks"]["redis:responseTime"][0];
    assert_eq!((&check["status"], &check["output"]), (&"fail".into(), &"refused".into()));

    let request = Request::get("/health?verbose").body(()).unwrap();
    let silent = HealthService::new(health).without_details();
    let told = json(silent.oneshot(request).await.unwrap()).await;
    assert_eq!(told, serde_json::json!({ "status": "fail" }));
}

#[tokio::test(start_paused = true)]
async fn answers_never_wait_for_a_check_and_questions_ask_none() {
    let asked = Arc::new(AtomicUsize::new(0));
    let inside = Arc::clone(&asked);
    let hangs = Check::critical("hangs", move || {
        inside.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Result<(), String>>()
    });
    let health = Health::builder().check(hangs).start().unwrap();
    health.set_ready(true);
    for _ in 0..100 {
        assert_eq!(status(&health, "/readyz").await, 503);
    }
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let report = health.report();
    assert_eq!(report.status, Status::Fail);
    assert_eq!(report.checks[0].error.as_deref(), Some("no answer within 1s"));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_panics_fails_and_runs_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let inside = Arc::clone(&asked);
    let panics = Check::critical("panics", move || {
        let before = inside.fetch_add(1, Ordering::Relaxed);
        async move {
            assert!(before > 0, "on purpose");
            Ok(())
        }
    });
    let health = Health::builder().check(panics).start().unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(health.report().checks[0].error.as_deref(), Some("the check panicked"));
    sleep(INTERVAL * 4).await;
    assert_eq!(health.report().status, Status::Pass);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_run_is_not_believed() {
    let redis = Dependency::default();
    let health = Health::builder().check(redis.check(true)).start().unwrap();
    health.set_ready(true);
    sleep(INTERVAL).await;
    assert!(health.is_ready());
    health.stop().await;
    let asked = redis.asked.load(Ordering::Relaxed);
    sleep(INTERVAL * 10).await;
    assert_eq!(redis.asked.load(Ordering::Relaxed), asked);
    assert!(!health.is_ready());
    assert_eq!(health.report().status, Status::Fail);
}

#[tokio::test(start_paused = true)]
async fn checks_end_with_their_last_owner() {
    let redis = Dependency::default();
    let health = Health::builder().check(redis.check(true)).start().unwrap();
    sleep(INTERVAL * 3).await;
    drop(health);
    let asked = redis.asked.load(Ordering::Relaxed);
    assert!(asked > 1);
    sleep(INTERVAL * 10).await;
    assert_eq!(redis.asked.load(Ordering::Relaxed), asked);
}

#[tokio::test]
async fn draining_says_so_before_the_end() {
    let health = Health::builder().start().unwrap();
    assert_eq!(status(&health, "/ready").await, 503);
    health.set_ready(true);
    assert_eq!(status(&health, "/admin/ready").await, 200);
    health.set_draining();
    let answer = ask(&health, "/ready?verbose").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(json(answer).await["notes"][0], "not ready: draining");
    assert_eq!(status(&health, "/health").await, 200);
    assert_eq!(status(&health, "/livez").await, 200);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let health = Health::builder().start().unwrap();
    assert_eq!(status(&health, "/healthy").await, 404);
    let request = Request::builder().method(Method::POST).uri("/health");
    let request = request.body(()).unwrap();
    let answer = HealthService::new(health).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET, HEAD");
}

#[tokio::test(start_paused = true)]
async fn whether_checks_pass_is_measured() {
    let recorder = vmetrics::Recorder::new();
    let redis = Dependency::default();
    let builder = Health::builder().check(redis.check(true));
    let _health = metrics::with_local_recorder(&recorder, || builder.start()).unwrap();
    sleep(Duration::from_millis(1)).await;
    let text = recorder.handle().render();
    assert!(text.contains("vmetrics_check_up{check=\"redis\"} 1\n"), "{text}");
}

#[cfg(feature = "serde")]
#[test]
fn settings_are_read_from_a_file() {
    let config: Config =
        toml::from_str("interval = \"10s\"\ntimeout = \"250ms\"\nfall = 1\n").unwrap();
    assert_eq!(config.interval, Duration::from_secs(10));
    assert_eq!(config.timeout, Duration::from_millis(250));
    assert_eq!((config.rise.get(), config.fall.get()), (2, 1));
    assert!(toml::from_str::<Config>("fall = 0").is_err());
}

#[cfg(not(feature = "serde"))]
#[test]
fn the_defaults_leave_room_for_a_timeout() {
    let config = Config::default();
    assert!(config.timeout <= config.interval / 2);
}
