//! Which stored response fits a request: RFC 9111 §4.1.

use http::HeaderMap;

use crate::http::vary::VaryKey;

/// The first of `candidates` whose `Vary` fields have the same values in the request.
///
/// Candidates come with the most recent first, as the RFC prefers it. The request's values are
/// made comparable once for each run of candidates with the same field names.
pub fn select<'a, T>(
    candidates: impl IntoIterator<Item = (&'a VaryKey, &'a T)>,
    request: &HeaderMap,
) -> Option<&'a T> {
    let mut asked: Option<VaryKey> = None;
    for (key, item) in candidates {
        if key.names().is_empty() || key.is_verbatim(request) {
            return Some(item);
        }
        let current = match asked.take() {
            Some(current) if key.is_like(&current) => current,
            _ => key.ask(request),
        };
        if key.fits(&current, request) {
            return Some(item);
        }
        asked = Some(current);
    }
    None
}
