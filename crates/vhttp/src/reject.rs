//! Short error responses as problem details.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;

/// A short error response: status, a reason for people, a reason for machines, and how long to
/// wait.
///
/// The body is `application/problem+json` (RFC 9457) and the response is never stored by a cache
/// (`Cache-Control: no-store`). The reason also stands in the response's extensions as
/// [`Reason`], so that access logs and metrics can tell rejections apart.
///
/// ```
/// use std::time::Duration;
/// use vhttp::Reject;
///
/// let response = Reject::new(http::StatusCode::TOO_MANY_REQUESTS, "rate-limited")
///     .detail("more than 100 requests a second")
///     .retry_after(Duration::from_millis(1200))
///     .into_response();
/// assert_eq!(response.headers()["retry-after"], "2");
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// ```
#[derive(Debug, Clone)]
#[must_use = "a rejection does nothing until `into_response` is called"]
pub struct Reject {
    status: StatusCode,
    reason: &'static str,
    detail: Option<String>,
    retry_after: Option<Duration>,
}

/// Why a response was made here instead of by the origin: a short word such as `connect-failed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reason(pub &'static str);

impl Reject {
    /// A rejection with `status`; `reason` is a short lower-case word with hyphens, from a fixed
    /// set, because it becomes a label of metrics.
    pub const fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason, detail: None, retry_after: None }
    }

    /// Adds a sentence for people. It is sent to the client: no secrets, no addresses.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds `Retry-After`, in whole seconds, rounded up (RFC 9110 §10.2.3).
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The response.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::full(self.json()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        response.extensions_mut().insert(Reason(self.reason));
        response
    }

    fn json(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut json = format!(
            r#"{{"type":"about:blank","title":"{title}","status":{},"reason":"{}""#,
            self.status.as_u16(),
            self.reason,
        );
        if let Some(detail) = &self.detail {
            json.push_str(r#","detail":""#);
            escape_into(detail, &mut json);
            json.push('"');
        }
        json.push_str("}\n");
        json
    }
}

/// Whole seconds, rounded up: a client that waits this long is not early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Writes `text` as the inside of a JSON string (RFC 8259 §7).
fn escape_into(text: &str, json: &mut String) {
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(3)), 3);
    }

    #[test]
    fn the_detail_is_escaped() {
        let response = Reject::new(StatusCode::BAD_GATEWAY, "bad-answer")
            .detail("a \"quoted\"\nline \\")
            .into_response();
        let body = response.into_body().as_bytes().unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            "{\"type\":\"about:blank\",\"title\":\"Bad Gateway\",\"status\":502,\
             \"reason\":\"bad-answer\",\"detail\":\"a \\\"quoted\\\"\\u000aline \\\\\"}\n"
        );
    }
}
