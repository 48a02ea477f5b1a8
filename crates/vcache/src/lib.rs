#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod clock;
#[cfg(feature = "http")]
pub mod http;
mod memory;

#[cfg(feature = "tokio")]
pub use clock::TokioClock;
pub use clock::{Clock, ManualClock, SystemClock};
pub use hashbrown::Equivalent;
pub use memory::{BuildError, Memory, MemoryBuilder, Stats};
