//! The rules of a shared HTTP cache, per call.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::Criterion;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_cache_semantics::{CacheOptions, CachePolicy};
use vcache::http::policy::{self, Rules, Wish};
use vcache::http::{Exchange, SetCookie, Terms};

const PEER: &str = "http-cache-semantics";

pub(crate) fn bench(criterion: &mut Criterion) {
    let now = SystemTime::now();
    let (request, response) = exchange(now);
    let mut group = criterion.benchmark_group("HTTP cache, may it be stored and for how long");
    group.bench_function("verve", |bencher| {
        bencher.iter(|| admit(black_box(&request), black_box(&response), now));
    });
    group.bench_function(PEER, |bencher| {
        bencher.iter(|| {
            let policy = peer(black_box(&request), black_box(&response), now);
            (policy.is_storable(), policy.time_to_live(now))
        });
    });
    group.finish();

    let terms = admit(&request, &response, now);
    let policy = peer(&request, &response, now);
    let later = now + Duration::from_secs(10);
    let mut group = criterion.benchmark_group("HTTP cache, decision on a fresh hit");
    group.bench_function("verve", |bencher| {
        bencher.iter(|| {
            let wish = Wish::new(black_box(request.headers()), true);
            policy::decide(&wish, Some(black_box(&terms)), later)
        });
    });
    // It checks Vary and makes the answer's fields in the same call, and has no other.
    group.bench_function(PEER, |bencher| {
        bencher.iter(|| black_box(&policy).before_request(black_box(&request), later));
    });
    group.finish();

    let mut group = criterion.benchmark_group("HTTP cache, Cache-Control parsed");
    group.bench_function("verve", |bencher| {
        bencher.iter(|| vhttp::CacheControl::response(black_box(response.headers())));
    });
    group.finish();
}

fn admit(request: &Request<()>, response: &Response<()>, now: SystemTime) -> Terms {
    let rules = Rules { set_cookie: SetCookie::Bypass, ..Rules::default() };
    let exchange = Exchange { requested: now, received: now };
    let (asked, given) =
        ((request.method(), request.headers()), (response.status(), response.headers()));
    policy::admit(asked, given, &rules, exchange).expect("the response may be stored")
}

fn peer(request: &Request<()>, response: &Response<()>, now: SystemTime) -> CachePolicy {
    CachePolicy::new_options(request, response, now, CacheOptions::default())
}

/// What a browser and an API say.
fn exchange(now: SystemTime) -> (Request<()>, Response<()>) {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = http::Uri::from_static("http://example.com/articles/42");
    fill(
        request.headers_mut(),
        &[
            (header::HOST, "example.com"),
            (header::USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64)"),
            (header::ACCEPT, "application/json"),
            (header::ACCEPT_ENCODING, "gzip, deflate, br, zstd"),
            (header::ACCEPT_LANGUAGE, "en-GB,en;q=0.7"),
        ],
    );
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::OK;
    let date = vhttp::date::format(now);
    fill(
        response.headers_mut(),
        &[
            (header::DATE, &date),
            (header::CONTENT_TYPE, "application/json"),
            (
                header::CACHE_CONTROL,
                "public, max-age=300, stale-while-revalidate=60, stale-if-error=86400",
            ),
            (header::ETAG, "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
            (header::VARY, "Accept-Encoding"),
            (header::SERVER, "origin"),
        ],
    );
    (request, response)
}

fn fill(headers: &mut HeaderMap, fields: &[(HeaderName, &str)]) {
    for (name, value) in fields {
        headers.insert(name, value.parse().expect("a field's value"));
    }
}
