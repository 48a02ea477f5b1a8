//! What the cache says that it would do is what it does.
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
use std::time::Duration;

use http::{Request, Response, request};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};
use vcache::http::explain::Explanation;
use vcache::http::{CacheLayer, Config, HttpCache};
use vhttp::Body;

fn asked(method: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri("http://a.test/x?y=1");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

fn parts(method: &str, fields: &[(&str, &str)]) -> request::Parts {
    asked(method, fields).into_parts().0
}

/// Sends a request to an origin that answers with `control`; the cache's own word on it.
async fn ask(cache: &HttpCache, control: &'static str, request: Request<Body>) -> String {
    let origin = service_fn(move |_: Request<Body>| async move {
        let page = Response::builder().header("cache-control", control).header("vary", "accept");
        Ok::<_, Infallible>(page.header("etag", "\"v\"").body(Body::full("hello")).unwrap())
    });
    let service = CacheLayer::new(cache.clone()).layer(origin);
    let response = service.oneshot(request).await.unwrap();
    let status = response.headers()["cache-status"].to_str().unwrap().to_owned();
    response.into_body().collect().await.unwrap();
    status
}

fn finding<'a>(explanation: &'a Explanation, rule: &str) -> &'a str {
    let step = explanation.steps.iter().find(|step| step.rule == rule);
    step.map_or("", |step| &step.finding)
}

