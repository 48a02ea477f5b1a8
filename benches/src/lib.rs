//! Verve against its peers: the same work, in one run.
//!
//! Every figure is read beside its peer's of the same run; a number alone says little about
//! another machine. `cargo xtask bench` lists the areas and runs one.
#![forbid(unsafe_code)]
#![expect(
    clippy::cast_precision_loss,
    clippy::print_stderr,
    reason = "a harness for people: figures of three digits, progress on standard error"
)]

pub mod caches;
pub mod contender;
pub mod load;
pub mod report;
pub mod trace;
pub mod zipf;
