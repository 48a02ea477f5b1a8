//! A fetch that failed, as those hear of it who have waited for it in vain.

use std::time::Duration;

use http::{Extensions, StatusCode};
use vhttp::{Reason, Reject};

use crate::http::hold_off::Cause;

/// When to come back; the origin may be well again by then.
const SOON: Duration = Duration::from_secs(1);

/// An outage: of the origin, or of the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    reason: &'static str,
    /// Whether the origin did not answer at all.
    is_silence: bool,
}

impl Failure {
    /// The service failed without an answer.
    pub(crate) const NO_ANSWER: Self =
        Self { status: StatusCode::BAD_GATEWAY, reason: "fetch-failed", is_silence: true };

    /// The outage that an answer tells of: the origin's own, or one of the way to it, of which our
    /// own side tells.
    pub(crate) fn of(status: StatusCode, extensions: &Extensions) -> Option<Self> {
        let own = extensions.get::<Reason>();
        let reason = own.map_or("origin-failed", |reason| reason.0);
        is_outage(status).then_some(Self { status, reason, is_silence: own.is_some() })
    }

    /// Whether the origin did not answer at all.
    pub(crate) const fn is_silence(self) -> bool {
        self.is_silence
    }

    /// The answer of our own to one who waited for the fetch.
    pub(crate) fn reject(self) -> Reject {
        Reject::new(self.status, self.reason).retry_after(SOON)
    }

    /// The word for it.
    pub(crate) const fn reason(self) -> &'static str {
        self.reason
    }
}

/// The errors that `stale-if-error` is about (RFC 5861 §4).
fn is_outage(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        Self::Failed { is_silence: failure.is_silence() }
    }
}
