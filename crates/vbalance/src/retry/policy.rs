//! Whether a failed try may be followed by another, and where.

use http::Method;

/// Why a client service gave no answer, as far as it matters for trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// Not one byte of the request was written: no connection, or HTTP/2 refused the stream
    /// (RFC 9113 §8.7). Safe to try again whatever the method.
    NotSent,
    /// The connection ended after something was written and before the head of the answer.
    ClosedBeforeAnswer {
        /// Whether the connection had served a request before, so that the origin may have closed
        /// it as idle before it saw this one.
        reused: bool,
    },
    /// No answer in time.
    Timeout,
    /// The client's own limit was reached; the endpoint was not asked.
    Busy,
    /// Anything else, a broken answer above all. Never tried again.
    Other,
}

/// Where another try may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Nowhere.
    No,
    /// To an endpoint not yet tried.
    Elsewhere,
    /// To one not yet tried, or to the same on a fresh connection when there is no other.
    Anywhere,
}

/// The rule, given that the request can be sent again as it was.
///
/// "A proxy MUST NOT automatically retry non-idempotent requests" (RFC 9110 §9.2.2).
pub(crate) fn again(failure: Failure, method: &Method) -> Again {
    match failure {
        Failure::NotSent => Again::Elsewhere,
        Failure::ClosedBeforeAnswer { reused } if method.is_idempotent() => {
            if reused {
                Again::Anywhere
            } else {
                Again::Elsewhere
            }
        }
        Failure::ClosedBeforeAnswer { .. } | Failure::Timeout | Failure::Busy | Failure::Other => {
            Again::No
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_have_happened_twice_is_tried_again() {
        let stale = Failure::ClosedBeforeAnswer { reused: true };
        let reset = Failure::ClosedBeforeAnswer { reused: false };
        for (failure, get, post) in [
            (Failure::NotSent, Again::Elsewhere, Again::Elsewhere),
            (stale, Again::Anywhere, Again::No),
            (reset, Again::Elsewhere, Again::No),
            (Failure::Timeout, Again::No, Again::No),
            (Failure::Busy, Again::No, Again::No),
            (Failure::Other, Again::No, Again::No),
        ] {
            assert_eq!(again(failure, &Method::GET), get, "{failure:?}");
            assert_eq!(again(failure, &Method::PUT), get, "{failure:?}");
            assert_eq!(again(failure, &Method::POST), post, "{failure:?}");
            assert_eq!(again(failure, &Method::PATCH), post, "{failure:?}");
        }
    }
}
