//! What the answer must know of its request.

use crate::http::headers::precondition::Conditions;

/// What is remembered of a request.
#[derive(Debug)]
pub(crate) struct Asked {
    /// GET or HEAD.
    pub(crate) read: bool,
    pub(crate) head: bool,
    /// Asked of the service as GET.
    pub(crate) whole: bool,
    pub(crate) conditions: Option<Conditions>,
}
