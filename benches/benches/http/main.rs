//! A hit of the HTTP cache by how much is stored: `cargo xtask bench http [variants] [objects]`.
//!
//! What it costs must not grow with the variants of the URL, nor with the objects. There is no
//! peer: the smallest size is the measure of the others. Contenders take turns in every round;
//! `VERVE_BENCH_ROUNDS` changes how many rounds (9).
#![expect(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::disallowed_types,
    clippy::cast_precision_loss,
    reason = "a harness for people, which measures real time"
)]

use std::convert::Infallible;
use std::error::Error;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use benches::asked::Asked;
use benches::figures::{median, percentile};
use benches::report::Report;
use benches::rounds::Rounds;
use benches::table::{Table, figure, text};
use http::{Request, Response};
use tower_layer::Layer as _;
use tower_service::Service;
use vcache::http::{Cache, CacheLayer, Config, HttpCache};
use vhttp::Body;

/// Hits of one contender in one round.
const HITS: usize = 20_000;
const BODY: &[u8] = &[b'x'; 1024];

fn main() -> Result<(), Box<dyn Error>> {
    let Some(asked) = Asked::read() else {
        return Ok(());
    };
    let names = ["variants", "objects"];
    if let Some(word) = asked.unknown(&names).next() {
        return Err(format!("no part `{word}`; there are: {}", names.join(", ")).into());
    }
    let mut report = Report::new("http");
    if asked.part("variants") {
        let stored = [1, 10, 100, 2_000].map(|count| Stored { objects: 1, variants: count });
        report
            .add(measure("A hit by the variants of its URL", "variants", &stored, |s| s.variants));
    }
    if asked.part("objects") {
        let stored =
            [1_000, 100_000, 1_000_000].map(|count| Stored { objects: count, variants: 1 });
        report.add(measure("A hit by the objects in the cache", "objects", &stored, |s| s.objects));
    }
    Ok(report.write()?)
}

/// What is in a cache.
#[derive(Clone, Copy)]
struct Stored {
    objects: usize,
    variants: usize,
}

impl Stored {
    /// The request for one of them, by a number that is as good as chance.
    fn request(self, number: usize) -> Request<Body> {
        let (object, variant) = (number % self.objects, number % self.variants);
        Request::get(format!("http://example.com/object/{object}"))
            .header("x-variant", format!("variant number {variant}"))
            .header("accept", "*/*")
            .header("user-agent", "bench")
            .body(Body::empty())
            .expect("a request")
    }
}

/// An origin that depends on one field.
#[derive(Clone)]
struct Origin;

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let response = Response::builder()
            .header("cache-control", "max-age=86400")
            .header("content-type", "text/html")
            .header("etag", "\"1\"")
            .header("vary", "x-variant")
            .body(Body::full(BODY));
        ready(Ok(response.expect("a response")))
    }
}

struct Contender {
    stored: Stored,
    cache: Cache<Origin>,
    hits: u64,
    handle: HttpCache,
}

impl Contender {
    fn fill(stored: Stored) -> Self {
        eprintln!("http: {} objects, {} variants", stored.objects, stored.variants);
        let config = Config { max_variants: 2_000, max_size: 1 << 40, ..Config::default() };
        let handle = HttpCache::new(config).expect("a cache");
        let cache = CacheLayer::new(handle.clone()).layer(Origin);
        let contender = Self { stored, cache, hits: 0, handle };
        for number in 0..stored.objects.max(stored.variants) {
            contender.ask(stored.request(number));
        }
        contender
    }

    fn ask(&self, request: Request<Body>) -> Response<Body> {
        let mut answer = pin!(self.cache.clone().call(request));
        match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(response)) => response,
            _ => unreachable!("the origin answers at once"),
        }
    }

    /// The times of single hits, in nanoseconds.
    fn run(&self, round: usize) -> Vec<f64> {
        let mut number = round * HITS;
        let mut times = Vec::with_capacity(HITS);
        for _ in 0..HITS {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let request = self.stored.request(number >> 20);
            let began = Instant::now();
            let response = black_box(self.ask(request));
            times.push(began.elapsed().as_nanos() as f64);
            drop(response);
        }
        times
    }
}

fn measure(title: &str, what: &str, stored: &[Stored], count: impl Fn(Stored) -> usize) -> Table {
    let mut contenders: Vec<_> = stored.iter().map(|stored| Contender::fill(*stored)).collect();
    for contender in &mut contenders {
        contender.hits = contender.handle.stats().hits;
    }
    let most = std::env::var("VERVE_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok());
    let rounds = Rounds { most: most.unwrap_or(9), within: Duration::from_secs(60) };
    let halves = std::cell::RefCell::new(vec![Vec::new(); contenders.len()]);
    let places: Vec<usize> = (0..contenders.len()).collect();
    let tails = rounds.alternate(&places, |place| {
        let (Some(contender), mut halves) = (contenders.get(*place), halves.borrow_mut()) else {
            return f64::NAN;
        };
        let Some(halves) = halves.get_mut(*place) else {
            return f64::NAN;
        };
        let times = contender.run(halves.len());
        halves.push(median(&times));
        percentile(&times, 99)
    });
    let note = format!(
        "Single hits of 1 KiB through the layer, {HITS} a round, chosen as by chance; the median \
         over the rounds of their median and of their 99th percentile, in nanoseconds, reading the \
         clock included."
    );
    let mut table =
        Table::new(title, &note, &[what, "median", "p99", "median, ratio", "p99, ratio"]);
    let halves = halves.into_inner();
    let least = (halves.first().map(|h| median(h)), tails.first().map(|t| median(t)));
    for ((contender, halves), tails) in contenders.iter().zip(&halves).zip(&tails) {
        let asked = contender.handle.stats().hits - contender.hits;
        let expected = u64::try_from(halves.len() * HITS).unwrap_or(u64::MAX);
        assert_eq!(asked, expected, "all were hits");
        let (half, tail) = (median(halves), median(tails));
        table.row([
            text(count(contender.stored).to_string()),
            figure(half, 0),
            figure(tail, 0),
            figure(half / least.0.unwrap_or(half), 2),
            figure(tail / least.1.unwrap_or(tail), 2),
        ]);
    }
    table
}
