//! Loading what is not there, and refreshing what is about to go.

pub(crate) mod account;
pub(crate) mod blocking;
pub(crate) mod circle;
pub(crate) mod early;
pub(crate) mod fill;
pub(crate) mod flight;
pub(crate) mod gate;
pub(crate) mod leader;
pub(crate) mod limits;
pub(crate) mod loaded;
pub(crate) mod many;
pub(crate) mod refresh;
