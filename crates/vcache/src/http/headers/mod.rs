//! Response fields for caches: `Cache-Control`, entity tags, and answers to conditional requests.
//!
//! For applications that answer by themselves and want browsers, CDNs, or the cache in front of
//! them, to store what they say:
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! use std::time::Duration;
//!
//! use axum::{Router, body::Body, routing::get};
//! use http::Request;
//! use tower::ServiceExt;
//! use vcache::http::headers::{Directives, ResponseHeadersLayer, Tagging};
//!
//! let minute = Directives::public().max_age(Duration::from_secs(60)).must_revalidate();
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(
//!     ResponseHeadersLayer::new()
//!         .cache_control(minute)
//!         .errors(Directives::no_store())
//!         .entity_tags(Tagging::Strong),
//! );
//!
//! let request = Request::get("/").body(Body::empty()).unwrap();
//! let answer = app.clone().oneshot(request).await.unwrap();
//! assert_eq!(answer.headers()["cache-control"], "public, max-age=60, must-revalidate");
//!
//! let tag = &answer.headers()["etag"];
//! let request = Request::get("/").header("if-none-match", tag).body(Body::empty()).unwrap();
//! assert_eq!(app.oneshot(request).await.unwrap().status(), 304);
//! # });
//! ```
//!
//! # What it does
//!
//! - **Cache-Control** goes onto successful answers to GET and HEAD, and onto 301, 304 and 308,
//!   where the service says nothing of the kind (neither `Cache-Control` nor `Expires`), or
//!   [over](ResponseHeadersLayer::overriding) what it says. Errors (4xx, 5xx) get what
//!   [`errors`](ResponseHeadersLayer::errors) says, or nothing.
//! - **Entity tags** are made of the content of 200 answers to GET that have none, and no
//!   `no-store`. Content up to [`max_body`](ResponseHeadersLayer::max_body) is read for it first.
//!   Larger content passes untouched, and so does content without a length, unless
//!   [`streams`](ResponseHeadersLayer::streams) says otherwise.
//! - **Conditional requests** are answered in the order of RFC 9110 §13.2.2: `If-Match`, else
//!   `If-Unmodified-Since`, with 412; `If-None-Match`, else `If-Modified-Since`, with 304. Only for
//!   GET and HEAD: what a PUT depends on must be checked before it is carried out, by the service.
//!   `Range` and `If-Range` are the service's.
//! - **HEAD** is asked as GET where tags are made, so that it has the fields that GET has, and
//!   answered without the content.
//!
//! # Limits and guarantees
//!
//! - **Place.** Inside compression, which weakens or changes the tags of what it codes; and around
//!   the service itself in a `verve::Stack`, so that the cache there follows what is said here.
//! - **Memory.** At most `max_body` for each answer on its way.
//! - **Cancel safety.** Nothing is kept between requests.
//! - **Tags** are 128 bits of a SHA-256 of the content: two contents with one tag are not to be
//!   expected, whoever writes them.

mod asked;
mod directives;
mod future;
mod layer;
mod precondition;
mod rejoined;
mod rules;
mod service;

pub use directives::Directives;
pub use future::ResponseFuture;
pub use layer::ResponseHeadersLayer;
pub use rules::Tagging;
pub use service::ResponseHeaders;
