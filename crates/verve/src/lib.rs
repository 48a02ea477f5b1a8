#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "stack")]
mod begin;
#[cfg(all(feature = "balance", feature = "pool"))]
mod classify;
#[cfg(feature = "stack")]
mod either;
#[cfg(feature = "stack")]
mod encode;
#[cfg(feature = "stack")]
mod guard;
#[cfg(feature = "stack")]
mod plain;
#[cfg(feature = "stack")]
mod stack;

#[cfg(feature = "stack")]
pub use begin::Begin;
#[cfg(all(feature = "balance", feature = "pool"))]
pub use classify::classify;
#[cfg(feature = "stack")]
pub use either::{Either, EitherFuture};
#[cfg(feature = "stack")]
pub use guard::{Guard, GuardFuture};
#[cfg(feature = "stack")]
pub use plain::{Plain, PlainFuture};
#[cfg(feature = "stack")]
pub use stack::{Stack, StackService};
#[cfg(feature = "balance")]
pub use vbalance as balance;
#[cfg(feature = "cache")]
pub use vcache as cache;
#[cfg(feature = "compress")]
pub use vcompress as compress;
pub use vhttp as http;
#[cfg(feature = "metrics")]
pub use vmetrics as metrics;
#[cfg(feature = "pool")]
pub use vpool as pool;
#[cfg(feature = "ratelimit")]
pub use vratelimit as ratelimit;
#[cfg(feature = "server")]
pub use vserver as server;
pub use vtask as task;
pub use vunit as unit;
