//! Which stored responses a request has made invalid: RFC 9111 §4.4.

use http::header::{CONTENT_LOCATION, HeaderMap, HeaderName, LOCATION};
use http::{Method, StatusCode};

use crate::http::key::Key;

/// The keys whose responses are out of date after this exchange.
///
/// After a method that is not known to be safe and that succeeded (2xx, 3xx): the target URI, and
/// what `Location` and `Content-Location` name on the same origin: as they spell it, and in the
/// normal form of RFC 3986 §6.2.2, in which a gateway may have forwarded it. Never another origin:
/// it could be emptied from here.
#[must_use]
pub fn invalidate(method: &Method, target: &Key, response: (StatusCode, &HeaderMap)) -> Vec<Key> {
    let (status, headers) = response;
    if is_safe(method) || !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let mut keys = vec![target.clone()];
    for name in [LOCATION, CONTENT_LOCATION] {
        let Some(key) = named(target, headers, &name) else {
            continue;
        };
        for key in [normal(&key), Some(key)].into_iter().flatten() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// Whether the method is known to change nothing (RFC 9110 §9.2.1 and the registry of methods).
#[must_use]
pub fn is_safe(method: &Method) -> bool {
    let registered = ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"];
    registered.contains(&method.as_str())
}

/// Whether the content of a response is that of the target itself: its only `Content-Location` is
/// the target's URI (RFC 9110 §8.7, §9.3.3).
pub(crate) fn is_of_target(target: &Key, headers: &HeaderMap) -> bool {
    let is_one = headers.get_all(CONTENT_LOCATION).iter().count() == 1;
    is_one && named(target, headers, &CONTENT_LOCATION).as_ref() == Some(target)
}

/// The URI in a field, when it is on the target's origin.
fn named(target: &Key, headers: &HeaderMap, name: &HeaderName) -> Option<Key> {
    let reference = headers.get(name)?.to_str().ok()?;
    let (origin, path) = target.split_origin();
    let url = resolve(origin, path, reference.trim())?;
    let key = Key::of_url(&url)?;
    (key.split_origin().0 == origin).then_some(key)
}

/// The key with a path in normal form (RFC 3986 §6.2.2); `None` when it is in it, or has none.
fn normal(key: &Key) -> Option<Key> {
    let (origin, target) = key.split_origin();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if !path.contains(['%', '.']) {
        return None;
    }
    let path = without_dots(&decoded(path)?);
    let normal = match query {
        Some(query) => format!("{origin}{path}?{query}"),
        None => format!("{origin}{path}"),
    };
    (normal != key.as_str()).then(|| Key::of_url(&normal)).flatten()
}

/// Decodes what needs no encoding, and writes the rest in upper case.
fn decoded(path: &str) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(path.len()), path);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let hex = after.get(..2).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
        match u8::from_str_radix(hex, 16).ok()? {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push_str(&hex.to_ascii_uppercase());
            }
        }
        rest = after.get(2..)?;
    }
    out.push_str(rest);
    Some(out)
}

/// Resolves a reference against `origin` + `path` (RFC 3986 §5.2).
fn resolve(origin: &str, path: &str, reference: &str) -> Option<String> {
    let reference = reference.split('#').next().unwrap_or_default();
    let base = path.split('?').next().unwrap_or_default();
    if has_scheme(reference) {
        return Some(reference.to_owned());
    }
    if let Some(rest) = reference.strip_prefix("//") {
        let (scheme, _) = origin.split_once("://")?;
        return Some(format!("{scheme}://{rest}"));
    }
    if reference.is_empty() {
        return Some(format!("{origin}{path}"));
    }
    if reference.starts_with('?') {
        return Some(format!("{origin}{base}{reference}"));
    }
    let (path, query) = match reference.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (reference, None),
    };
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let merged = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{folder}/{path}"),
    };
    let path = without_dots(&merged);
    Some(match query {
        Some(query) => format!("{origin}{path}?{query}"),
        None => format!("{origin}{path}"),
    })
}

/// Whether the reference begins with a scheme (RFC 3986 §3.1).
fn has_scheme(reference: &str) -> bool {
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    reference
        .split_once(':')
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(is_scheme))
}

/// Removes dot segments from an absolute path (RFC 3986 §5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    let mut path = String::new();
    for segment in kept {
        path.push('/');
        path.push_str(segment);
    }
    if path.is_empty() { "/".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_in_the_rfc() {
        // RFC 3986 §5.4, with the base http://a/b/c/d;p?q.
        for (reference, resolved) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("g..", "http://a/b/c/g.."),
            ("./g/.", "http://a/b/c/g/"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("http://h/x", "http://h/x"),
        ] {
            assert_eq!(
                resolve("http://a", "/b/c/d;p?q", reference).as_deref(),
                Some(resolved),
                "{reference}"
            );
        }
    }
}
