//! The fields of a coded answer, and those of a plain one that others get coded.

use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, VARY};
use http::{HeaderMap, HeaderValue};
use vhttp::{EntityTag, EntityTags};

use crate::coding::Coding;

/// Digests of the plain bytes, which the coded ones do not have (RFC 9530; RFC 1864).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

/// Turns the fields of a plain answer into those of the same answer in `coding`.
///
/// Sets `Content-Encoding`, and `Content-Length` to `length` (or removes it); removes
/// `Accept-Ranges`, because ranges of the plain bytes mean nothing now, and digests of the plain
/// bytes; makes a strong `ETag` weak, because equal tags promise equal bytes (RFC 9110 §8.8.1);
/// adds `Vary` as [`set_vary`] does.
pub fn set_coded(headers: &mut HeaderMap, coding: Coding, length: Option<u64>) {
    headers.insert(CONTENT_ENCODING, coding.field_value());
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
        None => headers.remove(CONTENT_LENGTH),
    };
    headers.remove(ACCEPT_RANGES);
    for digest in DIGESTS {
        headers.remove(digest);
    }
    EntityTag::weaken(headers);
    set_vary(headers);
}

/// Adds `Accept-Encoding` to `Vary`, once; `Vary: *` stays as it is (RFC 9110 §12.5.5).
pub fn set_vary(headers: &mut HeaderMap) {
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        return;
    }
    let names = |name| vhttp::list::contains(headers, &VARY, name);
    if names("*") || names("accept-encoding") {
        return;
    }
    let value = merged(headers).unwrap_or(HeaderValue::from_static("Accept-Encoding"));
    if headers.get_all(VARY).iter().count() == 1 {
        headers.insert(VARY, value);
    } else {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// The only line there is, with one more member.
fn merged(headers: &HeaderMap) -> Option<HeaderValue> {
    let value = headers.get(VARY)?.to_str().ok()?.trim();
    if value.is_empty() {
        return None;
    }
    HeaderValue::try_from(format!("{value}, Accept-Encoding")).ok()
}

/// Gives a 304 the entity tag that went out with the coded 200: weak, when the client names the
/// weak form of it. A cache that holds the coded form would not know it by the strong one
/// (RFC 9111 §4.3.4).
pub(crate) fn match_tag(headers: &mut HeaderMap, if_none_match: Option<&EntityTags>) {
    let (Some(sent), Some(EntityTags::List(held))) = (EntityTag::of(headers), if_none_match) else {
        return;
    };
    if held.iter().any(|tag| tag.weak && tag.weak_eq(&sent)) {
        EntityTag::weaken(headers);
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ETAG, IF_NONE_MATCH};

    use super::*;

    fn vary(lines: &[&'static str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(VARY, HeaderValue::from_static(line));
        }
        set_vary(&mut headers);
        set_vary(&mut headers);
        let values = headers.get_all(VARY).iter();
        values.map(|v| v.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vary_is_merged_once() {
        assert_eq!(vary(&[]), ["Accept-Encoding"]);
        assert_eq!(vary(&["Origin"]), ["Origin, Accept-Encoding"]);
        assert_eq!(vary(&["accept-encoding"]), ["accept-encoding"]);
        assert_eq!(vary(&["*"]), ["*"]);
        assert_eq!(vary(&[""]), ["Accept-Encoding"]);
        assert_eq!(vary(&["Origin", "Cookie"]), ["Origin", "Cookie", "Accept-Encoding"]);
    }

    #[test]
    fn what_is_true_of_plain_bytes_only_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-length", "5"),
            ("accept-ranges", "bytes"),
            ("repr-digest", "sha-256=:x:"),
            ("content-digest", "sha-256=:x:"),
            ("etag", "\"v1\""),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        set_coded(&mut headers, Coding::Brotli, Some(3));
        assert_eq!(headers[CONTENT_ENCODING], "br");
        assert_eq!(headers[CONTENT_LENGTH], "3");
        assert_eq!(headers[ETAG], "W/\"v1\"");
        assert_eq!(headers[VARY], "Accept-Encoding");
        assert_eq!(headers.len(), 4);
        set_coded(&mut headers, Coding::Brotli, None);
        assert!(!headers.contains_key(CONTENT_LENGTH));
    }

    #[test]
    fn a_304_has_the_tag_that_the_client_holds() {
        for (named, wanted) in [
            (Some("W/\"v1\""), "W/\"v1\""),
            (Some("\"v0\", W/\"v1\""), "W/\"v1\""),
            (Some("\"v1\""), "\"v1\""),
            (Some("W/\"v0\""), "\"v1\""),
            (Some("*"), "\"v1\""),
            (None, "\"v1\""),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static("\"v1\""));
            if let Some(named) = named {
                headers.insert(IF_NONE_MATCH, HeaderValue::from_static(named));
            }
            let held = EntityTags::parse(&headers, &IF_NONE_MATCH);
            match_tag(&mut headers, held.as_ref());
            assert_eq!(headers[ETAG], wanted, "{named:?}");
        }
    }
}
