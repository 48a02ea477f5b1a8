//! `Cache-Status`: what the cache did, for people who read headers (RFC 9211).

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue, StatusCode};

/// The field (RFC 9211 §2).
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Why a request went to the origin (RFC 9211 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forward {
    Bypass,
    Method,
    UriMiss,
    VaryMiss,
    Request,
    Stale,
    Partial,
}

impl Forward {
    const fn name(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// The cache's member of the list.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Status {
    /// Answered from the store; the lifetime left, in seconds, negative when stale.
    Hit { ttl: i64 },
    /// Asked the origin, or shared the answer to another request that did.
    Forwarded { why: Forward, status: Option<StatusCode>, stored: bool, collapsed: bool },
    /// Neither: the request forbade to ask the origin.
    Detail(&'static str),
}

impl Status {
    /// Asked the origin and stored nothing.
    pub(crate) const fn forwarded(why: Forward, status: Option<StatusCode>) -> Self {
        Self::Forwarded { why, status, stored: false, collapsed: false }
    }

    /// Asked the origin; `stored` if the answer is, or will be once all that it announced has
    /// come (RFC 9211 §2.5).
    pub(crate) const fn passed(why: Forward, status: StatusCode, stored: bool) -> Self {
        Self::Forwarded { why, status: Some(status), stored, collapsed: false }
    }

    /// Shared the answer to another request.
    pub(crate) const fn collapsed(why: Forward) -> Self {
        Self::Forwarded { why, status: None, stored: false, collapsed: true }
    }

    /// Whether the answer came from the store without asking the origin.
    pub(crate) const fn is_hit(self) -> bool {
        matches!(self, Self::Hit { .. })
    }

    pub(crate) fn value(self, name: &str) -> Option<HeaderValue> {
        let mut text = String::with_capacity(name.len() + 48);
        text.push_str(name);
        // Writing to a String cannot fail.
        let _ = match self {
            Self::Hit { ttl } => write!(text, "; hit; ttl={ttl}"),
            Self::Detail(detail) => write!(text, "; detail={detail}"),
            Self::Forwarded { why, status, stored, collapsed } => {
                let _ = write!(text, "; fwd={}", why.name());
                if let Some(status) = status {
                    let _ = write!(text, "; fwd-status={}", status.as_u16());
                }
                text.push_str(if stored { "; stored" } else { "" });
                text.push_str(if collapsed { "; collapsed" } else { "" });
                Ok(())
            }
        };
        HeaderValue::try_from(text).ok()
    }
}
