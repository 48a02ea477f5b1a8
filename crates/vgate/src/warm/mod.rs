//! Filling the caches before anybody asks.

pub(crate) mod bar;
pub(crate) mod check;
pub(crate) mod list;
pub(crate) mod sitemap;
pub(crate) mod urls;
pub(crate) mod visit;
pub(crate) mod warming;
