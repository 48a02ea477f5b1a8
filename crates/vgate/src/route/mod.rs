//! From a request to its route.

pub(crate) mod handler;
pub(crate) mod pattern;
pub(crate) mod table;
