//! Ranges: answers cut from what is stored, parts stored and put together (RFC 9111 §3.3, §3.4,
//! RFC 9110 §14).

mod answer;
mod body;
mod complete;
mod cut;
mod keep;
mod partial;

pub(crate) use answer::{answer, is_own};
pub(crate) use complete::Completion;
pub(crate) use cut::{several, single, unsatisfiable};
pub(crate) use keep::keep;
pub(crate) use partial::Partial;
