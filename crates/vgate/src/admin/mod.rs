//! The listener for people and machines that look after the gateway.

pub(crate) mod explain;
pub(crate) mod listener;
pub(crate) mod page;
pub(crate) mod purge;
pub(crate) mod status;
pub(crate) mod view;
