//! Verve against its peers: the same work, in one run.
//!
//! Every figure is read beside its peer's of the same run; a number alone says little about
//! another machine. `cargo xtask bench` lists the areas and runs one.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a harness for people: figures of three digits, progress on standard error"
)]

pub mod asked;
#[cfg(feature = "peers")]
pub mod caches;
pub mod chart;
pub mod contender;
pub mod figures;
pub mod load;
pub mod probe;
pub mod redis_server;
pub mod report;
pub mod rounds;
pub mod table;
pub mod trace;
pub mod zipf;
