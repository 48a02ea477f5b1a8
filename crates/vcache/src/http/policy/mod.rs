//! The rules of a shared cache as pure functions over a request, what is stored, and now.
//!
//! No I/O, no clock and no lock:
//!
//! | question | function |
//! |---|---|
//! | May this response be stored, and under which terms? | [`admit`], of a part [`admit_part`], to a POST [`admit_post`] |
//! | Which of several stored responses fits a request? | [`select`] |
//! | What to do with it? | [`decide`] |
//! | Is it time to ask for a fresh one again? | [`Early::is_due`] |
//! | In which form to answer: the whole, 304, parts, 416? | [`form`], [`not_modified`] |
//! | How to ask the origin whether it is still right? | [`condition`] |
//! | What becomes of it once the origin has confirmed it? | [`merge_304`], [`merge_head`] |
//! | May a part complete what is stored? | [`merge_part`] |
//! | Which URIs has a request changed? | [`invalidate`] |
//!
//! [`Rules`] holds what the RFCs leave to the operator.

mod admit;
mod condition;
mod decide;
mod early;
mod form;
mod invalidate;
mod merge;
mod precondition;
mod rules;
mod select;

pub use admit::{Refusal, admit, admit_part, admit_post};
pub use condition::{condition, is_for_client};
pub use decide::{Decision, Wish, decide};
pub(crate) use early::Ahead;
pub use early::Early;
pub use form::{Form, form};
pub use invalidate::{invalidate, is_safe};
pub use merge::{HeadNews, merge_304, merge_head, merge_part};
pub use precondition::{if_range, not_modified};
pub use rules::{Heuristic, Rules};
pub use select::select;
