//! Loading what is not there.

pub(crate) mod flight;
