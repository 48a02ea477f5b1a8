//! What a request asks for: its key read, and the name under which it is carried out once.

use http::header::{HeaderMap, HeaderName, UPGRADE};
use http::{Method, Request};
use http_body::Body as HttpBody;

use crate::http::idempotency::caller::Source;
use crate::http::idempotency::config::Config;
use crate::http::idempotency::digest::{Digest, Parts};
use crate::http::key::Key;
use crate::http::policy::is_safe;

/// The field of draft-ietf-httpapi-idempotency-key-header §2.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing: it passes.
    Nothing,
    /// To be carried out once under this key.
    Key(String),
    /// To be carried out once for its content.
    Content,
    /// A key that it does not have.
    Missing,
    /// Something that is no key.
    Malformed(&'static str),
}

/// Reads what `request` asks for.
pub(crate) fn asked<B: HttpBody>(request: &Request<B>, config: &Config) -> Asked {
    let (method, headers) = (request.method(), request.headers());
    if is_safe(method) || method == Method::CONNECT || headers.contains_key(UPGRADE) {
        return Asked::Nothing;
    }
    match key(headers, config.max_key_length) {
        Ok(Some(key)) => Asked::Key(key),
        Err(why) => Asked::Malformed(why),
        // The methods that are not idempotent by themselves (RFC 9110 §9.2.2, RFC 5789 §2).
        Ok(None) if method != Method::POST && method != Method::PATCH => Asked::Nothing,
        Ok(None) if config.required => Asked::Missing,
        Ok(None) if config.digest && fits(request.body(), config.max_body) => Asked::Content,
        Ok(None) => Asked::Nothing,
    }
}

fn fits<B: HttpBody>(body: &B, max: u64) -> bool {
    body.size_hint().exact().is_some_and(|length| length <= max)
}

/// The key, if there is one.
pub(crate) fn key(headers: &HeaderMap, max: u32) -> Result<Option<String>, &'static str> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err("Idempotency-Key stands there more than once");
    }
    let text = line.to_str().map_err(|_| NO_KEY)?.trim_matches([' ', '\t']);
    let key = if text.starts_with('"') { quoted(text) } else { bare(text) };
    let key = key.filter(|key| !key.is_empty()).ok_or(NO_KEY)?;
    if key.len() > usize::try_from(max).unwrap_or(usize::MAX) {
        return Err("Idempotency-Key is too long");
    }
    Ok(Some(key))
}

const NO_KEY: &str =
    "Idempotency-Key is no string, such as \"8e03978e-40d5-43dd-bc93-6894a57f9324\"";

/// A Structured Fields string with its parameters, which say nothing here (RFC 9651 §4.2.5).
fn quoted(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let rest = text.get(at + 1..)?;
                return (rest.is_empty() || rest.starts_with(';')).then_some(key);
            }
            '\\' => key.push(chars.next().map(|(_, c)| c).filter(|c| matches!(c, '"' | '\\'))?),
            ' '..='~' => key.push(c),
            _ => return None,
        }
    }
    None
}

/// What most clients send: a token or UUID without quotes.
fn bare(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b',' | b';');
    text.bytes().all(fits).then(|| text.to_owned())
}

/// The name under which a request is carried out once: caller, method, target and key, or the
/// content in its place.
pub(crate) fn name<B>(
    request: &Request<B>,
    asked: &Asked,
    content: &Digest,
    caller: &[Source],
) -> Digest {
    let mut parts = Parts::default();
    caller.iter().for_each(|source| source.add(request.headers(), &mut parts));
    parts.add(request.method().as_str().as_bytes());
    match Key::of(request.uri(), request.headers(), request.extensions()) {
        Some(target) => parts.add(target.as_str().as_bytes()),
        None => parts.add(request.uri().to_string().as_bytes()),
    }
    match asked {
        Asked::Key(key) => {
            parts.add(b"key");
            parts.add(key.as_bytes());
        }
        _ => {
            parts.add(b"content");
            parts.add(content.as_bytes());
        }
    }
    parts.finish()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use vhttp::Body;

    use super::*;

    fn read(lines: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(line).unwrap());
        }
        key(&headers, 8)
    }

    #[test]
    fn keys_are_strings_or_what_clients_send() {
        for (lines, expected) in [
            (&[][..], None),
            (&["\"abc\""], Some("abc")),
            (&["abc"], Some("abc")),
            (&[" \"a b\" "], Some("a b")),
            (&["\"a\\\"\\\\\""], Some("a\"\\")),
            (&["\"abc\";v=1"], Some("abc")),
            (&["8e03-9/="], Some("8e03-9/=")),
        ] {
            assert_eq!(read(lines), Ok(expected.map(str::to_owned)), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for lines in [
            &[""][..],
            &["\"\""],
            &["\"abc"],
            &["\"abc\"x"],
            &["\"a\", \"b\""],
            &["a, b"],
            &["a b"],
            &["\"\\n\""],
            &["a", "a"],
            &["123456789"],
            &["\"\u{e9}\""],
        ] {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }

    proptest! {
        /// Any string that Structured Fields can hold comes back as it was.
        #[test]
        fn strings_are_read_back(text in "[ -~]{1,8}") {
            let written = format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(read(&[&written]), Ok(Some(text)));
        }
    }

    #[test]
    fn only_methods_that_change_something_ask() {
        let config = Config { required: true, ..Config::default() };
        let of = |method: &str, key: bool| {
            let mut request = Request::builder().method(method).uri("/");
            if key {
                request = request.header(IDEMPOTENCY_KEY, "k");
            }
            asked(&request.body(Body::empty()).unwrap(), &config)
        };
        let key = Asked::Key("k".to_owned());
        for (method, with, without) in [
            ("GET", Asked::Nothing, Asked::Nothing),
            ("HEAD", Asked::Nothing, Asked::Nothing),
            ("CONNECT", Asked::Nothing, Asked::Nothing),
            ("POST", key.clone(), Asked::Missing),
            ("PATCH", key.clone(), Asked::Missing),
            ("PUT", key.clone(), Asked::Nothing),
            ("DELETE", key.clone(), Asked::Nothing),
            ("FETCH", key, Asked::Nothing),
        ] {
            assert_eq!(of(method, true), with, "{method}");
            assert_eq!(of(method, false), without, "{method}");
        }
    }

    #[test]
    fn a_name_has_all_of_its_scope() {
        let caller = [Source::parse("authorization").unwrap()];
        let of = |method: &str, uri: &str, who: &'static str, key: &str, content: &[u8]| {
            let request = Request::builder().method(method).uri(uri).header("authorization", who);
            let asked = match key {
                "" => Asked::Content,
                key => Asked::Key(key.to_owned()),
            };
            name(&request.body(()).unwrap(), &asked, &Digest::of(content), &caller)
        };
        let base = of("POST", "http://a/x?y", "me", "k", b"1");
        assert_eq!(base, of("POST", "http://a:80/x?y", "me", "k", b"2"));
        for other in [
            of("PATCH", "http://a/x?y", "me", "k", b"1"),
            of("POST", "http://b/x?y", "me", "k", b"1"),
            of("POST", "http://a/x", "me", "k", b"1"),
            of("POST", "http://a/x?y", "you", "k", b"1"),
            of("POST", "http://a/x?y", "me", "l", b"1"),
            of("POST", "http://a/x?y", "me", "", b"1"),
        ] {
            assert_ne!(base, other);
        }
        assert_ne!(of("POST", "/", "me", "", b"1"), of("POST", "/", "me", "", b"2"));
    }
}
