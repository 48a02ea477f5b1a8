#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod backoff;
mod caught;
mod every;
mod random;
mod resources;
mod shutdown;
#[cfg(all(unix, feature = "signal"))]
pub mod signal;
mod task;

pub use backoff::Backoff;
pub use every::every;
pub use resources::{Ending, Outcome, Resources};
pub use shutdown::{InFlight, Report, Shutdown, Watcher};
pub use task::{Stop, Task};