#[tokio::test(start_paused = true)]
async fn the_word_of_the_explanation_is_the_word_of_the_answer() {
    for (control, wait, fields, decision) in [
        ("max-age=60", 0, &[][..], "hit"),
        ("max-age=60", 0, &[("accept", "text/html")], "miss"),
        ("max-age=60", 0, &[("cache-control", "no-cache")], "validate"),
        ("max-age=60", 61, &[], "validate"),
        ("max-age=60, stale-while-revalidate=60", 61, &[], "stale"),
        ("max-age=60, must-revalidate, stale-while-revalidate=60", 61, &[], "validate"),
        ("no-cache", 0, &[], "validate"),
        ("no-store", 0, &[], "miss"),
        ("max-age=60", 0, &[("if-match", "\"v\"")], "bypass"),
    ] {
        let cache = HttpCache::new(Config::default()).unwrap();
        ask(&cache, control, asked("GET", &[])).await;
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let explanation = cache.explain(&parts("GET", fields));
        assert_eq!(explanation.decision, decision, "{control} {fields:?}: {explanation:#?}");
        let said = ask(&cache, control, asked("GET", fields)).await;
        let expected = explanation.cache_status.unwrap();
        assert!(said.starts_with(&expected), "{said}, explained as {expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_rule_says_what_it_found() {
    let cache = HttpCache::new(Config::default()).unwrap();
    let nothing = cache.explain(&parts("GET", &[]));
    assert_eq!(nothing.key.as_deref(), Some("http://a.test/x?y=1"));
    assert_eq!((nothing.decision, nothing.variants.len()), ("miss", 0));
    assert_eq!(finding(&nothing, "selection"), "nothing is stored");

    let control = "max-age=60, stale-if-error=120";
    ask(&cache, control, asked("GET", &[("accept", "text/html")])).await;
    ask(&cache, control, asked("GET", &[])).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let stats = cache.stats();
    let fields = [("accept", "text/html"), ("if-none-match", "\"v\"")];
    let explanation = cache.explain(&parts("GET", &fields));
    assert_eq!(finding(&explanation, "selection"), "variant 2 of 2 fits");
    assert_eq!(finding(&explanation, "freshness"), "age 10 s of 60 s: fresh for 50 s more");
    assert_eq!(finding(&explanation, "condition"), "304: the client has the same");
    let sections: Vec<_> = explanation.steps.iter().map(|step| step.section).collect();
    assert_eq!(sections[..2], ["RFC 9111 §2", "RFC 9111 §4"]);
    let [other, selected] = explanation.variants.as_slice() else {
        panic!("{explanation:#?}");
    };
    assert!(selected.selected && selected.fresh && !other.selected);
    assert_eq!(selected.vary, [("accept".to_owned(), Some("text/html".to_owned()))]);
    assert_eq!(other.vary, [("accept".to_owned(), None)]);
    assert_eq!((selected.bytes, selected.etag.as_deref()), (5, Some("\"v\"")));
    assert_eq!(selected.stale_if_error, Duration::from_secs(120));
    assert_eq!(selected.age.as_secs(), 10);
    assert_eq!(cache.stats(), stats, "explaining counts nothing");

    tokio::time::sleep(Duration::from_secs(60)).await;
    let stale = cache.explain(&parts("GET", &[]));
    assert_eq!(finding(&stale, "freshness"), "age 70 s of 60 s: stale for 10 s");
    assert_eq!(finding(&stale, "stale-if-error"), "may be used in place of an error");
}

#[test]
fn requests_that_are_not_for_the_cache_are_told_why() {
    let cache = HttpCache::new(Config::default()).unwrap();
    let post = cache.explain(&parts("POST", &[]));
    assert_eq!(post.decision, "bypass");
    assert!(finding(&post, "method").contains("goes to the origin"));
    let content = cache.explain(&parts("GET", &[("content-length", "3")]));
    assert!(finding(&content, "request").contains("content"));
    let mut hostless = parts("GET", &[]);
    hostless.uri = "/x".parse().unwrap();
    let hostless = cache.explain(&hostless);
    assert_eq!((hostless.key, hostless.decision), (None, "bypass"));
    let config = Config { max_key_size: 5, ..Config::default() };
    let cache = HttpCache::new(config).unwrap();
    assert!(finding(&cache.explain(&parts("GET", &[])), "key").contains("max_key_size"));
}

type Fields = &'static [(&'static str, &'static str)];

/// A request, an answer that is not stored, the rule that forbids it, and what that finds.
const REFUSED: [(Fields, Fields, &str, &str, &str); 10] = [
    (
        &[],
        &[("cache-control", "no-store")],
        "RFC 9111 §5.2.2.5",
        "no-store",
        "cache-control: no-store",
    ),
    (
        &[],
        &[("cache-control", "private, max-age=9")],
        "RFC 9111 §5.2.2.7",
        "private",
        "private, max-age=9",
    ),
    (
        &[("authorization", "Basic secret")],
        &[("cache-control", "max-age=9")],
        "RFC 9111 §3.5",
        "authorization",
        "authorization: …",
    ),
    (&[], &[("set-cookie", "a=secret")], "RFC 9111 §7.3", "set-cookie", "set-cookie: …"),
    (&[], &[("cache-control", "max-age=9"), ("vary", "*")], "RFC 9111 §4.1", "vary", "vary: *"),
    (&[], &[], "RFC 9111 §4.2.1", "lifetime", "none is said"),
    (&[], &[("cache-control", "max-age=9"), ("age", "9")], "RFC 9111 §4.2", "reusable", "age: 9"),
    (
        &[("range", "bytes=0-1")],
        &[("content-range", "bytes 0-1/5"), ("cache-control", "max-age=9")],
        "RFC 9111 §3.3",
        "range",
        "bytes 0-1/5",
    ),
    (
        &[],
        &[("cdn-cache-control", "no-store"), ("cache-control", "max-age=9")],
        "RFC 9111 §5.2.2.5",
        "no-store",
        "cdn-cache-control: no-store",
    ),
    (
        &[],
        &[("cache-control", "max-age=9"), ("content-length", "99999999")],
        "settings",
        "max_object_size",
        "8388608 bytes",
    ),
];

#[tokio::test(start_paused = true)]
async fn why_the_last_answer_was_not_stored_is_told_rule_by_rule() {
    let cache = HttpCache::new(Config::default()).unwrap();
    for (request, response, section, rule, words) in REFUSED {
        let fields: Vec<_> = response.to_vec();
        let origin = service_fn(move |_: Request<Body>| {
            let mut page = Response::builder();
            for (name, value) in &fields {
                page = page.header(*name, *value);
            }
            let page = page.body(Body::full("hello")).unwrap();
            async move { Ok::<_, Infallible>(page) }
        });
        let service = CacheLayer::new(cache.clone()).layer(origin);
        let answer = service.oneshot(asked("GET", request)).await.unwrap();
        let _ = answer.into_body().collect().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let explanation = cache.explain(&parts("GET", request));
        let refused = explanation.not_stored.expect(rule);
        assert_eq!((refused.reason, refused.status.as_u16()), (rule, 200));
        assert_eq!(refused.ago, Duration::from_secs(3));
        let last = refused.steps.last().unwrap();
        assert_eq!((last.section, last.rule), (section, rule));
        assert!(last.finding.contains(words), "{}", last.finding);
        assert_eq!(refused.steps[0].rule, "method");
        let all = format!("{refused:?}");
        assert!(!all.contains("secret"), "{all}");
    }
    // Once one is stored there is nothing to tell.
    ask(&cache, "max-age=60", asked("GET", &[])).await;
    assert_eq!(cache.explain(&parts("GET", &[])).not_stored, None);
}
