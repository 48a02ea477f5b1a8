//! What a fresh hit of the HTTP cache costs: nanoseconds and allocations.
//!
//! ```sh
//! cargo run --release -p vcache --features http --example http_hit
//! ```
#![expect(unsafe_code, reason = "an allocator that counts")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_types,
    reason = "an example that measures"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tower::{Layer, Service, service_fn};
use vcache::http::policy::{Decision, Rules, Wish, admit, decide};
use vcache::http::{CacheLayer, Config, Exchange, HttpCache};
use vhttp::Body;

/// Counts what it passes on.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const ROUNDS: u32 = 200_000;

/// In many short rounds, of which the best is least disturbed by what else the machine does.
fn measure(name: &str, mut work: impl FnMut()) {
    const CALLS: u32 = 200;
    let mut best = f64::MAX;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..ROUNDS / CALLS {
        let begun = Instant::now();
        for _ in 0..CALLS {
            work();
        }
        best = best.min(begun.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    println!("{name:30} {best:7.0} ns {:6.1} allocations", allocations as f64 / f64::from(ROUNDS));
}

fn request() -> Request<Body> {
    let request = Request::get("/page?x=1").header("host", "example.com");
    request.header("accept-encoding", "gzip, br").body(Body::empty()).unwrap()
}

/// The pure rules on a fresh response, without the way of a request through the layer.
fn rules() {
    let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let exchange = Exchange { requested: now, received: now };
    let (parts, _) = request().into_parts();
    let mut stored = HeaderMap::new();
    stored.insert("cache-control", HeaderValue::from_static("public, max-age=3600"));
    let (get, response) = (&Method::GET, (StatusCode::OK, &stored));
    let terms = admit((get, &parts.headers), response, &Rules::default(), exchange).unwrap();
    let after = now + Duration::from_secs(60);
    let mut asking = parts.headers.clone();
    asking.insert("cache-control", HeaderValue::from_static("max-age=600"));
    for (name, headers) in [("decide", parts.headers), ("decide, Cache-Control asked", asking)] {
        measure(name, || {
            let wish = Wish::new(std::hint::black_box(&headers), true);
            assert_eq!(decide(&wish, Some(std::hint::black_box(&terms)), after), Decision::Hit);
        });
    }
}

fn main() {
    rules();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for vary in [false, true] {
            let origin = service_fn(move |_: Request<Body>| async move {
                let mut page = Response::builder()
                    .header("cache-control", "public, max-age=3600")
                    .header("content-type", "text/html; charset=utf-8")
                    .header("etag", "\"5e2f-6a1\"")
                    .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
                    .header("x-content-type-options", "nosniff")
                    .header("server", "origin");
                if vary {
                    page = page.header("vary", "accept-encoding");
                }
                Ok::<_, Infallible>(page.body(Body::full(vec![b'x'; 1024])).unwrap())
            });
            let cache = HttpCache::new(Config::default()).unwrap();
            let mut service = CacheLayer::new(cache.clone()).layer(origin);
            service.call(request()).await.unwrap();
            let kind = if vary { "varying" } else { "plain" };
            measure(&format!("request alone, {kind}"), || {
                std::hint::black_box(request());
            });
            measure(&format!("request and hit, {kind}"), || {
                let mut answer = std::pin::pin!(service.call(request()));
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                let answer = Future::poll(answer.as_mut(), &mut cx);
                assert!(answer.is_ready());
                let _ = std::hint::black_box(answer);
            });
            assert_eq!(cache.stats().misses, 1);
        }
    });
}
