//! Redis and Valkey: connections for [`Pool`](crate::Pool), each for one caller at a time.
//!
//! One multiplexed connection shared by many tasks is several times faster than a pool of
//! exclusive ones, so plain commands want that. Take a pool for what needs a connection of its
//! own: `WATCH`, blocking commands such as `BLPOP`, large replies beside small ones.

mod config;
mod connection;
mod error;
mod open;

pub use config::Config;
pub use connection::Connection;
pub use error::{ConnectError, UrlError};
pub use open::Redis;
