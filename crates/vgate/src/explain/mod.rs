//! What would happen to a request, and why: route, key, rules, and what is stored.

pub(crate) mod answer;
pub(crate) mod question;
pub(crate) mod text;
