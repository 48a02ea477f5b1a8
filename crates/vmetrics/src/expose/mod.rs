//! The formats in which everything measured can be read.

pub(crate) mod json;
pub(crate) mod prometheus;
#[cfg(feature = "http")]
pub(crate) mod service;
pub(crate) mod source;
