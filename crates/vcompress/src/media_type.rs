//! Media types and the patterns that match them: `text/html`, `text/*`, `*/*+json`.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// Whether the media type matches one of `patterns`.
pub(crate) fn is_listed(headers: &HeaderMap, patterns: &[String]) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else {
        return false;
    };
    if is_grpc(kind, subtype) {
        return false;
    }
    patterns.iter().any(|pattern| matches(pattern, kind, subtype))
}

/// Whether the content is several parts of something (RFC 9110 §14.6).
pub(crate) fn is_in_parts(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value
        .split(';')
        .next()
        .is_some_and(|first| first.trim().eq_ignore_ascii_case("multipart/byteranges"))
}

/// gRPC frames carry a compression of their own.
fn is_grpc(kind: &str, subtype: &str) -> bool {
    kind.eq_ignore_ascii_case("application")
        && subtype.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("grpc"))
}

fn matches(pattern: &str, kind: &str, subtype: &str) -> bool {
    let Some((kinds, subtypes)) = pattern.split_once('/') else {
        return false;
    };
    let same_kind = kinds == "*" || kinds.eq_ignore_ascii_case(kind);
    same_kind
        && match subtypes.strip_prefix('*') {
            Some(suffix) => ends_with(subtype, suffix),
            None => subtypes.eq_ignore_ascii_case(subtype),
        }
}

fn ends_with(text: &str, suffix: &str) -> bool {
    text.len()
        .checked_sub(suffix.len())
        .and_then(|start| text.get(start..))
        .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

/// Whether `pattern` is `type/subtype`, `type/*` or `*/*+suffix`.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    let word = |part: &str| !part.is_empty() && !part.contains(['*', '/', ';', ' ', ',']);
    let Some((kind, subtype)) = pattern.split_once('/') else {
        return false;
    };
    let subtype_fits = match subtype.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => suffix.strip_prefix('+').is_some_and(word),
        None => word(subtype),
    };
    (kind == "*" || word(kind)) && subtype_fits
}
