#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod body;
mod connection;
mod reject;
mod timeline;

pub use body::{Body, BodyError, BoxError};
pub use connection::Connection;
pub use reject::{Reason, Reject};
pub use timeline::{CacheVerdict, LimitVerdict, Phase, Record, Timeline};
