//! The rules of a shared cache as pure functions over a request, what is stored, and now.
//!
//! No I/O, no clock and no lock: [`admit`] says whether a response may be stored and under which
//! terms, [`select`] which of several stored responses fits a request, [`decide`] what to do with
//! it, [`merge_304`] what it becomes once the origin has confirmed it, and [`invalidate`] which
//! URIs a request has changed. [`not_modified`] evaluates the preconditions of clients.

mod admit;
mod decide;
mod invalidate;
mod merge;
mod precondition;
mod select;

pub use admit::{Refusal, Rules, admit};
pub use decide::{Decision, Wish, decide};
pub use invalidate::{invalidate, is_safe};
pub use merge::merge_304;
pub use precondition::not_modified;
pub use select::select;
