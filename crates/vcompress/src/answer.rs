//! What must be known of an answer before its coding is chosen.

use http::{HeaderMap, StatusCode};

/// What must be known of an answer to choose its coding.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields, as the origin sent them.
    pub headers: &'a HeaderMap,
    /// How many bytes the body has, if that is known.
    pub length: Option<u64>,
}
