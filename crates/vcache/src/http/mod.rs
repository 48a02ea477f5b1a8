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
//! - Stores the answers to GET that bring a lifetime, that let one be estimated
//!   ([`Config::heuristic_percent`]), or that are to be validated at every use, and serves GET and
//!   HEAD from them; 304 where the client has the same. `CDN-Cache-Control` and its like go before
//!   `Cache-Control` (RFC 9213, [`Config::targets`]). Several variants of a URL (`Vary`) stand side
//!   by side. Content that the origin has coded varies with `Accept-Encoding` whether the origin
//!   says so or not, and the answers say it.
//! - Cuts parts from what is stored whole (`Range`, `If-Range`, several at once), always from the
//!   form that is not coded; stores parts that come, puts them together under the same strong
//!   entity tag, and asks only for the rest where a beginning is stored.
//! - Validates what is stale, serves it stale where the origin allows that (RFC 5861) or cannot be
//!   reached ([`Config::stale_if_unreachable`]), and drops what an unsafe request has changed.
//! - Collapses concurrent misses of one key into one request. The others read its answer while it
//!   arrives, from its beginning, as soon as the head says that they may; if it says that they may
//!   not, all go to the origin at once, and the next ones do not wait either for a while.
//! - Forgets on request: by URL, tag, prefix, host or altogether, softly or hard ([`Purge`]).
//!   Tags are words of `Surrogate-Key` and `Cache-Tag`; an origin's groups (RFC 9875) are tags that
//!   only its own answers to unsafe requests can name.
//! - Keeps it on disk and in a Redis that processes share as well, if the settings say so
//!   (`Config::disk`, `Config::redis`), with purges that hold everywhere.
//! - Says so in `Age` and `Cache-Status` (RFC 9211), in the request's `Timeline`, and in the
//!   metric `vcache_http_requests_total{cache, outcome}`.
//!
//! `Cache-Status` goes out before the body ends: `stored` (RFC 9211 §2.5) is said when the answer is
//! in the store, and of a body that announced its length, because whoever gets the whole of that
//! finds it stored. Of a body without a length it is not said, though it is stored if it ends as it
//! should. Trailers go on to who reads them as they come, and are not stored.
//!
//! `must-revalidate`, `proxy-revalidate`, `s-maxage` and `no-cache` forbid every stale answer, as
//! the RFC says: `s-maxage=1, stale-while-revalidate=60` never answers stale here, unless
//! [`Config::stale_beside_s_maxage`] says so.
//!
//! The answer to a POST is stored where it is that to a GET as well: a 200 with a lifetime set by the
//! origin and a `Content-Location` that is the target (RFC 9110 §9.3.3).
//!
//! Every rule that it follows is a row in `CONFORMANCE.md`, named by RFC and section; deviations
//! and choices are marked there.
//!
//! # Limits and guarantees
//!
//! - **Memory.** Stored responses, their heads, keys and codings together never weigh more than
//!   [`Config::max_size`], tags and their index included. Of each answer on its way to be stored at
//!   most [`Config::max_object_size`] is held beside it, and a chunk, however many read it and
//!   however slowly; twice that in the moment in which it is put together for the store. What turns out to be larger goes on with those who read it by then, at the
//!   pace of the slowest within that window.
//! - **Cancel safety.** A request that is dropped takes nothing away: the fetch that it began goes
//!   on for those who wait and for the store. If nobody waits, it goes on in one of
//!   [`Config::max_refreshes`] places for [`Config::refresh_timeout`] at most, as background
//!   refreshes do. All of them end with the last handle to the cache and the last body read.
//! - **Failing.** If a fetch fails before its head has come, with an error of the service or an
//!   answer that tells of an outage (500, 502, 503, 504), exactly one of those who wait asks next.
//!   Who has waited for [`Config::collapse_timeout`] and has heard of two such failures is answered
//!   with the last. A body that breaks off does so for all who read it, and is not stored.
//! - **Waiting.** While the head that many wait for does not come, one more of them asks the origin
//!   each [`Config::collapse_timeout`], for all of them: the first answer counts.
//! - **Purging.** What was asked of the origin before a purge is neither stored after it nor joined
//!   by who comes after it. The purge of many URLs looks at every key once.
//! - **Tiers below memory** take no request down: a read ends with the tier's time limit, writes go
//!   behind the answers and are bounded. Out of touch with the others that share a Redis, what is
//!   older than `Config::offline_ttl` is validated. The crate's documentation says more.
//! - **The origin is down.** Errors of the service pass through, where no stale answer may stand
//!   in for them.
//! - **Ranges.** An answer to a request for parts is never larger than the stored response and the
//!   fields of [`Config::max_ranges`] parts. Concurrent requests for the same part
//!   are one request to the origin; the others wait for its end. What a whole answer that broke
//!   off has left is kept as a beginning where it has a strong entity tag, and completed.
//! - **Explaining.** Of the last answers that were not stored some hundred are remembered, with the
//!   fields that the rules are about and without secrets: half a mebibyte at most.
//! - **Runtime.** Waiting and refreshing need tokio with its timer.
//! - **Time** is the system's clock at build and the monotonic one from there on: steps of the
//!   system clock later on are not seen.

mod answer;
mod audience;
mod background;
mod below;
mod cache;
mod clock;
mod collapse;
mod config;
mod encodings;
mod engine;
pub mod explain;
mod failure;
mod fetch;
mod fill;
mod filling;
#[cfg(feature = "redis")]
mod fleet;
mod flow;
mod freshness;
mod future;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod generation;
mod head;
pub mod headers;
mod hold_off;
pub mod idempotency;
mod inquiry;
mod keep;
mod key;
mod layer;
mod metrics;
mod notes;
pub mod policy;
mod post;
mod purge;
mod purging;
mod query;
mod ranges;
mod reading;
mod recall;
mod record;
mod refused;
mod service;
mod siblings;
mod stamp;
mod status;
mod stored;
mod tag_index;
mod tags;
mod terms;
mod tiers;
mod unkeyed;
mod variant_index;
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
pub use purge::{Purge, PurgeError, Purged};
pub use record::{Record, RecordError};
pub use service::Cache;
pub use terms::Terms;
pub use tiers::{TierState, TiersStats};
pub use vary::{Normalise, VaryKey, names as vary_names};
