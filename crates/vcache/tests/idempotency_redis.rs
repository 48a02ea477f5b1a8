//! Idempotent replay of several gateways over one Redis, and while Redis is away.
#![cfg(all(feature = "http", feature = "redis"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    dead_code,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use support::Redis;
use tokio::sync::Semaphore;
use tower::util::BoxCloneSyncService;
use tower::{Layer, ServiceExt, service_fn};
use vcache::RedisConfig;
use vcache::http::idempotency::{Config, Idempotency, IdempotencyLayer, OnError};
use vhttp::Body;

mod support;

const LIMIT: Duration = Duration::from_secs(30);

/// What all gateways stand before.
#[derive(Clone)]
struct Origin {
    asked: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

type Gateway = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

impl Origin {
    fn new(permits: usize) -> Self {
        Self { asked: Arc::default(), gate: Arc::new(Semaphore::new(permits)) }
    }

    fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// A gateway before this origin.
    fn gateway(&self, config: Config) -> Gateway {
        let origin = self.clone();
        let service = service_fn(move |_: Request<Body>| {
            let origin = origin.clone();
            async move {
                let number = origin.asked.fetch_add(1, Ordering::SeqCst) + 1;
                origin.gate.acquire().await.unwrap().forget();
                Ok::<_, Infallible>(Response::new(Body::full(format!("order {number}"))))
            }
        });
        let idempotency = Idempotency::new(config).unwrap();
        BoxCloneSyncService::new(IdempotencyLayer::new(idempotency).layer(service))
    }

    /// Waits until it was asked so often.
    async fn asked(&self, times: usize) {
        let asked = async {
            while self.count() < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(LIMIT, asked).await.expect("the origin was not asked");
    }
}

fn config(redis: &Redis) -> Config {
    Config {
        redis: Some(redis.config()),
        poll: Duration::from_millis(5),
        wait: LIMIT,
        ..Config::default()
    }
}

async fn ask(gateway: &Gateway, content: &str) -> (u16, bool, String) {
    let request = Request::post("http://shop.example/orders").header("idempotency-key", "k");
    let request = request.body(Body::full(content.to_owned())).unwrap();
    let response = gateway.clone().oneshot(request).await.unwrap();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let status = response.status().as_u16();
    let content = response.into_body().collect().await.unwrap().to_bytes();
    (status, replayed, String::from_utf8(content.to_vec()).unwrap())
}

#[tokio::test]
async fn two_gateways_ask_the_origin_once() {
    let (redis, origin) = (Redis::start().await, Origin::new(0));
    let gateways = [origin.gateway(config(&redis)), origin.gateway(config(&redis))];
    let all: Vec<_> = (0..40)
        .map(|number: usize| {
            let gateway = gateways[number % 2].clone();
            tokio::spawn(async move { ask(&gateway, "tea").await })
        })
        .collect();
    origin.asked(1).await;
    origin.gate.add_permits(40);
    let mut replayed = 0;
    for one in all {
        let (status, again, content) = one.await.unwrap();
        assert_eq!((status, content.as_str()), (200, "order 1"));
        replayed += usize::from(again);
    }
    assert_eq!((origin.count(), replayed), (1, 39));
    assert_eq!(ask(&gateways[1], "coffee").await.0, 422);
}

#[tokio::test]
async fn a_gateway_that_is_killed_holds_its_key_for_the_lease_only() {
    let (redis, origin) = (Redis::start().await, Origin::new(0));
    let lease = Duration::from_millis(500);
    let gateways = [(), ()].map(|()| origin.gateway(Config { lease, ..config(&redis) }));
    let [first, second] = gateways;
    // A runtime that is torn down, as a killed process is: nothing is given back.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(async move { ask(&first, "tea").await });
    origin.asked(1).await;
    runtime.shutdown_background();
    let waiting = tokio::spawn(async move { ask(&second, "tea").await });
    origin.asked(2).await;
    origin.gate.add_permits(2);
    assert_eq!(waiting.await.unwrap(), (200, false, "order 2".to_owned()));
}

#[tokio::test]
async fn without_redis_the_configuration_decides() {
    let mut redis = Redis::start().await;
    let origin = Origin::new(1000);
    let hasty = RedisConfig { timeout: Duration::from_millis(500), ..redis.config() };
    let with = |on_error| Config { redis: Some(hasty.clone()), on_error, ..config(&redis) };
    let (open, closed) =
        (origin.gateway(with(OnError::Open)), origin.gateway(with(OnError::Closed)));
    redis.kill();
    for _ in 0..3 {
        assert_eq!(ask(&closed, "tea").await.0, 503);
    }
    assert_eq!(origin.count(), 0);
    for number in 1..=3 {
        assert_eq!(ask(&open, "tea").await, (200, false, format!("order {number}")));
    }
    redis.restart().await;
    let back = async {
        while ask(&closed, "tea").await.0 == 503 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, back).await.expect("it does not recover");
    // The other one finds out by itself, and carries orders out until then.
    let replayed = async {
        loop {
            let answer = ask(&open, "tea").await;
            if answer.1 {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let answer = tokio::time::timeout(LIMIT, replayed).await.expect("it does not recover");
    assert_eq!(answer, (200, true, "order 4".to_owned()));
}

#[tokio::test]
async fn redis_that_dies_meanwhile_loses_no_answer_to_its_client() {
    let (mut redis, origin) = (Redis::start().await, Origin::new(0));
    let hasty = RedisConfig { timeout: Duration::from_millis(500), ..redis.config() };
    let gateway = origin.gateway(Config { redis: Some(hasty), ..config(&redis) });
    let first = tokio::spawn({
        let gateway = gateway.clone();
        async move { ask(&gateway, "tea").await }
    });
    origin.asked(1).await;
    redis.kill();
    origin.gate.add_permits(2);
    assert_eq!(first.await.unwrap(), (200, false, "order 1".to_owned()));
}
