//! What counts in a key, and requests of which the key does not tell everything.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use vcache::http::{CacheLayer, Config, HttpCache};
use vhttp::Body;

type Seen = Arc<Mutex<Vec<String>>>;

async fn ask(cache: &HttpCache, seen: &Seen, method: &str, target: &str) {
    let seen = Arc::clone(seen);
    let origin = service_fn(move |request: Request<Body>| {
        seen.lock().unwrap().push(request.uri().to_string());
        async {
            Ok::<_, Infallible>(
                Response::builder()
                    .header("cache-control", "max-age=60")
                    .body(Body::full("x"))
                    .unwrap(),
            )
        }
    });
    let request = Request::builder().method(method).uri(format!("http://a.test{target}"));
    let request = request.body(Body::empty()).unwrap();
    let response = CacheLayer::new(cache.clone()).layer(origin).oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
}

#[tokio::test]
async fn what_does_not_count_shares_an_answer_and_still_reaches_the_origin() {
    let config = Config {
        ignore_query: vec!["utm_*".to_owned(), "fbclid".to_owned()],
        sort_query: true,
        ..Config::default()
    };
    let (cache, seen) = (HttpCache::new(config).unwrap(), Seen::default());
    ask(&cache, &seen, "GET", "/x?utm_id=1&b=2&a=1").await;
    for target in ["/x?a=1&b=2", "/x?b=2&a=1&fbclid=z", "/x?a=1&utm_x=&b=2"] {
        ask(&cache, &seen, "GET", target).await;
    }
    assert_eq!(*seen.lock().unwrap(), ["http://a.test/x?utm_id=1&b=2&a=1"]);
    assert_eq!(cache.stats().hits, 3);
    ask(&cache, &seen, "GET", "/x?a=1&b=3").await;
    assert_eq!(cache.stats().misses, 2);
    // Whoever purges or changes it may write it in any of these ways.
    ask(&cache, &seen, "POST", "/x?fbclid=z&b=2&a=1").await;
    assert_eq!(cache.purge_url("http://a.test/x?b=2&a=1"), 0);
    assert_eq!(cache.purge_url("http://a.test/x?utm_x=1&b=3&a=1"), 1);
}

#[tokio::test]
async fn by_default_every_byte_counts() {
    let (cache, seen) = (HttpCache::new(Config::default()).unwrap(), Seen::default());
    for target in ["/x?a=1&b=2", "/x?b=2&a=1", "/x?a=1&b=2&utm_id=1", "/x?a=1&b=2&"] {
        ask(&cache, &seen, "GET", target).await;
    }
    assert_eq!((cache.stats().misses, cache.stats().hits), (4, 0));
}

#[tokio::test]
async fn a_get_that_names_another_method_is_not_for_others() {
    let (cache, seen) = (HttpCache::new(Config::default()).unwrap(), Seen::default());
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let origin = service_fn(|_: Request<Body>| async {
            let page = Response::builder().header("cache-control", "max-age=60");
            Ok::<_, Infallible>(page.body(Body::full("deleted")).unwrap())
        });
        let request = Request::get("http://a.test/x").header(name, "DELETE");
        let request = request.body(Body::empty()).unwrap();
        let service = CacheLayer::new(cache.clone()).layer(origin);
        service.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    }
    ask(&cache, &seen, "GET", "/x").await;
    assert_eq!((cache.stats().bypassed, cache.stats().misses), (3, 1));
}

#[tokio::test]
async fn a_get_with_content_is_neither_answered_nor_stored() {
    let (cache, seen) = (HttpCache::new(Config::default()).unwrap(), Seen::default());
    ask(&cache, &seen, "GET", "/x").await;
    let origin = service_fn(|request: Request<Body>| async {
        let content = request.into_body().collect().await.unwrap().to_bytes();
        let page = Response::builder().header("cache-control", "max-age=60");
        Ok::<_, Infallible>(page.body(Body::full(content)).unwrap())
    });
    let service = CacheLayer::new(cache.clone()).layer(origin);
    for target in ["/x", "/y"] {
        let request = Request::get(format!("http://a.test{target}"));
        let request = request.body(Body::full("mine")).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "mine");
    }
    assert_eq!((cache.stats().bypassed, cache.purge_url("http://a.test/y")), (2, 0));
    ask(&cache, &seen, "GET", "/x").await;
    assert_eq!(cache.stats().hits, 1);
}
