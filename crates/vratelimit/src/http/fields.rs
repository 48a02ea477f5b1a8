//! What the client is told: `RateLimit-Policy`, `RateLimit`, and the older `X-RateLimit-*`.

use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::decision::Decision;
use crate::quota::Quota;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Which fields a layer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) standard: bool,
    pub(crate) x: bool,
}

/// What one response tells.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) style: Style,
    pub(crate) policy: Option<HeaderValue>,
    pub(crate) limit: Option<HeaderValue>,
    pub(crate) decision: Decision,
}

impl Told {
    /// Writes the fields. Those of the standard are lists: what the origin told stays beside
    /// ours. Of the `X-` fields there can be one only; the one nearer to the client counts.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if let (Some(policy), Some(limit)) = (self.policy, self.limit) {
            headers.append(POLICY, policy);
            headers.append(LIMIT, limit);
        }
        if self.style.x {
            let reset = whole_seconds(self.decision.reset_after);
            headers.insert(X_LIMIT, HeaderValue::from(self.decision.limit));
            headers.insert(X_REMAINING, HeaderValue::from(self.decision.remaining));
            headers.insert(X_RESET, HeaderValue::from(reset));
        }
    }
}

/// The policy, as an item of a structured list: `"default";q=10;w=1`
/// (draft-ietf-httpapi-ratelimit-headers-10 §3).
///
/// The quota is the burst, so that what remains is never more than it, and the window is the time
/// in which the whole burst comes back. Both are whole, the window in seconds and at least one:
/// rounded up, it promises less than there is and never more.
pub(crate) fn policy(name: &str, quota: &Quota) -> Option<HeaderValue> {
    let burst = quota.burst();
    let window = whole_seconds(Duration::from_nanos(quota.full_nanos())).max(1);
    HeaderValue::try_from(format!("\"{name}\";q={burst};w={window}")).ok()
}

/// What is left, as an item of a structured list: `"default";r=50;t=30` (same draft §4). `t` is
/// the time until more is there; on a denial it equals `Retry-After`.
pub(crate) fn limit(name: &str, decision: &Decision) -> Option<HeaderValue> {
    let until = if decision.allowed { decision.more_after } else { decision.retry_after };
    let (remaining, until) = (decision.remaining, whole_seconds(until));
    HeaderValue::try_from(format!("\"{name}\";r={remaining};t={until}")).ok()
}

/// Whole seconds, rounded up: a client that waits this long is not early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_policy_is_the_burst_and_the_time_in_which_it_comes_back() {
        for (rate, burst, wanted) in [
            ("1/s", 3, "\"api\";q=3;w=3"),
            ("100/s", 10, "\"api\";q=10;w=1"),
            ("100/s", 100, "\"api\";q=100;w=1"),
            ("5000/m", 500, "\"api\";q=500;w=6"),
            ("3/1500ms", 3, "\"api\";q=3;w=2"),
            ("1/d", 1, "\"api\";q=1;w=86400"),
        ] {
            let burst = NonZeroU32::new(burst).unwrap();
            let quota = Quota::new(rate.parse().unwrap(), burst).unwrap();
            assert_eq!(policy("api", &quota).unwrap(), wanted, "{rate}");
        }
    }
}
