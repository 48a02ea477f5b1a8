//! The shared HTTP cache of RFC 9111: a tower layer, and its rules as pure functions.
//!
//! | you have | take |
//! |---|---|
//! | a tower or axum service | [`HttpCache`] and [`CacheLayer`] |
//! | a proxy of your own, and only the rules are missing | [`policy`] |
//! | a compressor for stored responses | [`Encode`] |
//! | orders that must not be carried out twice | [`idempotency`] |
//! | an application that should say how long its answers hold | [`headers`] |
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use vcache::http::{CacheLayer, Config, HttpCache};
//! use vhttp::Body;
//!
//! let origin = service_fn(|_: Request<Body>| async {
//!     let page = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, Infallible>(page.body(Body::full("hello")).unwrap())
//! });
//! let cache = HttpCache::new(Config::default()).unwrap();
//! let service = CacheLayer::new(cache.clone()).layer(origin);
//!
//! for _ in 0..2 {
//!     let request = Request::get("http://example.com/").body(Body::empty()).unwrap();
//!     service.clone().oneshot(request).await.unwrap();
//! }
//! assert_eq!((cache.stats().misses, cache.stats().hits), (1, 1));
//! assert_eq!(cache.purge_url("http://example.com/"), 1);
//! # });
//! ```
//!
//! # What it does
//!
//! - Stores the answers to GET that bring a lifetime, or that are to be validated at every use,
//!   and serves GET and HEAD from them; 304 where the client has the same. Several variants of a
//!   URL (`Vary`) stand side by side. Content that the origin has coded varies with
//!   `Accept-Encoding` whether the origin says so or not, and the answers say it.
//! - Validates what is stale, serves it stale where the origin allows that (RFC 5861), and drops
//!   what an unsafe request has changed.
//! - Collapses concurrent misses of one key into one request.
//! - Says so in `Age` and `Cache-Status` (RFC 9211), in the request's `Timeline`, and in the
//!   metric `vcache_http_requests_total{cache, outcome}`.
//!
//! `Cache-Status` goes out before the body ends: `stored` (RFC 9211 §2.5) is said when the answer is
//! in the store, and of a body that announced its length, because whoever gets the whole of that
//! finds it stored. Of a body without a length it is not said, though it is stored if it ends as it
//! should. A body with trailers is not stored, unless it announced its length.
//!
//! `must-revalidate`, `proxy-revalidate`, `s-maxage` and `no-cache` forbid every stale answer, as
//! the RFC says: `s-maxage=1, stale-while-revalidate=60` never answers stale here.
//!
//! # Limits and guarantees
//!
//! - **Memory.** Stored responses, their heads, keys and codings together never weigh more than
//!   [`Config::max_size`]. For each answer on its way to be stored there is a copy of at most
//!   [`Config::max_object_size`] beside it.
//! - **Cancel safety.** A request that is dropped leaves the store as it was. If others waited for
//!   it, the next of them asks the origin. An answer that is not read to its end is not stored.
//! - **Waiting** for another request ends after [`Config::collapse_timeout`]; a background refresh
//!   after [`Config::refresh_timeout`], or with the last handle to the cache.
//! - **Purging.** What was asked of the origin before a purge is not stored after it.
//! - **The origin is down.** Errors of the service pass through, but for `stale-if-error`.
//! - **Runtime.** Waiting and refreshing need tokio with its timer.
//! - **Time** is the system's clock at build and the monotonic one from there on: steps of the
//!   system clock later on are not seen.
//!
//! Not yet: ranges (they bypass the cache), heuristic lifetimes, targeted fields (RFC 9213), tags.

mod answer;
mod cache;
mod clock;
mod collapse;
mod config;
mod encodings;
mod engine;
pub mod explain;
mod fetch;
mod fill;
mod freshness;
mod future;
mod generation;
pub mod headers;
pub mod idempotency;
mod inquiry;
mod keep;
mod key;
mod layer;
mod metrics;
pub mod policy;
mod query;
mod refresh;
mod service;
mod status;
mod stored;
mod terms;
mod unkeyed;
mod variants;
mod vary;
mod wait;

pub use cache::{HttpCache, HttpStats};
pub use config::{BuildError, Config, SetCookie};
pub use encodings::Encode;
pub use freshness::{Exchange, Freshness, explicit_lifetime};
pub use future::ResponseFuture;
pub use key::Key;
pub use layer::CacheLayer;
pub use service::Cache;
pub use terms::Terms;
pub use vary::{VaryKey, names as vary_names};
