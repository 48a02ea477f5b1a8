//! Two ways to notice a bad endpoint: ask it (active), or look at what it does (outlier).

pub(crate) mod active;
pub(crate) mod http_get;
pub(crate) mod outlier;
