#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod duration;
mod error;
mod number;
mod rate;
pub mod size;
#[cfg(feature = "serde")]
mod with;

pub use error::ParseError;
pub use rate::Rate;
