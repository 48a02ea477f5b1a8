//! When a failed request is sent again.

pub(crate) mod policy;
