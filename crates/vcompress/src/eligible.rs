//! Which answers may be coded at all, whoever asks: status, fields, type and length.

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE};
use http::{HeaderMap, StatusCode};

use crate::answer::Answer;
use crate::config::Config;
use crate::media_type;

/// Why an answer is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skip {
    /// The method or status has no body, or one that is a part.
    Status,
    /// It is coded already.
    Coded,
    /// Somebody forbade it (RFC 9111 §5.2.1.6, §5.2.2.6).
    NoTransform,
    /// The media type is not on the list.
    Type,
    /// The body is too short.
    Small,
}

/// Whether the answer may be coded; the cheapest question comes first.
pub(crate) fn check(answer: &Answer<'_>, config: &Config) -> Result<(), Skip> {
    if !may_have_body(answer.status) || answer.headers.contains_key(CONTENT_RANGE) {
        return Err(Skip::Status);
    }
    if answer.headers.contains_key(CONTENT_ENCODING) {
        return Err(Skip::Coded);
    }
    if forbids_transform(answer.headers) {
        return Err(Skip::NoTransform);
    }
    if !media_type::is_listed(answer.headers, &config.types) {
        return Err(Skip::Type);
    }
    match answer.length {
        Some(length) if length < config.min_size => Err(Skip::Small),
        _ => Ok(()),
    }
}

/// No content: 1xx, 204, 304; told to be empty: 205; a part: 206 (RFC 9110 §15).
fn may_have_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status.as_u16(), 204 | 205 | 206 | 304)
}

/// Whether `Cache-Control` holds `no-transform`, in a request or a response.
pub(crate) fn forbids_transform(headers: &HeaderMap) -> bool {
    vhttp::list::contains(headers, &CACHE_CONTROL, "no-transform")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn verdict(status: u16, fields: &[(&'static str, &'static str)], length: u64) -> Option<Skip> {
        let headers = headers(fields);
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            length: Some(length),
        };
        check(&answer, &Config::default()).err()
    }

    #[test]
    fn types_are_judged_in_any_letter_case() {
        for (value, listed) in [
            ("text/html", true),
            ("TEXT/HTML; charset=utf-8", true),
            ("text/event-stream", true),
            ("application/json", true),
            ("application/problem+json", true),
            ("application/vnd.api+JSON;v=1", true),
            ("image/svg+xml", true),
            ("application/wasm", true),
            ("font/ttf", true),
            ("font/woff2", false),
            ("image/png", false),
            ("video/mp4", false),
            ("application/zip", false),
            ("application/pdf", false),
            ("application/octet-stream", false),
            ("application/grpc", false),
            ("application/grpc+json", false),
            ("application/grpc-web-text", false),
            ("json", false),
            ("", false),
        ] {
            let verdict = verdict(200, &[("content-type", value)], 5000);
            assert_eq!(verdict.is_none(), listed, "{value}");
        }
    }

    #[test]
    fn answers_that_must_stay_as_they_are() {
        let html = ("content-type", "text/html");
        for status in [100, 101, 204, 205, 206, 304] {
            assert_eq!(verdict(status, &[html], 5000), Some(Skip::Status));
        }
        for status in [200, 201, 404, 500] {
            assert_eq!(verdict(status, &[html], 5000), None, "{status}");
        }
        let range = ("content-range", "bytes */9");
        assert_eq!(verdict(416, &[html, range], 5000), Some(Skip::Status));
        let coded = ("content-encoding", "gzip");
        assert_eq!(verdict(200, &[html, coded], 5000), Some(Skip::Coded));
        let forbidden = ("cache-control", "public, No-Transform");
        assert_eq!(verdict(200, &[html, forbidden], 5000), Some(Skip::NoTransform));
        assert_eq!(verdict(200, &[html], 1023), Some(Skip::Small));
        assert_eq!(verdict(200, &[html], 1024), None);
        assert_eq!(verdict(200, &[], 5000), Some(Skip::Type));
    }
}
