//! Idempotent replay: a request with a key is carried out once, and its answer repeated.
//!
//! The `Idempotency-Key` of draft-ietf-httpapi-idempotency-key-header: a client that got no answer
//! sends the same request with the same key again, and gets the answer of the first one instead of
//! a second order.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use vcache::http::idempotency::{Config, Idempotency, IdempotencyLayer};
//! use vhttp::Body;
//!
//! let orders = service_fn(|_: Request<Body>| async {
//!     Ok::<_, Infallible>(Response::builder().status(201).body(Body::full("order 7")).unwrap())
//! });
//! let idempotency = Idempotency::new(Config::default()).unwrap();
//! let service = IdempotencyLayer::new(idempotency).layer(orders);
//!
//! let order = || {
//!     let request = Request::post("http://shop.example/orders");
//!     let request = request.header("idempotency-key", "\"8e03978e-40d5\"");
//!     request.body(Body::full("one teapot")).unwrap()
//! };
//! let first = service.clone().oneshot(order()).await.unwrap();
//! assert_eq!(first.status(), 201);
//! # http_body_util::BodyExt::collect(first.into_body()).await.unwrap();
//! let again = service.oneshot(order()).await.unwrap();
//! assert_eq!(again.status(), 201);
//! assert_eq!(again.headers()["idempotency-replayed"], "true");
//! # });
//! ```
//!
//! # What it does
//!
//! - **Which requests.** Those with a method that is not safe (RFC 9110 §9.2.1) and a key, as a
//!   Structured Fields string or bare. With [`Config::digest`] also POST and PATCH without one: two
//!   are then the same when method, target, content and caller are. All others pass untouched, as
//!   do upgrades.
//! - **A key belongs** to its caller ([`Config::caller`]), method and target. Only a SHA-256 of
//!   them is kept, no credentials.
//! - **Another of the same key** while the first is under way waits for its answer, for
//!   [`Config::wait`]; then it is answered 409. Later ones get status, fields, content and trailers
//!   of the first, and `Idempotency-Replayed: true`. `Date` is that of the answer when it was made;
//!   hop-by-hop fields are not kept.
//! - **Another content** under the same key is answered 422; a key that is malformed, or missing
//!   where [`Config::required`], 400.
//! - **Not remembered** are answers that invite to try again: 5xx, 408, 425, 429; and those that
//!   broke off. The next of their key is carried out.
//! - **An answer too large to keep** ([`Config::max_answer`]) still goes to its client; the next of
//!   its key is answered 409 and not carried out.
//!
//! # Limits and guarantees
//!
//! - **A client that leaves** does not end what was begun: it goes on for
//!   [`Config::finish_timeout`], so that the answer is there when the client comes again. Whoever
//!   waits for a request that failed or was dropped gets its turn, one at a time.
//! - **Once.** The store gives a key to one holder at a time, for a lease that the holder renews,
//!   and takes an answer only from a holder whose key nobody has taken over. In memory that holds
//!   for one process; in Redis (feature `redis`) for all that share it, as far as Redis loses
//!   nothing: one that is restarted empty, or fails over before it has copied, forgets keys, and
//!   their requests may be carried out again.
//! - **Memory.** For each request under way ([`Config::max_running`]) or waiting
//!   ([`Config::max_waiting`]) its content, at most [`Config::max_body`], and for each under way
//!   its answer, at most [`Config::max_answer`]. The answers kept in memory never weigh more than
//!   [`Config::max_size`]: when it is full, some leave before their time, and their requests would
//!   be carried out again.
//! - **The store is down.** [`Config::on_error`] says whether requests pass without protection or
//!   are answered 503. An answer that could not be kept is tried to be kept three times.
//! - **Runtime.** Needs tokio with its timer. What is under way ends with the last handle.
//! - Trailers of requests are dropped.

mod answer;
mod asked;
mod caller;
mod config;
mod digest;
mod future;
mod handle;
mod layer;
mod lead;
mod lookup;
mod metrics;
mod outcome;
mod presence;
mod relay;
mod run;
mod runs;
mod service;
mod shared;
mod store;

#[cfg(fuzzing)]
pub(crate) use asked::key as read_key;
pub use config::{BuildError, Config, OnError};
pub use digest::Digest;
pub use future::ResponseFuture;
pub use handle::{Idempotency, Stats};
pub use layer::IdempotencyLayer;
pub use service::Idempotent;
pub use store::memory::MemoryReplays;
#[cfg(feature = "redis")]
pub use store::redis::RedisReplays;
pub use store::{Claim, ReplayStore, Token};
