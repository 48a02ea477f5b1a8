#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod cache_control;
mod connection;
pub mod date;
mod etag;
mod forwarded;
mod forwarding;
pub mod hop;
mod interim;
pub mod list;
mod network;
mod range;
mod reject;
mod timeline;
pub mod weighted;

pub use body::{Body, BodyError, BoxError};
pub use cache_control::{CacheControl, Fields};
pub use connection::Connection;
pub use etag::{EntityTag, EntityTags};
pub use forwarded::{ClientAddr, TrustedProxies};
pub use forwarding::vouched::Vouched;
pub use forwarding::{Forwarding, claims};
pub use interim::{Interim, Outbox};
pub use network::{Network, NetworkError};
pub use range::{ByteRange, ByteRanges, ContentRange};
pub use reject::{Reason, Reject};
pub use timeline::{CacheVerdict, LimitVerdict, Phase, Record, ReplayVerdict, Timeline};
pub use weighted::Weighted;
